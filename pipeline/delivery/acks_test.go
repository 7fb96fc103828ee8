package delivery_test

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline/delivery"
	"wavemill/pipeline/server"
)

// work starts a server with a stream WORK and publishes bodies into it.
func work(t *testing.T, bodies ...[]byte) (*nats.Conn, jetstream.JetStream) {
	t.Helper()
	s, err := server.Start(t.Context(), server.Config{DataDir: t.TempDir(), NoSync: true})
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
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "WORK", Subjects: []string{"work.>"}}); err != nil {
		t.Fatal(err)
	}
	for _, body := range bodies {
		if _, err := js.Publish(t.Context(), "work.x", body); err != nil {
			t.Fatal(err)
		}
	}
	return conn, js
}

// run runs a loop until settled messages have been settled, and checks that the server knows.
func run(t *testing.T, conn *nats.Conn, js jetstream.JetStream, c delivery.Config, settled int, handle delivery.Handler) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var n atomic.Int32
	c.Stream, c.Durable, c.AckWait = "WORK", "d", 30*time.Second
	c.Settled = func(delivery.Verdict) {
		if n.Add(1) == int32(settled) {
			cancel()
		}
	}
	l, err := delivery.New(conn, js, c, slog.New(slog.DiscardHandler), handle)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Run(ctx); err != nil {
		t.Fatal(err)
	}
	consumer, err := js.Consumer(t.Context(), "WORK", "d")
	if err != nil {
		t.Fatal(err)
	}
	if info := consumer.CachedInfo(); n.Load() != int32(settled) || info.NumAckPending != 0 || info.AckFloor.Stream != uint64(settled) {
		t.Fatalf("%d of %d messages are settled; the server has %d unacknowledged ones and a floor of %d", n.Load(), settled, info.NumAckPending, info.AckFloor.Stream)
	}
}

// Messages that are finished together share a confirmation, and the server has the acknowledgement of each.
func TestAcknowledgementsShareAConfirmation(t *testing.T) {
	const messages = 100
	conn, js := work(t, make([][]byte, messages)...)
	spy, err := conn.SubscribeSync("$JS.ACK.WORK.d.>")
	if err != nil {
		t.Fatal(err)
	}
	var handled sync.WaitGroup
	handled.Add(messages)
	run(t, conn, js, delivery.Config{Workers: 1, Ahead: messages}, messages, func(context.Context, int, jetstream.Msg) delivery.Outcome {
		handled.Done()
		return delivery.Outcome{Finish: func() delivery.Outcome {
			handled.Wait()
			return delivery.Outcome{Verdict: delivery.Ack}
		}}
	})
	acks, confirmed := 0, 0
	for acks < messages {
		msg, err := spy.NextMsg(time.Minute)
		if err != nil {
			t.Fatalf("after %d acknowledgements: %v", acks, err)
		}
		acks++
		if msg.Reply != "" {
			confirmed++
		}
	}
	if confirmed == 0 || confirmed > messages/2 {
		t.Errorf("%d of %d acknowledgements ask for a confirmation", confirmed, acks)
	}
}

// What is in flight is bounded by its size, and a message above that size is handled alone.
func TestLargeMessagesWait(t *testing.T) {
	const limit = 1 << 20
	bodies := [][]byte{make([]byte, 2*limit)}
	for range 12 {
		bodies = append(bodies, make([]byte, limit/3))
	}
	bodies = append(bodies, make([]byte, 2*limit), make([]byte, 10))
	conn, js := work(t, bodies...)
	var bytes, most atomic.Int64
	run(t, conn, js, delivery.Config{Workers: 1, Ahead: 100, AheadBytes: limit}, len(bodies), func(_ context.Context, _ int, msg jetstream.Msg) delivery.Outcome {
		size := int64(len(msg.Data()))
		now := bytes.Add(size)
		for {
			if old := most.Load(); now <= old || most.CompareAndSwap(old, now) {
				break
			}
		}
		return delivery.Outcome{Finish: func() delivery.Outcome {
			bytes.Add(-size)
			return delivery.Outcome{Verdict: delivery.Ack}
		}}
	})
	if n := most.Load(); n > 4*limit { // Two messages come at once while nothing is in flight.
		t.Errorf("%d bytes were in flight at once; the limit is %d", n, limit)
	}
}
