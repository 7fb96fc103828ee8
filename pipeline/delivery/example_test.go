package delivery_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline/delivery"
	"wavemill/pipeline/server"
)

// A loop handles the messages of a stream: the first attempt of each asks for another delivery.
func ExampleLoop_Run() {
	dir, err := os.MkdirTemp("", "delivery")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
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
	if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "WORK", Subjects: []string{"work.>"}}); err != nil {
		panic(err)
	}
	if _, err := js.Publish(ctx, "work.a", []byte("kick")); err != nil {
		panic(err)
	}
	config := delivery.Config{Stream: "WORK", Durable: "example", Workers: 1, AckWait: 5 * time.Second}
	loop, err := delivery.New(conn, js, config, slog.New(slog.DiscardHandler), func(_ context.Context, _ int, msg *delivery.Message) delivery.Outcome {
		about, err := msg.Metadata()
		if err != nil {
			return delivery.Outcome{Verdict: delivery.Drop, Reason: err.Error()}
		}
		fmt.Println("attempt", about.NumDelivered, "of", string(msg.Data()))
		if about.NumDelivered == 1 {
			return delivery.Outcome{Verdict: delivery.Retry, Delay: time.Millisecond}
		}
		cancel() // One message is enough.
		return delivery.Outcome{Verdict: delivery.Ack}
	})
	if err != nil {
		panic(err)
	}
	fmt.Println("stopped:", loop.Run(ctx))
	// Output:
	// attempt 1 of kick
	// attempt 2 of kick
	// stopped: <nil>
}
