package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"wavemill/pipeline"
	"wavemill/pipeline/server"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(childRole); role != "" {
		os.Exit(child(role))
	}
	// nats-server does not end the writer of a block of messages that it could not store: see TestAFullDiskHeals.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server.(*msgBlock).flushLoop"))
}

// patience is how long anything may take on a busy machine.
const patience = 60 * time.Second

// within returns a context for one step of a test.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// eventually polls f until it is true.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !f() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
		time.Sleep(5 * time.Millisecond) // A poll, not a guess.
	}
}

// consumer is an operator made of a function and an input.
type consumer struct {
	input string
	f     pipeline.OperatorFunc
}

func (c consumer) Input() string { return c.input }

func (c consumer) Process(ctx context.Context, m *pipeline.Message, emit pipeline.Emit) error {
	return c.f(ctx, m, emit)
}

// on is a registry with one operator, "work", that reads audio.
func on(f pipeline.OperatorFunc) pipeline.Registry {
	return pipeline.Registry{"work": func([]byte, pipeline.Env) (pipeline.Operator, error) {
		return consumer{pipeline.TypeAudio, f}, nil
	}}
}

// shout emits the body in upper case: a pure function of the input.
func shout(ctx context.Context, m *pipeline.Message, emit pipeline.Emit) error {
	return emit(ctx, &pipeline.Message{Type: pipeline.TypeClip, Body: []byte(strings.ToUpper(string(m.Body)))})
}

// specOf is a pipeline of one stage, "work", on the server at url, or on an embedded one.
func specOf(t *testing.T, url string, change func(*pipeline.Spec)) pipeline.Spec {
	t.Helper()
	s := pipeline.Spec{Name: "t", NATS: url, Operators: []pipeline.OperatorSpec{{Operator: "work", Workers: 2}}}
	if url == "" {
		s.DataDir = t.TempDir()
	}
	if change != nil {
		change(&s)
	}
	return s
}

// testLog writes to the test's own output, at warnings and above unless -v.
func testLog(t *testing.T) *slog.Logger {
	t.Helper()
	var closed atomic.Bool
	t.Cleanup(func() { closed.Store(true) })
	return slog.New(slog.NewTextHandler(writerFunc(func(b []byte) (int, error) {
		if !closed.Load() {
			return t.Output().Write(b)
		}
		return len(b), nil
	}), &slog.HandlerOptions{Level: slog.LevelInfo}))
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func open(t *testing.T, s pipeline.Spec) *pipeline.Bus {
	t.Helper()
	bus, err := pipeline.Open(within(t), s, pipeline.BusOptions{Log: testLog(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bus.Close(within(t)); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return bus
}

// start runs a pipeline until the test ends or stop is called.
func start(t *testing.T, bus *pipeline.Bus, reg pipeline.Registry) (p *pipeline.Pipeline, stop func()) {
	t.Helper()
	p, err := pipeline.Start(context.Background(), bus, reg, pipeline.Options{Log: testLog(t)})
	if err != nil {
		t.Fatal(err)
	}
	stop = func() {
		if err := p.Stop(within(t)); err != nil {
			t.Errorf("stop: %v", err)
		}
	}
	t.Cleanup(stop)
	return p, stop
}

// feed publishes bodies "<prefix>-0" to "<prefix>-<n-1>".
func feed(t *testing.T, bus *pipeline.Bus, prefix string, n int) {
	t.Helper()
	for i := range n {
		publish(t, bus, "label", prefix+"-"+strconv.Itoa(i))
	}
}

func publish(t *testing.T, bus *pipeline.Bus, label, body string) pipeline.Ack {
	t.Helper()
	ack, err := bus.Publish(within(t), &pipeline.Message{Type: pipeline.TypeAudio, Label: label, Body: []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	return ack
}

// kept returns all messages of a type that a stream keeps.
func kept(t *testing.T, bus *pipeline.Bus, messageType string) []*pipeline.Message {
	t.Helper()
	var all []*pipeline.Message
	for m, err := range bus.Messages(within(t), pipeline.Subscription{Stream: messageType, From: 1, Last: true}) {
		if err != nil {
			t.Fatalf("read %s: %v", messageType, err)
		}
		all = append(all, m)
	}
	return all
}

// settled waits until the stage's consumer has acknowledged everything in its input stream.
func settled(t *testing.T, bus *pipeline.Bus) {
	t.Helper()
	spec := bus.Spec()
	eventually(t, "the consumer has acknowledged everything", func() bool {
		stream, err := bus.JetStream().Stream(within(t), spec.StreamName(pipeline.TypeAudio))
		if err != nil {
			return false
		}
		cons, err := stream.Consumer(within(t), spec.ConsumerName("work"))
		if err != nil {
			return false
		}
		info := cons.CachedInfo()
		return info.NumPending == 0 && info.NumAckPending == 0 && info.Delivered.Stream >= stream.CachedInfo().State.LastSeq
	})
}

// exactlyOnce is the checker: every input has exactly its outputs, k for each, and nothing else is in the stream.
func exactlyOnce(t *testing.T, bus *pipeline.Bus, k int) {
	t.Helper()
	want := map[string]int{}
	for _, m := range kept(t, bus, pipeline.TypeAudio) {
		want[strings.ToUpper(string(m.Body))] += k
	}
	ids := map[string]bool{}
	for _, m := range kept(t, bus, pipeline.TypeClip) {
		if ids[m.ID] {
			t.Errorf("id %s is there twice", m.ID)
		}
		ids[m.ID] = true
		want[string(m.Body)]--
	}
	var faults []string
	for body, n := range want {
		if n != 0 {
			faults = append(faults, fmt.Sprintf("%s: %+d missing", body, n))
		}
	}
	if slices.Sort(faults); len(faults) > 0 {
		t.Errorf("%d of %d inputs do not have exactly %d outputs: %v", len(faults), len(want), k, faults[:min(len(faults), 10)])
	}
}

// external is a server in this process that clients reach over TCP, and that can go away and come back.
type external struct {
	t    *testing.T
	dir  string
	addr string
	s    *server.Server
}

func newExternal(t *testing.T) *external {
	t.Helper()
	e := &external{t: t, dir: t.TempDir(), addr: freeAddress(t)}
	e.start()
	t.Cleanup(e.stop)
	return e
}

func (e *external) url() string { return "nats://" + e.addr }

func (e *external) start() {
	e.t.Helper()
	s, err := server.Start(within(e.t), server.Config{DataDir: e.dir, Listen: e.addr})
	if err != nil {
		e.t.Fatal(err)
	}
	e.s = s
}

func (e *external) stop() {
	if e.s != nil {
		e.s.Shutdown()
		e.s = nil
	}
}

// rawStream is a stream by JetStream's own means.
func rawStream(t *testing.T, bus *pipeline.Bus, messageType string) jetstream.Stream {
	t.Helper()
	s, err := bus.JetStream().Stream(within(t), bus.Spec().StreamName(messageType))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// childRole names the variable that makes this test binary an operator process.
const childRole = "WAVEMILL_TEST_ROLE"

// child is the test binary in one of its roles: "operator <url>" runs the stage "work" against a server, "server <addr>
// <dir>" is a server; both until they are killed or their input ends.
func child(role string) int {
	ctx, cancel := context.WithCancel(context.Background())
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); cancel() }()
	var err error
	switch fields := strings.Fields(role); {
	case len(fields) == 2 && fields[0] == "operator":
		err = pipeline.Run(ctx, crashSpec(fields[1]), on(shout), pipeline.Options{})
	case len(fields) == 3 && fields[0] == "server":
		var s *server.Server
		if s, err = server.Start(ctx, server.Config{Listen: fields[1], DataDir: fields[2]}); err == nil {
			<-ctx.Done()
			s.Shutdown()
		}
	default:
		err = fmt.Errorf("unknown role %q", role)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// spawn starts a child; kill ends it as kill -9 does, and must be called.
func spawn(t *testing.T, role string) (kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childRole+"="+role)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return sync.OnceFunc(func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Errorf("kill: %v", err)
		}
		_ = cmd.Wait()
		_ = stdin.Close()
	})
}

// freeAddress is a port that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}

// crashSpec has a short lease, so that what a killed process held comes again soon.
func crashSpec(url string) pipeline.Spec {
	return pipeline.Spec{Name: "t", NATS: url, Operators: []pipeline.OperatorSpec{{Operator: "work", Workers: 2, AckWait: 300 * time.Millisecond}}}
}
