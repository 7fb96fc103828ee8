package delivery_test

import (
	"context"
	"testing"
	"time"

	"wavemill/pipeline/delivery"
)

// Two loops of one consumer that are configured alike work together; the first of two that are not notices it.
func TestMixedConfigurations(t *testing.T) {
	b := newBench(t)
	run := func(configured string) *delivery.Loop {
		t.Helper()
		opened := make(chan struct{}, 10)
		l, _ := b.run(b.conn, delivery.Config{
			Workers: 1, AckWait: time.Second, InfoEvery: 20 * time.Millisecond, Configured: configured,
			Opened: func(time.Time, uint64) { opened <- struct{}{} },
		}, acknowledge)
		<-opened
		return l
	}
	first, second := run("a"), run("a")
	b.publish(make([][]byte, 50)...)
	b.settled(50)
	if first.Mixed() || second.Mixed() {
		t.Error("loops that are configured alike")
	}
	third := run("b")
	b.eventually("the others notice another configuration", func() bool { return first.Mixed() && second.Mixed() })
	if third.Mixed() {
		t.Error("the newest one has no other after it")
	}
}

func acknowledge(context.Context, int, *delivery.Message) delivery.Outcome {
	return delivery.Outcome{Verdict: delivery.Ack}
}
