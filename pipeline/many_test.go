package pipeline_test

import (
	"context"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"wavemill/pipeline"
)

// ahead is an operator that works ahead: it emits what it gets.
type ahead struct{}

func (ahead) Input() string   { return pipeline.TypeAudio }
func (ahead) Output() string  { return pipeline.TypeClip }
func (ahead) Stateless() bool { return true }

func (ahead) Process(ctx context.Context, m *pipeline.Message, emit pipeline.Emit) error {
	return emit(ctx, &pipeline.Message{Type: pipeline.TypeClip, Body: m.Body})
}

func aheads() pipeline.Registry {
	return pipeline.Registry{"work": func([]byte, pipeline.Env) (pipeline.Operator, error) { return ahead{}, nil }}
}

// heap is what this process holds after a collection, in bytes.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Many messages pass through at constant memory. `make test-many` runs it with 100,000.
func TestManyMessages(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("MESSAGES"))
	if err != nil {
		n = 600
	}
	ctx := context.Background()
	e := newExternal(t) // Its index of the streams grows with the messages, in this process too; it is not the pipeline's.
	bus := open(t, specOf(t, e.url(), nil))
	start(t, bus, aheads())
	body := make([]byte, 1024)
	feedAll := func(from, to int) {
		group, working := errgroup.WithContext(ctx)
		group.SetLimit(64)
		for i := from; i < to; i++ {
			group.Go(func() error {
				_, err := bus.Publish(working, &pipeline.Message{ID: strconv.Itoa(i), Type: pipeline.TypeAudio, Label: "x", Body: body})
				return err
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		spec := bus.Spec()
		for { // As long as it takes: the test's own limit ends it.
			consumer, err := bus.JetStream().Consumer(ctx, spec.StreamName(pipeline.TypeAudio), spec.ConsumerName("work"))
			if err == nil && consumer.CachedInfo().AckFloor.Stream >= uint64(to) {
				return
			}
			time.Sleep(20 * time.Millisecond) // A poll.
		}
	}
	feedAll(0, n/4)
	before := heap()
	feedAll(n/4, n)
	after := heap()
	clips, err := rawStream(t, bus, pipeline.TypeClip).Info(within(t))
	if err != nil {
		t.Fatal(err)
	}
	perMessage := float64(int64(after)-int64(before)) / float64(n-n/4)
	t.Logf("%d messages, %d outputs; the heap had %d KiB after a quarter, and has %d KiB: %.0f bytes for a message", n, clips.State.Msgs, before>>10, after>>10, perMessage)
	if clips.State.Msgs != uint64(n) {
		t.Errorf("%d outputs of %d messages", clips.State.Msgs, n)
	}
	// The servers' windows of ids take 200 to 300 bytes for each of the two ids of a message; bodies of 1 KiB would show.
	if n >= 20000 && perMessage > 900 {
		t.Errorf("%.0f bytes of memory for a message", perMessage)
	}
}
