package modelstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline/modelstore"
	"wavemill/pipeline/server"
)

// connect starts an embedded server and returns its JetStream context, and what stops it.
func connect() (jetstream.JetStream, func()) {
	dir, err := os.MkdirTemp("", "modelstore")
	if err != nil {
		panic(err)
	}
	s, err := server.Start(context.Background(), server.Config{DataDir: dir})
	if err != nil {
		panic(err)
	}
	nc, err := nats.Connect("", s.InProcess())
	if err != nil {
		panic(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		panic(err)
	}
	return js, func() {
		nc.Close()
		s.Shutdown()
		_ = os.RemoveAll(dir)
	}
}

// Two versions of a model, and a writer that has missed the second.
func ExampleStore_Put() {
	js, stop := connect()
	defer stop()
	ctx := context.Background()
	models := &modelstore.Store{JetStream: js, Bucket: "MILL_MODEL"}

	first, err := models.Put(ctx, "drums", "digest1", []byte("weights"), nil, modelstore.Entry{})
	if err != nil {
		panic(err)
	}
	if _, err = models.Put(ctx, "drums", "digest2", []byte("better weights"), []byte(`{"step":200}`), first); err != nil {
		panic(err)
	}
	_, err = models.Put(ctx, "drums", "digest3", []byte("other weights"), nil, first)
	fmt.Println(errors.Is(err, modelstore.ErrConflict))

	current, err := models.Get(ctx, "drums")
	if err != nil {
		panic(err)
	}
	content, err := models.Load(ctx, current)
	if err != nil {
		panic(err)
	}
	fmt.Println(current.Version, current.Digest, string(current.Info), string(content))
	// Output:
	// true
	// 2 digest2 {"step":200} better weights
}
