package pipeline_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline"
)

// BenchmarkReceive compares the runtime with the loop that one would write by hand, on messages of 1 KiB that nothing
// is done with: Consume and DoubleAck against an operator that emits nothing.
func BenchmarkReceive(b *testing.B) {
	for _, workers := range []int{1, 4} {
		b.Run(fmt.Sprintf("operator/workers=%d", workers), func(b *testing.B) {
			benchmark(b, workers, func(b *testing.B, bus *pipeline.Bus, done func()) func() {
				p, err := pipeline.Start(context.Background(), bus, on(func(context.Context, *pipeline.Message, pipeline.Emit) error {
					done()
					return nil
				}), pipeline.Options{})
				if err != nil {
					b.Fatal(err)
				}
				return func() {
					if err := p.Stop(context.Background()); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
	b.Run("consume", func(b *testing.B) {
		benchmark(b, 1, func(b *testing.B, bus *pipeline.Bus, done func()) func() {
			c, err := bus.JetStream().CreateConsumer(context.Background(), "T_AUDIO", jetstream.ConsumerConfig{Durable: "hand", AckPolicy: jetstream.AckExplicitPolicy})
			if err != nil {
				b.Fatal(err)
			}
			cc, err := c.Consume(func(m jetstream.Msg) {
				if err := m.DoubleAck(context.Background()); err != nil {
					b.Error(err)
				}
				done()
			})
			if err != nil {
				b.Fatal(err)
			}
			return cc.Stop
		})
	})
}

// benchmark stores b.N messages and times their receipt.
func benchmark(b *testing.B, workers int, receive func(b *testing.B, bus *pipeline.Bus, done func()) func()) {
	ctx := context.Background()
	bus, err := pipeline.Open(ctx, pipeline.Spec{Name: "t", DataDir: b.TempDir(), Operators: []pipeline.OperatorSpec{{Operator: "work", Workers: workers}}}, pipeline.BusOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := bus.Close(ctx); err != nil {
			b.Error(err)
		}
	}()
	body := make([]byte, 1024)
	for i := range b.N {
		if i%500 == 499 {
			<-bus.JetStream().PublishAsyncComplete()
		}
		if _, err := bus.JetStream().PublishAsync("t.audio.x", body); err != nil {
			b.Fatal(err)
		}
	}
	<-bus.JetStream().PublishAsyncComplete()
	var n atomic.Int64
	all := make(chan struct{})
	b.ReportAllocs()
	b.ResetTimer()
	stop := receive(b, bus, func() {
		if n.Add(1) == int64(b.N) {
			close(all)
		}
	})
	<-all
	b.StopTimer()
	stop()
}
