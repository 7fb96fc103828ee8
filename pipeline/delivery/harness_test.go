package delivery_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline/delivery"
	"wavemill/pipeline/faults"
	"wavemill/pipeline/server"
)

// patience is how long anything may take on a busy machine, and lease one that no test waits for.
const (
	patience = time.Minute
	lease    = time.Hour
)

// bench is a server with a stream WORK on which a test runs loops.
type bench struct {
	t      *testing.T
	server *server.Server
	conn   *nats.Conn // In this process.
	js     jetstream.JetStream
}

func newBench(t *testing.T) *bench {
	t.Helper()
	s, err := server.Start(t.Context(), server.Config{DataDir: t.TempDir(), Listen: "127.0.0.1:0", NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	b := &bench{t: t, server: s}
	b.conn, b.js = b.connect("", s.InProcess())
	if _, err := b.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "WORK", Subjects: []string{"work.>"}}); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) connect(url string, options ...nats.Option) (*nats.Conn, jetstream.JetStream) {
	b.t.Helper()
	conn, err := nats.Connect(url, append(options, nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))...)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		b.t.Fatal(err)
	}
	return conn, js
}

// proxied is a connection through a proxy.
func (b *bench) proxied() (*faults.Proxy, *nats.Conn) {
	b.t.Helper()
	p, err := faults.NewProxy(strings.TrimPrefix(b.server.URL(), "nats://"))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = p.Close() })
	conn, _ := b.connect("nats://" + p.Addr())
	return p, conn
}

// publish stores bodies in the stream.
func (b *bench) publish(bodies ...[]byte) {
	b.t.Helper()
	for _, body := range bodies {
		if _, err := b.js.Publish(b.t.Context(), "work.x", body); err != nil {
			b.t.Fatal(err)
		}
	}
}

// run runs a loop of the consumer "d" on a connection until the test ends or stop is called.
func (b *bench) run(conn *nats.Conn, c delivery.Config, handle delivery.Handler) (l *delivery.Loop, stop func()) {
	b.t.Helper()
	c.Stream, c.Durable = "WORK", "d"
	if c.AckWait == 0 {
		c.AckWait = lease
	}
	js, err := jetstream.New(conn)
	if err != nil {
		b.t.Fatal(err)
	}
	if l, err = delivery.New(conn, js, c, slog.New(slog.DiscardHandler), handle); err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := l.Run(ctx); err != nil {
			b.t.Error(err)
		}
	})
	stop = func() { cancel(); running.Wait() }
	b.t.Cleanup(stop)
	return l, stop
}

// settled waits until the first n messages of the stream are acknowledged, and the server waits for nothing.
func (b *bench) settled(n int) {
	b.t.Helper()
	b.eventually("all messages are settled", func() bool {
		c, err := b.js.Consumer(b.t.Context(), "WORK", "d")
		if err != nil {
			return false
		}
		info := c.CachedInfo()
		return info.NumPending == 0 && info.NumAckPending == 0 && info.AckFloor.Stream == uint64(n)
	})
}

func (b *bench) eventually(what string, f func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); !f(); time.Sleep(5 * time.Millisecond) { // A poll.
		if time.Now().After(deadline) {
			b.t.Fatalf("not within %v: %s", patience, what)
		}
	}
}
