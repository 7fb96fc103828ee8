package convert_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"wavemill/audio"
	"wavemill/audio/convert"
	"wavemill/audio/dataset"
	"wavemill/audio/wav"
)

func ExampleRun() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	clip := audio.Clip{Samples: make([]float32, 8000), Channels: 1, Rate: 8000}
	for _, name := range []string{"kick_1.wav", "kick_2.wav", "snare_1.wav"} {
		if err := wav.WriteFile(filepath.Join(dir, name), clip, wav.Options{}); err != nil {
			log.Fatal(err)
		}
	}
	summary, err := convert.Run(context.Background(), convert.Options{Sources: []string{dir}, Out: filepath.Join(dir, "shards")}, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(summary.Converted, "files,", summary.Seconds, "seconds,", summary.Labels)
	shards, err := dataset.OpenShards(filepath.Join(dir, "shards"))
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range shards.Entries() {
		fmt.Println(e.Shard, e.Offset, e.Frames, e.Bins, e.Label, e.Source)
	}
	// Output:
	// 3 files, 3 seconds, map[kick:2 snare:1]
	// shard-00000.npy 0 63 64 kick kick_1.wav
	// shard-00000.npy 63 63 64 kick kick_2.wav
	// shard-00000.npy 126 63 64 snare snare_1.wav
}
