package delivery_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline/delivery"
)

// once counts the messages, and fails the test for one that comes again.
func once(t *testing.T, n *atomic.Int64) delivery.Handler {
	return func(_ context.Context, _ int, msg *delivery.Message) delivery.Outcome {
		if meta, err := msg.Metadata(); err != nil || meta.NumDelivered != 1 {
			t.Errorf("%v %+v: it was delivered before, and got lost", err, meta)
		}
		n.Add(1)
		return delivery.Outcome{Verdict: delivery.Ack}
	}
}

// Messages that take longer to arrive than the server took to answer before are not lost until their lease has run out.
func TestLateMessagesAreUsed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	proxy, conn := b.proxied()
	var handled atomic.Int64
	b.run(conn, delivery.Config{Workers: 2}, once(t, &handled))
	b.publish([]byte("0"))
	b.eventually("it works", func() bool { return handled.Load() == 1 })

	proxy.Delay(2 * time.Second)
	b.publish([]byte("1"), []byte("2"), []byte("3"), []byte("4"))
	b.eventually("the server has sent some", func() bool {
		c, err := b.js.Consumer(t.Context(), "WORK", "d")
		return err == nil && c.CachedInfo().Delivered.Stream > 1
	})
	b.eventually("late ones have come", func() bool { return handled.Load() > 1 })
	proxy.Delay(0)
	b.settled(5)
}

// After a cut the loop asks again at once, however long its requests would have been kept.
func TestPullsAgainAfterACut(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	proxy, conn := b.proxied()
	var handled atomic.Int64
	b.run(conn, delivery.Config{Workers: 2}, once(t, &handled))
	for i := range 5 {
		b.publish([]byte("before"))
		b.settled(i + 1)
		before := conn.Stats().Reconnects
		proxy.Cut()
		b.eventually("it is connected again", func() bool { return conn.Stats().Reconnects > before })
	}
	b.publish([]byte("after"))
	b.settled(6)
}

// Requests that got lost while the connection stayed open are noticed by the heartbeats that do not come.
func TestLostRequestsAreNoticed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	proxy, conn := b.proxied()
	var handled atomic.Int64
	l, _ := b.run(conn, delivery.Config{Workers: 2}, once(t, &handled))
	b.publish([]byte("before"))
	b.settled(1)
	proxy.HalfOpen()
	b.eventually("it notices", func() bool { return l.Fault() != nil })
	proxy.Forward()
	b.eventually("the server answers", func() bool { return l.Fault() == nil })
	b.publish([]byte("after"))
	b.settled(2)
}

// The requests of an idle loop live for longer than the server's answers take, and are few.
func TestAnIdleLoopAsksSeldom(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	spy, err := b.conn.SubscribeSync("$JS.API.CONSUMER.MSG.NEXT.WORK.d")
	if err != nil {
		t.Fatal(err)
	}
	b.run(b.conn, delivery.Config{Workers: 2}, acknowledge)
	var first *nats.Msg
	if first, err = spy.NextMsg(patience); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := spy.NextMsg(patience); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("%s is followed by another request after %v", first.Data, took)
	}
}

// A loop that stops finishes what its handlers have begun, and others get the rest at once.
func TestStoppingGivesBack(t *testing.T) {
	b := newBench(t)
	const messages = 4
	begun, finish := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(finish) })
	var mine atomic.Int64
	l, stop := b.run(b.conn, delivery.Config{Workers: 1}, func(context.Context, int, *delivery.Message) delivery.Outcome {
		if mine.Add(1) == 1 {
			close(begun)
		}
		<-finish
		return delivery.Outcome{Verdict: delivery.Ack}
	})
	t.Cleanup(release)
	b.publish(make([][]byte, messages)...)
	<-begun
	b.eventually("one is handled and one is queued", func() bool { return l.InFlight() == 2 })
	var stopped sync.WaitGroup
	stopped.Go(stop)
	var others atomic.Int64
	b.run(b.conn, delivery.Config{Workers: 1}, func(_ context.Context, _ int, _ *delivery.Message) delivery.Outcome {
		others.Add(1)
		return delivery.Outcome{Verdict: delivery.Ack}
	})
	b.eventually("the messages behind it are taken by the other", func() bool { return others.Load() == messages-1 })
	release()
	stopped.Wait()
	b.settled(messages)
	if others.Load() != messages-1 || mine.Load() != 1 {
		t.Errorf("of %d messages, the loop that stopped has handled %d, and the other one %d", messages, mine.Load(), others.Load())
	}
}

// Messages that nobody asked for any more, of more than one lost request, are held or given back, and none is lost.
func TestTooManyMessagesAreGivenBack(t *testing.T) {
	b := newBench(t)
	const messages = 100
	free := make(chan struct{})
	release := sync.OnceFunc(func() { close(free) })
	var handled atomic.Int64
	l, _ := b.run(b.conn, delivery.Config{Workers: 1, Replicas: 10}, func(context.Context, int, *delivery.Message) delivery.Outcome {
		<-free
		handled.Add(1)
		return delivery.Outcome{Verdict: delivery.Ack}
	})
	t.Cleanup(release)
	spy, err := b.conn.SubscribeSync("$JS.API.CONSUMER.MSG.NEXT.WORK.d")
	if err != nil {
		t.Fatal(err)
	}
	b.publish([]byte("first"))
	b.eventually("it is busy", func() bool { return l.InFlight() == 1 })
	asked, err := spy.NextMsg(patience) // A request behind the first one, or the next when that has expired.
	if err != nil {
		t.Fatal(err)
	}
	// The same again, as by a request that was taken to be lost.
	if err := b.conn.PublishRequest(asked.Subject, asked.Reply, []byte(`{"batch":50,"expires":50000000000}`)); err != nil {
		t.Fatal(err)
	}
	b.publish(make([][]byte, messages-1)...)
	consumer, err := b.js.Consumer(t.Context(), "WORK", "d")
	if err != nil {
		t.Fatal(err)
	}
	b.eventually("the server has sent them", func() bool {
		info, err := consumer.Info(t.Context())
		return err == nil && info.Delivered.Consumer >= 50
	})
	b.eventually("it holds what it may", func() bool { return l.InFlight() == delivery.AckPendingPerWorker })
	release()
	b.settled(messages)
	if n := handled.Load(); n != messages {
		t.Errorf("%d messages were handled, want %d", n, messages)
	}
}

// A consumer that is deleted while requests wait at the server is created again at once, and so is what it had not acknowledged.
func TestADeletedConsumerIsNoticed(t *testing.T) {
	b := newBench(t)
	bodies := make(chan string, 100)
	b.run(b.conn, delivery.Config{Workers: 2}, func(_ context.Context, _ int, msg *delivery.Message) delivery.Outcome {
		bodies <- string(msg.Data())
		return delivery.Outcome{Verdict: delivery.Ack}
	})
	handled := func(want string) {
		t.Helper()
		for timeout := time.After(patience); ; {
			select {
			case got := <-bodies:
				if got == want {
					return
				}
			case <-timeout:
				t.Fatalf("%q is not handled", want)
			}
		}
	}
	b.publish([]byte("before"))
	handled("before")
	if err := b.js.DeleteConsumer(t.Context(), "WORK", "d"); err != nil {
		t.Fatal(err)
	}
	b.publish([]byte("after"))
	handled("after")
	if err := b.js.DeleteStream(t.Context(), "WORK"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "WORK", Subjects: []string{"work.>"}}); err != nil {
		t.Fatal(err)
	}
	b.publish([]byte("another stream"))
	handled("another stream")
	b.settled(1)
}
