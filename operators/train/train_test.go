package train_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"wavemill/audio/npy"
	"wavemill/audio/spectrogram"
	"wavemill/models"
	"wavemill/operators/train"
	"wavemill/pipeline"
	"wavemill/pipeline/deadletter"
	"wavemill/pipeline/header"
	"wavemill/pipeline/modelstore"
)

const patience = 2 * time.Minute

// average is a learner for tests: its one weight depends on every batch and every random number, in order.
type average struct {
	fe     models.FrontEnd
	labels []string
	seed   uint64
	step   int64
	weight float32
	onStep func(step int64)
}

func (l *average) SetTotalSteps(int64) {}

func (l *average) Step(_ context.Context, x models.Batch, rng *rand.Rand) (models.Losses, error) {
	sum := float32(0)
	for i, v := range x.Data {
		sum += v * float32(i%7+1)
	}
	for i, label := range x.Labels {
		sum += float32((i + 1) * (label + 1))
	}
	l.weight = 0.9*l.weight + sum/float32(len(x.Data)) + rng.Float32()
	l.step++
	if l.onStep != nil {
		l.onStep(l.step)
	}
	return models.Losses{"loss": float64(l.weight)}, nil
}

func (l *average) Eval(context.Context, models.Batch) (models.Losses, error) {
	return models.Losses{"loss": 1}, nil
}

func (l *average) Calibrate(context.Context, models.Batch) error { return nil }

func (l *average) Checkpoint() (models.Checkpoint, error) {
	return models.Checkpoint{
		Format: models.Format, Arch: "average", FrontEnd: l.fe, Labels: l.labels, Step: l.step, Seed: l.seed,
		Tensors: []models.Tensor{{Name: "w", Data: []float32{l.weight}}},
	}, nil
}

func (l *average) Restore(c models.Checkpoint) error {
	w, err := c.Tensor("w")
	if err == nil {
		l.step, l.weight = c.Step, w.Data[0]
	}
	return err
}

// mill is a pipeline with one trainer, and what it was told.
type mill struct {
	t     *testing.T
	bus   *pipeline.Bus
	hooks train.Hooks
	told  *nats.Subscription // See notices.
	p     *pipeline.Pipeline // As started last.
	stop  func()

	mu     sync.Mutex
	events []train.Event
	onStep func(step int64)
}

func newMill(t *testing.T, dir, config string) *mill {
	t.Helper()
	return millOf(t, dir, "train", "name: t\noperators: [{operator: train, config: "+config+"}]")
}

// millOf is a mill with a pipeline file of its own, of which it runs one stage.
func millOf(t *testing.T, dir, stage, file string) *mill {
	t.Helper()
	m := &mill{t: t}
	m.hooks = train.Hooks{
		OnEvent: func(e train.Event) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.events = append(m.events, e)
		},
		NewLearner: func(_ string, _ json.RawMessage, fe models.FrontEnd, labels []string, seed uint64) (models.Learner, error) {
			return &average{fe: fe, labels: labels, seed: seed, weight: float32(seed), onStep: m.stepped}, nil
		},
	}
	spec, err := pipeline.ParseSpec([]byte(file))
	if err == nil {
		spec, err = spec.Only(stage)
	}
	if err != nil {
		t.Fatal(err)
	}
	spec.DataDir = dir
	if m.bus, err = pipeline.Open(t.Context(), spec, pipeline.BusOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.close)
	return m
}

func (m *mill) stepped(step int64) {
	if m.onStep != nil {
		m.onStep(step)
	}
}

// close is idempotent: a mill that is opened again on the same directory must have been closed before.
func (m *mill) close() {
	if m.bus == nil {
		return
	}
	if m.stop != nil {
		m.stop()
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if m.told != nil {
		_ = m.told.Unsubscribe() // Else the connection waits for its messages to be read.
	}
	if err := m.bus.Close(ctx); err != nil {
		m.t.Errorf("close: %v", err)
	}
	m.bus = nil
}

// start runs the trainer and returns how to stop it.
func (m *mill) start() (p *pipeline.Pipeline, stop func()) {
	m.t.Helper()
	log := slog.New(slog.NewTextHandler(m.t.Output(), nil))
	p, err := pipeline.Start(context.Background(), m.bus, pipeline.Registry{"train": train.Factory(m.hooks)}, pipeline.Options{Log: log})
	if err != nil {
		m.t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := p.Stop(ctx); err != nil && !errors.Is(err, modelstore.ErrConflict) { // Of which one test is about.
			m.t.Errorf("stop: %v", err)
		}
	})
	m.t.Cleanup(stop)
	m.p, m.stop = p, stop
	return p, stop
}

func (m *mill) all() []train.Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.events)
}

// until polls f until it is true.
func (m *mill) until(what string, f func() bool) {
	m.t.Helper()
	for deadline := time.Now().Add(patience); !f(); time.Sleep(5 * time.Millisecond) { // A poll.
		if time.Now().After(deadline) {
			m.t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// complete waits for the n-th end of a training.
func (m *mill) complete(n int) train.Event {
	m.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		ends := slices.DeleteFunc(m.all(), func(e train.Event) bool { return !e.Complete })
		if len(ends) >= n {
			return ends[n-1]
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("no end of training number %d; events %+v", n, m.all())
		}
		time.Sleep(5 * time.Millisecond) // A poll.
	}
}

var config8k = spectrogram.Config{SampleRate: 8000, NFFT: 16, Hop: 4, Window: "hann", Scale: "linear", Value: "magnitude", FMax: 4000}

// clip is a spectrogram message of [4, 9] values drawn from the seed.
func clip(label, source string, seed uint64) *pipeline.Message {
	rng := rand.New(rand.NewPCG(seed, 0))
	data := make([]float32, 4*9)
	for i := range data {
		data[i] = rng.Float32()
	}
	text, err := json.Marshal(config8k)
	if err != nil {
		panic(err)
	}
	return &pipeline.Message{
		Type: pipeline.TypeSpectrogram, Label: label, Body: npy.Encode([]int{4, 9}, data),
		Header: map[string]string{header.Spectrogram: string(text), header.Source: source},
	}
}

func (m *mill) feed(clips ...*pipeline.Message) {
	m.t.Helper()
	for _, c := range clips {
		if _, err := m.bus.Publish(m.t.Context(), c.Clone()); err != nil {
			m.t.Fatal(err)
		}
	}
}

func dozen() []*pipeline.Message {
	var all []*pipeline.Message
	for i := range 12 {
		all = append(all, clip([]string{"a", "b", "two words"}[i%3], "file"+string(rune('A'+i)), uint64(i)))
	}
	return all
}

const quick = "{model: average, steps: 20, batch_size: 4, seed: 5, min_clips: 12, idle: 50ms, again: 3}"

func TestTrainsOnceWhateverTheOrder(t *testing.T) {
	digests := map[string]bool{}
	for order := range 3 {
		m := newMill(t, t.TempDir(), quick)
		clips := dozen()
		rng := rand.New(rand.NewPCG(uint64(order), 1))
		rng.Shuffle(len(clips), func(i, j int) { clips[i], clips[j] = clips[j], clips[i] })
		if order == 0 { // Copies under other ids count once.
			for _, c := range dozen()[:5] {
				c.ID = "copy " + c.Header[header.Source]
				clips = append(clips, c)
			}
		}
		_, stop := m.start()
		m.feed(clips...)
		e := m.complete(1)
		digests[e.Digest] = true
		if e.Step != 20 || e.Clips != 12 || !slices.Equal(e.Labels, []string{"a", "b", "two words"}) || e.Seed != 5 || e.Name != "average" {
			t.Errorf("%+v", e)
		}
		entry, err := m.bus.Models().Get(t.Context(), "average")
		if err != nil || entry.Digest != e.Digest || entry.Version != e.Version {
			t.Errorf("stored %+v, announced %+v: %v", entry, e, err)
		}
		content, err := m.bus.Models().Load(t.Context(), entry)
		if err != nil {
			t.Fatal(err)
		}
		c, err := models.Decode(content)
		if err != nil || c.FrontEnd.Frames != 4 || c.FrontEnd.Spectrogram != config8k || c.FrontEnd.TrimDB != -40 {
			t.Errorf("front end %+v: %v", c.FrontEnd, err)
		}
		stop()
	}
	if len(digests) != 1 {
		t.Errorf("one set of clips gave %d models", len(digests))
	}
}

func TestStoppedAndStartedAgain(t *testing.T) {
	whole := newMill(t, t.TempDir(), quick)
	whole.feed(dozen()...)
	whole.start()
	want := whole.complete(1).Digest

	dir := t.TempDir()
	m := newMill(t, dir, quick)
	m.feed(dozen()...)
	reached := make(chan struct{})
	m.onStep = func(step int64) {
		if step == 7 {
			close(reached)
		}
		if step >= 7 { // Slow from here: the end is seconds away when the stop comes.
			time.Sleep(500 * time.Millisecond)
		}
	}
	_, stop := m.start()
	<-reached
	stop()
	events := m.all()
	if last := events[len(events)-1]; last.Complete || last.Step < 7 || last.Step >= 20 {
		t.Errorf("stopped at %+v", last)
	}
	m.close()

	m = newMill(t, dir, quick)
	m.start()
	e := m.complete(1)
	if e.Digest != want || e.Step != 20 || e.Version != 1 {
		t.Errorf("gone on to %+v, want digest %s", e, want)
	}
	if entry, err := m.bus.Models().Get(t.Context(), train.Unfinished("average")); !errors.Is(err, modelstore.ErrNotFound) {
		t.Errorf("an intermediate checkpoint remains: %+v, %v", entry, err)
	}
	m.close()

	// A trained model is left as it is.
	m = newMill(t, dir, quick)
	m.onStep = func(step int64) { t.Errorf("step %d of a model that is trained", step) }
	p, stop := m.start()
	m.feed(clip("a", "one more", 100)) // Two fewer than `again` asks for.
	deadline := time.Now().Add(patience)
	for p.Snapshot()[0].Processed < 1 && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond) // A poll.
	}
	stop()
	if n := len(m.all()); n != 0 {
		t.Errorf("%d events of a model that is trained", n)
	}
}

func TestLearnsAgainFromNewClips(t *testing.T) {
	m := newMill(t, t.TempDir(), quick)
	m.feed(dozen()...)
	m.start()
	first := m.complete(1)
	m.feed(clip("a", "x", 50), clip("b", "y", 51), clip("b", "z", 52))
	second := m.complete(2)
	if second.Step != 40 || second.Clips != 15 || second.Version <= first.Version || second.Data == first.Data {
		t.Errorf("first %+v, second %+v", first, second)
	}
	// Another label needs another network, which takes over what the served one has learnt.
	m.feed(clip("new", "x", 60), clip("new", "y", 61), clip("new", "z", 62))
	third := m.complete(3)
	if third.Step != 60 || third.FromStep != 40 || len(third.Labels) != 4 {
		t.Errorf("third %+v", third)
	}
}

func TestTwoTrainersOfOneModel(t *testing.T) {
	m := newMill(t, t.TempDir(), quick)
	m.feed(dozen()...)
	m.onStep = func(step int64) {
		if step == 3 {
			if _, err := m.bus.Models().Put(t.Context(), "average", "intruder", []byte("x"), nil, modelstore.Entry{}); err != nil {
				t.Error(err)
			}
		}
	}
	p, _ := m.start()
	m.until("the conflict shows", func() bool {
		s := p.Snapshot()[0]
		return !s.Ready && strings.Contains(s.Reason, "another process has stored a newer version of model average; run one trainer for each model name")
	})
}

func TestBadSpectrograms(t *testing.T) {
	bad := map[string]func(*pipeline.Message){
		"no npy":        func(m *pipeline.Message) { m.Body = []byte("no array") },
		"cut":           func(m *pipeline.Message) { m.Body = m.Body[:len(m.Body)-1] },
		"3 dimensions":  func(m *pipeline.Message) { m.Body = npy.Encode([]int{2, 2, 9}, make([]float32, 36)) },
		"other bins":    func(m *pipeline.Message) { m.Body = npy.Encode([]int{4, 8}, make([]float32, 32)) },
		"no frames":     func(m *pipeline.Message) { m.Body = npy.Encode([]int{0, 9}, nil) },
		"no header":     func(m *pipeline.Message) { delete(m.Header, header.Spectrogram) },
		"broken header": func(m *pipeline.Message) { m.Header[header.Spectrogram] = "{" },
		"bad header":    func(m *pipeline.Message) { m.Header[header.Spectrogram] = `{"n_fft": -1}` },
		"not a number": func(m *pipeline.Message) {
			nan := make([]float32, 36)
			nan[10] /= nan[10]
			m.Body = npy.Encode([]int{4, 9}, nan)
		},
	}
	m := newMill(t, t.TempDir(), quick)
	for name, spoil := range bad {
		c := clip("a", name, 1)
		spoil(c)
		m.feed(c)
	}
	m.feed(dozen()...)
	m.start()
	if e := m.complete(1); e.Clips != 12 {
		t.Errorf("learned from %d clips, want 12", e.Clips)
	}
	letters := deadletter.Store{JetStream: m.bus.JetStream(), Stream: m.bus.Spec().StreamName(pipeline.TypeDLQ)}
	n := 0
	for l, err := range letters.List(t.Context(), deadletter.Filter{Operator: "train", Kind: "invalid"}) {
		if err != nil {
			t.Fatal(err)
		}
		if bad[l.Source] == nil || l.Attempts != 1 || l.Reason == "" {
			t.Errorf("%+v", l)
		}
		n++
	}
	if n != len(bad) {
		t.Errorf("%d dead letters of %d bad spectrograms", n, len(bad))
	}
}

func TestConfigurationFaults(t *testing.T) {
	reg := pipeline.Registry{"train": train.Factory(train.Hooks{})}
	for config, want := range map[string]string{
		"{model: nonsense}":                      `"nonsense" is unknown; there are:`,
		"{steps: -1}":                            "steps or budget",
		"{budget: 0s}":                           "steps or budget",
		"{validation: 1.5}":                      "validation",
		"{name: two words}":                      "name",
		"{min_clips: 10, max_clips: 5}":          "max_clips",
		"{idle: 0s}":                             "idle",
		"{batch_size: 1000000}":                  "batch_size 1000000: at most 4096",
		"{best_by: accuracy}":                    "best_by",
		"{bugdet: 1m}":                           "bugdet",
		"{steps: 1, again: -1}":                  "again",
		"{steps: 1, config: {no_such_field: 1}}": "no_such_field",
	} {
		spec := pipeline.Spec{DataDir: "x", Operators: []pipeline.OperatorSpec{{Operator: "train", Config: []byte(config)}}}
		if err := pipeline.Check(spec, reg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v does not say %q", config, err, want)
		}
	}
	spec := pipeline.Spec{DataDir: "x", Operators: []pipeline.OperatorSpec{{Operator: "train", Workers: 2}}}
	if err := pipeline.Check(spec, reg); err == nil || !strings.Contains(err.Error(), "runs with one") {
		t.Errorf("two workers: %v", err)
	}
}
