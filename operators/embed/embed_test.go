package embed_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"slices"
	"testing"
	"time"

	"wavemill/audio/npy"
	"wavemill/audio/spectrogram"
	"wavemill/audio/synth"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/frontend"
	"wavemill/operators/embed"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
	"wavemill/pipeline/modelstore"
)

func plan() models.FrontEnd {
	return frontend.Plan([]int{8000}, []time.Duration{300 * time.Millisecond})
}

// message is the spectrogram of a synthetic sound.
func message(t *testing.T, class string, fe models.FrontEnd) *pipeline.Message {
	t.Helper()
	c, err := synth.Clip(class, 1, 8000)
	if err != nil {
		t.Fatal(err)
	}
	f, err := frontend.New(fe)
	if err != nil {
		t.Fatal(err)
	}
	s, _, err := f.Analyze(c)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := json.Marshal(fe)
	if err != nil {
		t.Fatal(err)
	}
	return &pipeline.Message{
		ID: "1", Type: pipeline.TypeSpectrogram, Label: class, Body: npy.Encode([]int{s.Frames, s.Bins}, s.Data),
		Header: map[string]string{header.FrontEnd: string(whole)},
	}
}

// bus is an embedded server.
func bus(t *testing.T) *pipeline.Bus {
	t.Helper()
	b, err := pipeline.Open(t.Context(), pipeline.Spec{Name: "mill", DataDir: t.TempDir()}, pipeline.BusOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close(context.WithoutCancel(t.Context())) })
	return b
}

func build(t *testing.T, config string, b *pipeline.Bus) pipeline.Operator {
	t.Helper()
	op, err := embed.Factory()([]byte(config), pipeline.Env{Operator: "embed", Pipeline: "mill", Log: slog.New(slog.DiscardHandler), Bus: b})
	if err != nil {
		t.Fatal(err)
	}
	return op
}

// process returns the features and the headers of one message.
func process(t *testing.T, op pipeline.Operator, m *pipeline.Message) (values []float32, headers map[string]string, err error) {
	t.Helper()
	err = op.Process(t.Context(), m.Clone(), func(_ context.Context, out *pipeline.Message) error {
		shape, data, err := npy.Decode(out.Body)
		if err != nil || len(shape) != 1 || out.Type != embed.Type {
			t.Errorf("%s of shape %v: %v", out.Type, shape, err)
		}
		values, headers = data, out.Header
		return nil
	})
	return values, headers, err
}

// serve stores an untrained model of two labels as the served one.
func serve(t *testing.T, b *pipeline.Bus, arch string, old modelstore.Entry, seed uint64) (modelstore.Entry, models.Checkpoint) {
	t.Helper()
	l, err := architectures.Known().NewLearner(arch, json.RawMessage(`{"channels":4,"latent":3,"embedding":4}`), plan(), []string{"bell", "kick"}, seed)
	if err != nil {
		t.Fatal(err)
	}
	c, err := l.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	c.FrontEnd, c.Labels = plan(), []string{"bell", "kick"}
	content, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := c.Digest()
	if err != nil {
		t.Fatal(err)
	}
	e, err := b.Models().Put(t.Context(), "vae", digest, content, json.RawMessage(`{}`), old)
	if err != nil {
		t.Fatal(err)
	}
	return e, c
}

// Without a model the features are statistics; with one they are its latents, where it can encode.
func TestFeatures(t *testing.T) {
	b := bus(t)
	op := build(t, "{refresh: 0s}", b)
	kick := message(t, "kick", plan())
	stats, h, err := process(t, op, kick)
	if err != nil || h[header.Features] != embed.MelStatistics || h[header.Model] != "" || len(stats) != 2*plan().Spectrogram.Bins() {
		t.Fatalf("%d values, %v: %v", len(stats), h, err)
	}
	if _, _, err := process(t, build(t, "{features: latents}", b), kick); pipeline.KindOf(err) != pipeline.Transient {
		t.Errorf("latents without a model: %v", err)
	}
	entry, c := serve(t, b, "vae", modelstore.Entry{}, 1)
	got, h, err := process(t, op, kick)
	if err != nil || h[header.Features] != embed.Latents || h[header.Model] != entry.Digest || len(got) != 3 {
		t.Fatalf("%v, %v: %v", got, h, err)
	}
	g, err := architectures.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	_, data, err := npy.Decode(kick.Body)
	if err != nil {
		t.Fatal(err)
	}
	encoder, ok := g.(models.Autoencoder)
	if !ok {
		t.Fatal("the model has no encoder")
	}
	want, _, err := encoder.Encode(t.Context(), models.Batch{B: 1, T: plan().Frames, F: plan().Spectrogram.Bins(), Data: data, Labels: []int{1}})
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, want the encoder's %v: %v", got, want, err)
	}
	// Another label, or another front end, is described by statistics, or refused.
	other := plan()
	other.Frames *= 2
	for name, m := range map[string]*pipeline.Message{"label": message(t, "hihat", plan()), "front end": message(t, "kick", other)} {
		if _, h, err := process(t, op, m); err != nil || h[header.Features] != embed.MelStatistics {
			t.Errorf("another %s: %v, %v", name, h, err)
		}
		if _, _, err := process(t, build(t, "{features: latents}", b), m); pipeline.KindOf(err) != pipeline.Invalid {
			t.Errorf("another %s, latents only: %v", name, err)
		}
	}
	// A newer version is used, and one without an encoder gives statistics.
	entry, _ = serve(t, b, "vae", entry, 2)
	if _, h, err := process(t, op, kick); err != nil || h[header.Model] != entry.Digest {
		t.Errorf("a newer version: %v, %v", h, err)
	}
	serve(t, b, "gan", entry, 3)
	if _, h, err := process(t, op, kick); err != nil || h[header.Features] != embed.MelStatistics {
		t.Errorf("a model without encoder: %v, %v", h, err)
	}
	if again, h, err := process(t, build(t, "{features: mel-statistics}", nil), kick); err != nil || h[header.Model] != "" || !slices.Equal(again, stats) {
		t.Errorf("mel-statistics: %v, %v", h, err)
	}
}

func TestStatistics(t *testing.T) {
	s := &spectrogram.Spectrogram{Frames: 4, Bins: 2, Data: []float32{1, -1, 1, 1, 1, -1, 1, 1}}
	if got := embed.Statistics(s); !slices.Equal(got, []float32{1, 0, 0, 1}) {
		t.Errorf("%v", got)
	}
}

func TestBadInput(t *testing.T) {
	op := build(t, "{features: mel-statistics}", nil)
	m := message(t, "kick", plan())
	with := func(value float32) func(m *pipeline.Message) {
		return func(m *pipeline.Message) {
			shape, data, err := npy.Decode(m.Body)
			if err != nil {
				t.Fatal(err)
			}
			data[5] = value
			m.Body = npy.Encode(shape, data)
		}
	}
	for _, change := range []func(m *pipeline.Message){
		func(m *pipeline.Message) { m.Body = []byte("text") },
		func(m *pipeline.Message) { m.Header = nil },
		with(float32(math.Inf(1))), with(3e38), with(50),
	} {
		bad := m.Clone()
		change(bad)
		if values, _, err := process(t, op, bad); pipeline.KindOf(err) != pipeline.Invalid || values != nil {
			t.Errorf("%v, %v", values, err)
		}
	}
	for _, config := range []string{"{features: colours}", "{model: ''}", "{refresh: -1s}", "{dims: 3}"} {
		if _, err := embed.Factory()([]byte(config), pipeline.Env{}); err == nil {
			t.Errorf("%s is accepted", config)
		}
	}
}
