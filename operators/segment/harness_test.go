package segment_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"wavemill/audio/synth"
	"wavemill/operators/segment"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
	"wavemill/pipeline/server"
)

// childURL names the variable that makes this test binary an operator process on the server at that URL.
const childURL = "WAVEMILL_TEST_SEGMENT"

func TestMain(m *testing.M) {
	if url := os.Getenv(childURL); url != "" {
		ctx, cancel := context.WithCancel(context.Background())
		go func() { _, _ = io.Copy(io.Discard, os.Stdin); cancel() }()
		err := pipeline.Run(ctx, spec(url, os.Getenv(childURL+"_CONFIG")), registry(), pipeline.Options{
			RestartDelay: 50 * time.Millisecond, Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		})
		if err != nil && !errors.Is(err, context.Canceled) {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func registry() pipeline.Registry { return pipeline.Registry{"segment": segment.Factory()} }

// patience is how long anything may take on a busy machine.
const patience = 60 * time.Second

// spec is a pipeline of the operator alone.
func spec(url, config string) pipeline.Spec {
	return pipeline.Spec{
		Name: "mill", NATS: url, Inputs: []string{segment.TypeTake},
		Operators: []pipeline.OperatorSpec{{Operator: "segment", AckWait: 500 * time.Millisecond, Config: []byte(config)}},
	}
}

// serve starts a server and connects to it.
func serve(t *testing.T, config string) (url string, bus *pipeline.Bus) {
	t.Helper()
	s, err := server.Start(t.Context(), server.Config{DataDir: t.TempDir(), Listen: "127.0.0.1:0", NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	bus, err = pipeline.Open(t.Context(), spec(s.URL(), config), pipeline.BusOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bus.Close(context.WithoutCancel(t.Context())) })
	return s.URL(), bus
}

// start runs the operator in this process.
func start(t *testing.T, bus *pipeline.Bus) (p *pipeline.Pipeline, stop func()) {
	t.Helper()
	p, err := pipeline.Start(context.WithoutCancel(t.Context()), bus, registry(), pipeline.Options{
		RestartDelay: 10 * time.Millisecond, Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo})),
	})
	if err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		if err := p.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return p, stop
}

// spawn runs the operator as a process; kill ends it as kill -9 does.
func spawn(t *testing.T, url, config string) (kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childURL+"="+url, childURL+"_CONFIG="+config)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = stdin.Close()
	})
	t.Cleanup(kill)
	return kill
}

// eventually polls f until it is true.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !f(); time.Sleep(5 * time.Millisecond) { // A poll.
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// progress is how far the operator has acknowledged the stream, and how many messages are left.
func progress(t *testing.T, bus *pipeline.Bus) (acked, left uint64) {
	t.Helper()
	s := bus.Spec()
	stream, err := bus.JetStream().Stream(t.Context(), s.StreamName(segment.TypeTake))
	if err != nil {
		t.Fatal(err)
	}
	last := stream.CachedInfo().State.LastSeq
	c, err := stream.Consumer(t.Context(), s.ConsumerName("segment"))
	if err != nil {
		return 0, last + 1 // It has not begun.
	}
	i := c.CachedInfo()
	return i.AckFloor.Stream, last - min(last, i.AckFloor.Stream)
}

// settled waits until everything has been acknowledged.
func settled(t *testing.T, bus *pipeline.Bus) {
	t.Helper()
	acked, left := progress(t, bus)
	for left > 0 { // Long work counts as stuck when nothing is acknowledged for as long as patience.
		eventually(t, "more is acknowledged", func() bool {
			now, n := progress(t, bus)
			moved := now > acked || n == 0
			acked, left = now, n
			return moved
		})
	}
}

// clips returns what is in the output stream: label, source, times and body by the part of the id that depends on the input
// alone, <sequence>/<k>.
func clips(t *testing.T, bus *pipeline.Bus) map[string]string {
	t.Helper()
	all := map[string]string{}
	for m, err := range bus.Messages(t.Context(), pipeline.Subscription{Stream: pipeline.TypeAudio, From: 1, Last: true}) {
		if err != nil {
			t.Fatal(err)
		}
		_, id, _ := strings.Cut(m.ID, "MILL_TAKE/")
		if _, twice := all[id]; twice {
			t.Errorf("id %s is there twice", m.ID)
		}
		all[id] = fmt.Sprintf("%s %s %s [%s, %s) %x", m.Label, m.Header[header.Source], m.Header[header.Group], m.Header[header.Start], m.Header[header.End], m.Body)
	}
	return all
}

// letters counts the dead letters.
func letters(t *testing.T, bus *pipeline.Bus) (reasons []string) {
	t.Helper()
	for m, err := range bus.Messages(t.Context(), pipeline.Subscription{Stream: pipeline.TypeDLQ, From: 1, Last: true}) {
		if err != nil {
			t.Fatal(err)
		}
		reasons = append(reasons, m.Header[header.DeadReason])
	}
	return reasons
}

// audio is sounds over noise, 8 kHz mono.
func audio(t testing.TB, seed uint64, seconds float64) []float32 {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 9))
	x := make([]float32, int(8000*seconds))
	for at := 4000; at < len(x); at += 3000 + rng.IntN(6000) {
		c, err := synth.Clip([]string{"kick", "hihat", "pluck"}[rng.IntN(3)], rng.Uint64(), 8000)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range c.Samples[:min(len(c.Samples), len(x)-at)] {
			x[at+i] += v
		}
	}
	for i := range x {
		x[i] = float32(math.Round(32768*float64(x[i]*0.9+0.001*float32(rng.NormFloat64())))) / 32768 // 16 bits hold it.
	}
	return x
}

// pcm encodes samples as audio/L16.
func pcm(x []float32) []byte {
	b := make([]byte, 0, 2*len(x))
	for _, v := range x {
		b = binary.BigEndian.AppendUint16(b, uint16(int16(32768*v)))
	}
	return b
}

// publish sends one chunk.
func publish(t *testing.T, bus *pipeline.Bus, source string, number int, body []byte, extra map[string]string) {
	t.Helper()
	m := &pipeline.Message{ID: fmt.Sprintf("%s-%d-%s", source, number, extra["id"]), Type: segment.TypeTake, Label: "hits", Body: body}
	m.Header = map[string]string{header.Source: source, header.Chunk: strconv.Itoa(number), header.ContentType: "audio/L16; rate=8000; channels=1"}
	maps.Copy(m.Header, extra)
	delete(m.Header, "id")
	if _, err := bus.Publish(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

// last marks the last chunk.
var last = map[string]string{header.Last: "true"}

// feed sends audio in chunks of so many samples, and marks the last.
func feed(t *testing.T, bus *pipeline.Bus, source string, x []float32, size int) (chunks int) {
	t.Helper()
	for n := 0; len(x) > 0; n++ {
		k := min(size, len(x))
		var extra map[string]string
		if k == len(x) {
			extra = last
		}
		publish(t, bus, source, n, pcm(x[:k]), extra)
		x = x[k:]
		chunks++
	}
	return chunks
}
