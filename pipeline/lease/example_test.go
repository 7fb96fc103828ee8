package lease_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline/lease"
	"wavemill/pipeline/server"
)

// A process works while it holds the lease, and confirms it before it writes.
func ExampleAcquire() {
	dir, err := os.MkdirTemp("", "lease")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	s, err := server.Start(ctx, server.Config{DataDir: dir})
	if err != nil {
		panic(err)
	}
	defer s.Shutdown()
	conn, err := nats.Connect("", s.InProcess())
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		panic(err)
	}
	kv, err := js.CreateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: "EXAMPLE"})
	if err != nil {
		panic(err)
	}
	l, err := lease.Acquire(ctx, lease.Config{Bucket: kv, Key: "trainer", Holder: "this one", TTL: 10 * time.Second})
	if err != nil {
		panic(err)
	}
	fmt.Println(l.Check(ctx), l.Release(ctx))
	// Output: <nil> <nil>
}
