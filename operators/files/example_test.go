package files_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"wavemill/audio/dataset"
	"wavemill/operators/files"
	"wavemill/pipeline"
)

// A folder of recordings is published on an embedded server.
func ExamplePublish() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	for _, name := range []string{"kick_1.wav", "kick_2.wav", "bell_1.wav"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("the content of "+name), 0o600); err != nil {
			panic(err)
		}
	}
	set, err := dataset.Scan(ctx, []string{dir}, dataset.Options{})
	if err != nil {
		panic(err)
	}
	bus, err := pipeline.Open(ctx, pipeline.Spec{DataDir: filepath.Join(dir, "bus")}, pipeline.BusOptions{})
	if err != nil {
		panic(err)
	}
	published, err := files.Publish(ctx, bus, set.Items, nil)
	if err != nil {
		panic(err)
	}
	fmt.Println(published.Published, published.Labels)
	if err := bus.Close(ctx); err != nil {
		panic(err)
	}
	// Output: 3 map[bell:1 kick:2]
}
