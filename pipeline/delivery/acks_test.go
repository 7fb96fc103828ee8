package delivery_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"wavemill/pipeline/delivery"
)

// Messages that are finished together share a confirmation, and the server has the acknowledgement of each.
func TestAcknowledgementsShareAConfirmation(t *testing.T) {
	const messages = 100
	b := newBench(t)
	b.publish(make([][]byte, messages)...)
	spy, err := b.conn.SubscribeSync("$JS.ACK.WORK.d.>")
	if err != nil {
		t.Fatal(err)
	}
	var handled sync.WaitGroup
	handled.Add(messages)
	b.run(b.conn, delivery.Config{Workers: 1, Ahead: messages}, func(context.Context, int, *delivery.Message) delivery.Outcome {
		handled.Done()
		return delivery.Outcome{Finish: func() delivery.Outcome {
			handled.Wait()
			return delivery.Outcome{Verdict: delivery.Ack}
		}}
	})
	b.settled(messages)
	acks, confirmed := 0, 0
	for acks < messages {
		msg, err := spy.NextMsg(patience)
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
	b := newBench(t)
	b.publish(bodies...)
	var bytes, most atomic.Int64
	b.run(b.conn, delivery.Config{Workers: 1, Ahead: 100, AheadBytes: limit}, func(_ context.Context, _ int, msg *delivery.Message) delivery.Outcome {
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
	b.settled(len(bodies))
	if n := most.Load(); n > 4*limit { // Two messages come at once while nothing is in flight.
		t.Errorf("%d bytes were in flight at once; the limit is %d", n, limit)
	}
}
