package delivery_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline/delivery"
	"wavemill/pipeline/server"
)

// Two loops of one consumer that are configured alike work together; the first of two that are not notices it.
func TestMixedConfigurations(t *testing.T) {
	s, err := server.Start(t.Context(), server.Config{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	conn, err := nats.Connect("", s.InProcess())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "WORK", Subjects: []string{"work.>"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	t.Cleanup(func() { cancel(); running.Wait() })
	run := func(configured string) (*delivery.Loop, <-chan struct{}) {
		t.Helper()
		opened := make(chan struct{}, 10)
		l, err := delivery.New(conn, js, delivery.Config{
			Stream: "WORK", Durable: "d", Workers: 1, AckWait: time.Second, InfoEvery: 20 * time.Millisecond, Configured: configured,
			Opened: func(time.Time, uint64) { opened <- struct{}{} },
		}, slog.New(slog.DiscardHandler), func(context.Context, int, jetstream.Msg) delivery.Outcome {
			return delivery.Outcome{Verdict: delivery.Ack}
		})
		if err != nil {
			t.Fatal(err)
		}
		running.Go(func() {
			if err := l.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		return l, opened
	}
	settle := func(n uint64) { // Both ask for the consumer's state after each pull.
		for range n {
			if _, err := js.Publish(t.Context(), "work.x", nil); err != nil {
				t.Fatal(err)
			}
		}
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) { // A poll.
			c, err := stream.Consumer(t.Context(), "d")
			if err == nil && c.CachedInfo().NumPending == 0 && c.CachedInfo().NumAckPending == 0 {
				return
			}
			if time.Now().After(deadline) {
				t.Fatal("messages are left")
			}
		}
	}
	first, opened := run("a")
	<-opened
	second, opened := run("a")
	<-opened
	settle(50)
	if first.Mixed() || second.Mixed() {
		t.Error("loops that are configured alike")
	}
	third, opened := run("b")
	<-opened
	for deadline := time.Now().Add(time.Minute); !first.Mixed() || !second.Mixed(); time.Sleep(5 * time.Millisecond) { // A poll.
		if time.Now().After(deadline) {
			t.Fatal("nobody notices another configuration")
		}
	}
	if third.Mixed() {
		t.Error("the newest one has no other after it")
	}
}
