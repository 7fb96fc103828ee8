package objectstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline/objectstore"
	"wavemill/pipeline/server"
)

// connect starts an embedded server and returns its JetStream context, and what stops it.
func connect() (jetstream.JetStream, func()) {
	dir, err := os.MkdirTemp("", "objectstore")
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

func ExampleStore() {
	js, stop := connect()
	defer stop()
	ctx := context.Background()
	bodies := &objectstore.Store{JetStream: js, Bucket: "MILL_OBJECT", TTL: time.Hour}

	ref, err := bodies.Put(ctx, []byte("a long recording"))
	if err != nil {
		panic(err)
	}
	body, err := bodies.Get(ctx, ref)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s... %s\n", ref[:30], body)
	_, err = bodies.Get(ctx, "somewhere/else")
	fmt.Println(errors.Is(err, objectstore.ErrReference))
	// Output:
	// MILL_OBJECT/sha256-41ef37b3632... a long recording
	// true
}
