package pipeline_test

import (
	"bytes"
	"context"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"wavemill/pipeline"
)

// lines collects what is logged.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.b.String(), text)
}

// listen subscribes to everything, as a stranger may, and never answers.
func listen(t *testing.T, bus *pipeline.Bus) {
	t.Helper()
	sub, err := bus.Conn().Subscribe(">", func(*nats.Msg) {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sub.Unsubscribe() })
	if err := bus.Conn().Flush(); err != nil {
		t.Fatal(err)
	}
}

// A subscriber to the outputs does not hide that their stream is gone: it is created again, and nothing waits for long.
func TestASubscriberDoesNotHideAMissingStream(t *testing.T) {
	var logged lines
	bus, err := pipeline.Open(within(t), specOf(t, "", nil), pipeline.BusOptions{Log: slog.New(slog.NewTextHandler(&logged, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bus.Close(within(t)); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	_, _ = start(t, bus, on(shout))
	listen(t, bus)
	if err := bus.JetStream().DeleteStream(within(t), "T_CLIP"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	feed(t, bus, "m", 3)
	settled(t, bus)
	exactlyOnce(t, bus, 1)
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	if !logged.has("the stream did not exist any more; it has been created again") {
		t.Errorf("nothing says that the stream was gone: %s", logged.b.String())
	}

	// A client that publishes with little patience gets its confirmation too.
	if err := bus.JetStream().DeleteStream(within(t), "T_CLIP"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // That of generate.
	defer cancel()
	if ack, err := bus.Publish(ctx, &pipeline.Message{Type: pipeline.TypeClip, Label: "l", Body: []byte("x")}); err != nil || ack.Sequence != 1 {
		t.Errorf("%+v, %v", ack, err)
	}
}

// startFull starts an operator whose output stream is full.
func startFull(t *testing.T, logged *lines, workers int) (*pipeline.Bus, *pipeline.Pipeline) {
	t.Helper()
	spec := specOf(t, "", func(s *pipeline.Spec) { s.Streams.MaxBytes, s.Operators[0].Workers = 1<<20, workers })
	bus, err := pipeline.Open(within(t), spec, pipeline.BusOptions{Log: slog.New(slog.NewTextHandler(logged, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bus.Close(within(t)); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	p, _ := start(t, bus, on(shout))
	if _, err := bus.JetStream().Publish(within(t), "t.clip.full", make([]byte, 1<<20-1000)); err != nil {
		t.Fatal(err)
	}
	return bus, p
}

// A stream that takes no messages for five seconds shows in the log and in the status, and after ten the operator is not ready, until a
// message is stored.
func TestALongWaitIsToldAndCounted(t *testing.T) {
	var logged lines
	bus, p := startFull(t, &logged, 1)
	publish(t, bus, "l", strings.Repeat("x", 5000))
	eventually(t, "the wait is counted", func() bool { return p.Snapshot()[0].Waits == 1 })
	if !logged.has("the stream does not confirm messages, waiting") || !logged.has("output=T_CLIP") {
		t.Errorf("it is not logged: %s", logged.b.String())
	}
	eventually(t, "the operator is not ready", func() bool { return !p.Snapshot()[0].Ready })
	if reason := p.Snapshot()[0].Reason; !strings.Contains(reason, "T_CLIP has confirmed none") || !strings.Contains(reason, "maximum bytes exceeded") {
		t.Errorf("the reason: %s", reason)
	}
	if err := rawStream(t, bus, pipeline.TypeClip).Purge(within(t)); err != nil {
		t.Fatal(err)
	}
	settled(t, bus)
	if s := p.Snapshot()[0]; s.Waits != 1 || !s.Ready {
		t.Errorf("%d waits, want 1; ready: %t, %s", s.Waits, s.Ready, s.Reason)
	}
}

// However many publications wait for one stream, one line says so, with the server's reason.
func TestManyWaitsAreToldOnce(t *testing.T) {
	var logged lines
	bus, p := startFull(t, &logged, 8)
	for i := range 8 {
		publish(t, bus, "l", strconv.Itoa(i)+strings.Repeat("x", 5000))
	}
	eventually(t, "all waits are counted", func() bool { return p.Snapshot()[0].Waits == 8 })
	if err := rawStream(t, bus, pipeline.TypeClip).Purge(within(t)); err != nil {
		t.Fatal(err)
	}
	settled(t, bus)
	if text := logged.b.String(); strings.Count(text, "does not confirm messages") != 1 || !strings.Contains(text, "maximum bytes exceeded") {
		t.Error(text)
	}
}

// The quarantine stream is created by the first message for it, which is no loss; that it is gone later is one.
func TestAStreamThatNeverExistedIsNotMissed(t *testing.T) {
	const lost = "the stream did not exist any more"
	var logged lines
	bus, err := pipeline.Open(within(t), specOf(t, "", nil), pipeline.BusOptions{Log: slog.New(slog.NewTextHandler(&logged, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bus.Close(within(t)); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	put := func() {
		t.Helper()
		if _, err := bus.Publish(within(t), &pipeline.Message{Type: pipeline.TypeQuarantine, Label: "l", Body: []byte("x")}); err != nil {
			t.Fatal(err)
		}
	}
	put()
	if logged.has(lost) || logged.has("level=WARN") {
		t.Errorf("a warning about a stream that never existed: %s", logged.b.String())
	}
	if err := bus.JetStream().DeleteStream(within(t), "T_QUARANTINE"); err != nil {
		t.Fatal(err)
	}
	put()
	if !logged.has(lost) {
		t.Errorf("nothing says that the stream was gone: %s", logged.b.String())
	}
}
