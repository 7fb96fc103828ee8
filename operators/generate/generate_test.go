package generate_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"wavemill/audio"
	"wavemill/audio/wav"
	"wavemill/models"
	"wavemill/models/frontend"
	"wavemill/operators/generate"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
	"wavemill/pipeline/modelstore"
)

const patience = 60 * time.Second

// ridges generates a horizontal ridge whose height is the label's and whose texture is the seed's.
type ridges struct {
	shape models.FrontEnd
	calls *atomic.Int64
	block chan struct{} // Nil: never.
}

func (g ridges) Generate(ctx context.Context, r models.Request) (models.Batch, error) {
	g.calls.Add(1)
	if g.block != nil {
		select {
		case <-g.block:
		case <-ctx.Done():
			return models.Batch{}, ctx.Err()
		}
	}
	b := models.Batch{B: len(r.Labels), T: g.shape.Frames, F: g.shape.Spectrogram.Bins(), Labels: r.Labels}
	for i, label := range r.Labels {
		rng := rand.New(rand.NewPCG(r.Seeds[i], uint64(r.Temperature*1000)))
		for range b.T {
			for f := range b.F {
				v := float32(-1)
				if d := f - 10*(label+1); d > -3 && d < 3 {
					v = 0.5 + 0.3*rng.Float32()
				}
				b.Data = append(b.Data, v)
			}
		}
	}
	return b, nil
}

// checkpoint is one that ridges are opened from; the step makes another digest.
func checkpoint(step int64) models.Checkpoint {
	return models.Checkpoint{
		Format: models.Format, Arch: "ridges", FrontEnd: frontend.Plan([]int{8000}, []time.Duration{200 * time.Millisecond}),
		Labels: []string{"high", "very low"}, Step: step,
	}
}

type mill struct {
	t     testing.TB
	bus   *pipeline.Bus
	p     *pipeline.Pipeline
	calls atomic.Int64
	inUse chan string
	block chan struct{}
	entry modelstore.Entry
}

// newMill runs the operator on ridges or, where open is given, on models of its own.
func newMill(t testing.TB, config string, hooks generate.Hooks, block chan struct{}, open ...func(models.Checkpoint) (models.Generator, error)) *mill {
	t.Helper()
	m := &mill{t: t, inUse: make(chan string, 10), block: block}
	hooks.OnModel = func(digest string) { m.inUse <- digest }
	hooks.Open = func(c models.Checkpoint) (models.Generator, error) {
		if c.Step == 666 {
			return nil, errors.New("the devil's own")
		}
		return ridges{c.FrontEnd, &m.calls, m.block}, nil
	}
	if len(open) > 0 {
		hooks.Open = open[0]
	}
	spec, err := pipeline.ParseSpec([]byte("name: t\noperators: [{operator: generate, config: " + config + "}]"))
	if err != nil {
		t.Fatal(err)
	}
	spec.DataDir = t.TempDir()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	if m.bus, err = pipeline.Open(t.Context(), spec, pipeline.BusOptions{Log: log}); err != nil {
		t.Fatal(err)
	}
	if m.p, err = pipeline.Start(context.Background(), m.bus, pipeline.Registry{"generate": generate.Factory(hooks)}, pipeline.Options{Log: log}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := errors.Join(m.p.Stop(ctx), m.bus.Close(ctx)); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return m
}

// train stores a model as the trainer does and returns its digest.
func (m *mill) train(step int64) string {
	m.t.Helper()
	c := checkpoint(step)
	content, err := c.Encode()
	if err != nil {
		m.t.Fatal(err)
	}
	digest, err := c.Digest()
	if err != nil {
		m.t.Fatal(err)
	}
	if m.entry, err = m.bus.Models().Put(m.t.Context(), "vae", digest, content, nil, m.entry); err != nil {
		m.t.Fatal(err)
	}
	return digest
}

func (m *mill) ask(request string) *nats.Msg {
	m.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		reply, err := m.bus.Conn().Request("t.generate", []byte(request), patience)
		if err == nil {
			return reply
		}
		if !errors.Is(err, nats.ErrNoResponders) || time.Now().After(deadline) {
			m.t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond) // A poll: the service has not started yet.
	}
}

func TestModelsAreReplaced(t *testing.T) {
	m := newMill(t, "{}", generate.Hooks{}, nil)
	if reply, err := m.bus.Conn().Request("t.generate", []byte(`{"label":"high"}`), patience); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("before the first model: %v, %v", reply, err)
	}
	if s := m.p.Snapshot()[0]; s.Ready || !strings.Contains(s.Reason, "no model yet") {
		t.Errorf("before the first model: %+v", s)
	}
	first := m.train(1)
	if got := <-m.inUse; got != first {
		t.Errorf("in use: %s, want %s", got, first)
	}
	if got := m.ask(`{"label":"high","seed":1}`).Header.Get(header.Model); got != first {
		t.Errorf("made by %s, want %s", got, first)
	}
	second := m.train(2)
	if got := <-m.inUse; got != second {
		t.Errorf("in use: %s, want %s", got, second)
	}
	if got := m.ask(`{"label":"high","seed":1}`).Header.Get(header.Model); got != second {
		t.Errorf("made by %s, want %s", got, second)
	}
	m.train(666) // Cannot be opened.
	fourth := m.train(4)
	if got := <-m.inUse; got != fourth {
		t.Errorf("in use: %s, want %s", got, fourth)
	}
}

func TestListingAndJudge(t *testing.T) {
	m := newMill(t, "{max_n: 50}", generate.Hooks{Judge: func(_ context.Context, c audio.Clip, label string) (float64, bool) {
		return 0.25, label == "high" && len(c.Samples) > 0
	}}, nil)
	m.train(1)
	<-m.inUse
	last, err := m.bus.LastSequence(t.Context(), pipeline.TypeClip)
	if err != nil {
		t.Fatal(err)
	}
	var first, again generate.Listing
	if err := json.Unmarshal(m.ask(`{"label":"high","n":40,"seed":10,"format":"wav24"}`).Data, &first); err != nil || len(first.Clips) != 40 {
		t.Fatalf("%+v %v", first, err)
	}
	stored := map[uint64]*pipeline.Message{}
	for msg, err := range m.bus.Messages(t.Context(), pipeline.Subscription{Stream: pipeline.TypeClip, From: last + 1, Last: true}) {
		if err != nil {
			t.Fatal(err)
		}
		stored[msg.Sequence] = msg
	}
	for i, c := range first.Clips {
		msg := stored[c.Sequence]
		if msg == nil || msg.ID != c.ID || c.Seed != uint64(10+i) || c.Duplicate || c.Confidence == nil || *c.Confidence != 0.25 ||
			msg.Header[header.Confidence] != "0.2500" || msg.Header[header.Seed] != strconv.Itoa(10+i) || c.Stream != "T_CLIP" {
			t.Errorf("%d: %+v %v", i, c, msg)
			continue
		}
		if _, h, err := wav.Decode(msg.Body); err != nil || h.Encoding != "pcm_s24le" {
			t.Errorf("%d: %s %v", i, h.Encoding, err)
		}
	}
	if err := json.Unmarshal(m.ask(`{"label":"high","n":2,"seed":48,"format":"wav24"}`).Data, &again); err != nil || len(again.Clips) != 2 {
		t.Fatalf("%+v %v", again, err)
	}
	if c := again.Clips; !c[0].Duplicate || c[0].Sequence != first.Clips[38].Sequence {
		t.Errorf("asked for again: %+v, first %+v", c, first.Clips[38])
	}
	if reply := m.ask(`{"label":"high","n":51}`); reply.Header.Get("Nats-Service-Error-Code") != "400" {
		t.Errorf("51 of at most 50: %v", reply.Header)
	}
	if reply := m.ask(`{"label":"very low"}`); reply.Header.Get(header.Seed) == "" || reply.Header.Get(header.Confidence) != "" {
		t.Errorf("without seed and judgement: %v", reply.Header)
	}
}

// TestSeriesWithOneSlot checks that batches and clips of a request share the slots without waiting for each other, beside
// other requests.
func TestSeriesWithOneSlot(t *testing.T) {
	m := newMill(t, "{concurrency: 1}", generate.Hooks{}, nil)
	m.train(1)
	<-m.inUse
	m.ask(`{"label":"high"}`) // The service has started.
	replies := make(chan *nats.Msg, 2)
	for _, request := range []string{`{"label":"high","n":70,"seed":1}`, `{"label":"very low","n":40,"seed":1}`} {
		go func() {
			reply, err := m.bus.Conn().Request("t.generate", []byte(request), patience)
			if err != nil {
				t.Errorf("%s: %v", request, err)
				reply = &nats.Msg{}
			}
			replies <- reply
		}()
	}
	clips := 0
	for range 2 {
		var listing generate.Listing
		if err := json.Unmarshal((<-replies).Data, &listing); err != nil {
			t.Error(err)
		}
		for i, c := range listing.Clips {
			if c.Seed != uint64(1+i) || c.Label != listing.Label || c.Sequence == 0 {
				t.Errorf("clip %d: %+v", i, c)
			}
		}
		clips += len(listing.Clips)
	}
	if clips != 110 {
		t.Errorf("%d clips, want 110", clips)
	}
}

func TestStoppingFinishesRequests(t *testing.T) {
	block := make(chan struct{})
	m := newMill(t, "{concurrency: 1}", generate.Hooks{}, block)
	m.train(1)
	<-m.inUse
	replies := make(chan *nats.Msg, 2)
	for _, request := range []string{`{"label":"high","seed":1}`, `{"label":"high","seed":2}`} {
		go func() {
			reply, err := m.bus.Conn().Request("t.generate", []byte(request), patience)
			if err != nil {
				t.Errorf("%s: %v", request, err)
			}
			replies <- reply
		}()
	}
	deadline := time.Now().Add(patience)
	for m.calls.Load() == 0 && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond) // A poll.
	}
	stopped := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		stopped <- m.p.Stop(ctx)
	}()
	select {
	case err := <-stopped:
		t.Fatalf("stopped with a request in the making: %v", err)
	case <-time.After(700 * time.Millisecond): // Longer than a pull.
	}
	close(block)
	if reply := <-replies; reply.Header.Get(header.Model) == "" {
		t.Errorf("the request in the making was answered %v", reply.Header)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	<-replies
}

func TestModelFromAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "m.safetensors")
	if err := checkpoint(3).Write(file); err != nil {
		t.Fatal(err)
	}
	m := newMill(t, "{file: "+file+"}", generate.Hooks{}, nil)
	want, err := checkpoint(3).Digest()
	if err != nil {
		t.Fatal(err)
	}
	if got := m.ask(`{"label":"high"}`).Header.Get(header.Model); got != want {
		t.Errorf("made by %s, want %s", got, want)
	}
}
