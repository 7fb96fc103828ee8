package health_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"wavemill/pipeline"
	"wavemill/pipeline/health"
	"wavemill/pipeline/server"
)

// moody is an operator that is ready when it is told to be, and works until it is released.
type moody struct {
	ready   func() error
	working chan<- struct{}
	release <-chan struct{}
}

func (moody) Input() string { return pipeline.TypeAudio }

func (m moody) Ready() error { return m.ready() }

func (m moody) Process(context.Context, *pipeline.Message, pipeline.Emit) error {
	m.working <- struct{}{}
	<-m.release
	return nil
}

// proxy stands between clients and a server, and can hold what it has to pass on.
type proxy struct {
	net.Listener
	mu sync.Mutex // Held while nothing passes.
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: l}
	var conns sync.WaitGroup
	pass := func(dst, src net.Conn) {
		defer conns.Done()
		defer dst.Close()
		buf := make([]byte, 4096)
		for {
			n, err := src.Read(buf)
			p.mu.Lock()
			_, errW := dst.Write(buf[:n])
			p.mu.Unlock()
			if err != nil || errW != nil {
				return
			}
		}
	}
	conns.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			up, err := net.Dial("tcp", to)
			if err != nil {
				client.Close()
				continue
			}
			conns.Add(2)
			go pass(up, client)
			go pass(client, up)
		}
	})
	t.Cleanup(func() { l.Close(); conns.Wait() })
	return p
}

// Readiness names the operator that cannot work, and is red for it alone; it is red for all while the server hangs and
// while the process stops.
func TestReadiness(t *testing.T) {
	s, err := server.Start(t.Context(), server.Config{DataDir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	between := newProxy(t, strings.TrimPrefix(s.URL(), "nats://"))
	var mu sync.Mutex
	fault := errors.New("no model yet")
	working, release := make(chan struct{}, 1), make(chan struct{})
	of := func(ready func() error) pipeline.Factory {
		return func([]byte, pipeline.Env) (pipeline.Operator, error) { return moody{ready, working, release}, nil }
	}
	spec := pipeline.Spec{Name: "example", NATS: "nats://" + between.Addr().String(), Operators: []pipeline.OperatorSpec{{Operator: "calm"}, {Operator: "moody"}}}
	bus, err := pipeline.Open(t.Context(), spec, pipeline.BusOptions{})
	if err != nil {
		t.Fatal(err)
	}
	running, err := pipeline.Start(t.Context(), bus, pipeline.Registry{
		"calm": of(func() error { return nil }),
		"moody": of(func() error {
			mu.Lock()
			defer mu.Unlock()
			return fault
		}),
	}, pipeline.Options{})
	if err != nil {
		t.Fatal(err)
	}
	pages := health.Handler(running)
	expect := func(path string, want int, text string) {
		t.Helper()
		if code, body := ask(t.Context(), pages, path); code != want || !strings.Contains(body, text) {
			t.Errorf("%s: %d %q, want %d %q", path, code, body, want, text)
		}
	}
	expect("/readyz", http.StatusServiceUnavailable, "operator moody: no model yet")
	expect("/readyz/moody", http.StatusServiceUnavailable, "no model yet")
	expect("/readyz/calm", http.StatusOK, "ready")
	expect("/readyz/none", http.StatusNotFound, "there are: calm, moody")
	expect("/livez", http.StatusOK, "alive")
	mu.Lock()
	fault = nil
	mu.Unlock()
	expect("/readyz", http.StatusOK, "ready")

	between.mu.Lock() // The server hangs: its connections stay open.
	began := time.Now()
	expect("/readyz", http.StatusServiceUnavailable, "does not answer")
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v to notice", took)
	}
	expect("/livez", http.StatusOK, "alive")
	between.mu.Unlock()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) { // A poll.
		if code, _ := ask(t.Context(), pages, "/readyz"); code == http.StatusOK {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("it is not ready again")
		}
	}

	if _, err := bus.Publish(t.Context(), &pipeline.Message{Type: pipeline.TypeAudio, Label: "l", Body: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	<-working
	stopped := make(chan error)
	go func() { stopped <- running.Stop(context.WithoutCancel(t.Context())) }()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) { // A poll. It drains: one message is worked on.
		code, text := ask(t.Context(), pages, "/readyz")
		if code == http.StatusServiceUnavailable && strings.Contains(text, "stopping") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("while it drains: %d %s", code, text)
		}
	}
	close(release)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	expect("/readyz", http.StatusServiceUnavailable, "stopped")
	if err := bus.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
