package vae

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"wavemill/audio/spectrogram"
	"wavemill/models"
	"wavemill/models/internal/shape"
	"wavemill/models/modeltest"
	"wavemill/models/nn"
)

// small is a model that trains in milliseconds.
const small = `{"channels":4,"latent":6,"embedding":4,"shift":2}`

func smallFrontEnd() models.FrontEnd {
	c := spectrogram.Default(8000)
	c.Mels = 16
	return models.FrontEnd{Spectrogram: c, Frames: 32}
}

// blobs are clips whose label is where their one bright spot is, with some variation in its size and place.
func blobs(n, labels int, seed uint64) models.Batch {
	rng := rand.New(rand.NewPCG(seed, 0))
	b := models.Batch{B: n, T: 32, F: 16, Data: make([]float32, n*32*16)}
	for i := range n {
		label := i % labels
		b.Labels = append(b.Labels, label)
		at, width, jitter := 16*(float64(label)+.5)/float64(labels), 2+rng.Float64(), 2*rng.Float64()
		clip := b.Clip(i)
		for t := range 32 {
			for f := range 16 {
				d := (float64(f)-at)*(float64(f)-at)/width + (float64(t)-10-jitter)*(float64(t)-10-jitter)/20
				clip[t*16+f] = float32(2*math.Exp(-d) - 1)
			}
		}
	}
	return b
}

// TestAcceptance runs the suite that every architecture must pass.
func TestAcceptance(t *testing.T) {
	accept(t, `{"channels":4,"latent":6,"embedding":4,"shift":0}`, 1000, 4)
}

// accept runs the suite on a model of a configuration: so many steps in which no memory may pile up, gradients from so
// many initial weights.
func accept(t *testing.T, text string, long, seeds int) {
	t.Helper()
	labels := []string{"low", "middle", "high"}
	clips := modeltest.Clips(12, 32, 16, len(labels), 1)
	config, err := ParseConfig(json.RawMessage(text))
	if err != nil {
		t.Fatal(err)
	}
	s := shape.Shape{Frames: 32, Bins: 16, Labels: len(labels)}
	feeds := (&Learner{config: config, shape: s, variance: 0.3}).mixtureFeeds()
	a := modeltest.Architecture{
		New: func(seed uint64) (models.Learner, error) {
			return NewLearner(json.RawMessage(text), smallFrontEnd(), labels, seed)
		},
		Open: Open, Batch: clips, Labels: labels, Loss: lossMSE, To: 0.05, Steps: 400, LongSteps: long,
	}
	for seed := range uint64(seeds) {
		a.Gradients = append(a.Gradients, modeltest.Gradient{
			Name: fmt.Sprintf("bound, seed %d", seed), Params: nn.NewParams(seed + 1),
			Build: func(n *nn.Graph) *nn.Tensor { return elbo(n, clips.B, s, config) },
			Feeds: append(slices.Clone(feeds), nn.Values(inClips, clips.Data), nn.Labels(inLabels, clips.Labels), nn.Scalar(inKL, 0.5), nn.Seed(1)),
		})
	}
	modeltest.Run(t, a)
}

func newLearner(t testing.TB, config string) *Learner {
	t.Helper()
	l, err := NewLearner(json.RawMessage(config), smallFrontEnd(), []string{"low", "middle", "high"}, 3)
	if err != nil {
		t.Fatal(err)
	}
	return l.(*Learner)
}

func trained(t testing.TB, config string, steps int64) models.Checkpoint {
	t.Helper()
	c, err := (&models.Trainer{Steps: steps, BatchSize: 24, Seed: 3}).Run(t.Context(), newLearner(t, config), blobs(240, 3, 1), models.Batch{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func open(t testing.TB, c models.Checkpoint) models.Generator {
	t.Helper()
	g, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// peak returns the bin with the most energy.
func peak(clip []float32, bins int) int {
	sums := make([]float64, bins)
	for i, v := range clip {
		sums[i%bins] += math.Exp(4 * float64(v))
	}
	return slices.Index(sums, slices.Max(sums))
}

func TestLearnsLabelsAndVariety(t *testing.T) {
	c := trained(t, small, 250)
	g := open(t, c)
	labels := slices.Repeat([]int{0, 1, 2}, 20)
	b, err := g.Generate(t.Context(), models.Series(labels, 1, 0))
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for i, l := range labels {
		if int(3*float64(peak(b.Clip(i), b.F))/float64(b.F)) == l {
			right++
		}
	}
	if right < 57 {
		t.Errorf("%d of 60 clips have the label that was asked for", right)
	}
	if slices.Equal(b.Clip(0), b.Clip(3)) {
		t.Error("two clips of one label are equal")
	}
	if c.Metrics["train/mse"] > 0.05 {
		t.Errorf("mean squared error %.3f", c.Metrics["train/mse"])
	}
}

func TestClipDependsOnItsSeedAlone(t *testing.T) {
	g := open(t, trained(t, small, 5))
	labels := make([]int, 75)
	for i := range labels {
		labels[i] = i % 3
	}
	whole, err := g.Generate(t.Context(), models.Series(labels, 9, 0))
	if err != nil {
		t.Fatal(err)
	}
	for _, cut := range [][2]int{{0, 1}, {3, 12}, {60, 75}, {74, 75}, {1, 66}} {
		part, err := g.Generate(t.Context(), models.Series(labels[cut[0]:cut[1]], 9+uint64(cut[0]), 0))
		if err != nil {
			t.Fatal(err)
		}
		if n := whole.T * whole.F; !slices.Equal(part.Data, whole.Data[cut[0]*n:cut[1]*n]) {
			t.Errorf("clips %d to %d are others alone than among 75", cut[0], cut[1])
		}
	}
	other, err := g.Generate(t.Context(), models.Series(labels, 10, 0))
	if err != nil || slices.Equal(other.Data, whole.Data) {
		t.Errorf("another seed gives the same clips (error %v)", err)
	}
}

func TestConcurrentGeneration(t *testing.T) {
	g := open(t, trained(t, small, 5))
	r := models.Series([]int{0, 1, 2, 0, 1, 2, 0, 1, 2}, 4, 0)
	want, err := g.Generate(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	errs := make(chan error)
	for range 4 {
		go func() {
			for range 25 {
				b, err := g.Generate(context.WithoutCancel(t.Context()), r)
				if err == nil && !slices.Equal(b.Data, want.Data) {
					err = errors.New("other clips than alone")
				}
				if err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func TestResumeGivesTheSameBytes(t *testing.T) {
	for _, config := range []string{
		small,
		`{"channels":4,"latent":6,"embedding":4,"shift":2,"prior":"flow","flow":{"width":16,"steps":4},"encoders":2,"decoders":2,"dropout":0.1}`,
	} {
		resumes(t, config)
	}
}

// resumes compares a run with one that was stopped, saved and gone on with.
func resumes(t *testing.T, config string) {
	t.Helper()
	bytes := func(c models.Checkpoint, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		b, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	trainer := func() *models.Trainer { return &models.Trainer{Steps: 12, BatchSize: 24, Seed: 3} }
	data, val := blobs(240, 3, 1), blobs(30, 3, 2)
	whole := bytes(trainer().Run(t.Context(), newLearner(t, config), data, val))
	if again := bytes(trainer().Run(t.Context(), newLearner(t, config), data, val)); again != whole {
		t.Error("two runs with one seed leave different checkpoints")
	}
	ctx, cancel := context.WithCancel(t.Context())
	stop := trainer()
	stop.OnEvent = func(p models.Progress) {
		if p.Step == 5 {
			cancel()
		}
	}
	half, err := stop.Run(ctx, newLearner(t, config), data, val)
	if err == nil || half.Step != 5 {
		t.Fatalf("stopped at step %d, error %v", half.Step, err)
	}
	if half, err = models.Decode([]byte(bytes(half, nil))); err != nil {
		t.Fatal(err)
	}
	rest := trainer()
	rest.Resume = &half
	if bytes(rest.Run(t.Context(), newLearner(t, config), data, val)) != whole {
		t.Error("a resumed run leaves another checkpoint")
	}
}

func TestEvalAndCalibrateChangeNothing(t *testing.T) {
	run := func(between func(l *Learner)) []float32 {
		l := newLearner(t, small)
		l.SetTotalSteps(10)
		rng := rand.New(rand.NewPCG(1, 1))
		data := blobs(24, 3, 1)
		for range 4 {
			if _, err := l.Step(t.Context(), data, rng); err != nil {
				t.Fatal(err)
			}
			between(l)
		}
		c, err := l.Checkpoint()
		if err != nil {
			t.Fatal(err)
		}
		w, err := c.Tensor(prefixWeights + "encoder/conv1/w")
		if err != nil {
			t.Fatal(err)
		}
		return w.Data
	}
	want := run(func(*Learner) {})
	got := run(func(l *Learner) {
		if _, err := l.Eval(t.Context(), blobs(7, 3, 2)); err != nil {
			t.Fatal(err)
		}
		if err := l.Calibrate(t.Context(), blobs(100, 3, 2)); err != nil {
			t.Fatal(err)
		}
	})
	if !slices.Equal(got, want) {
		t.Error("evaluating or calibrating changed what was learned")
	}
}

func TestShiftDelaysByWholeFrames(t *testing.T) {
	l := newLearner(t, small)
	data := blobs(60, 3, 1)
	got := l.augment(data, rand.New(rand.NewPCG(1, 1)))
	seen := map[int]int{}
	for i := range data.B {
		clip := got[i*512 : (i+1)*512]
		for delay := range 4 {
			want := append(slices.Repeat([]float32{-1}, delay*16), data.Clip(i)[:512-delay*16]...)
			if slices.Equal(clip, want) {
				seen[delay]++
			}
		}
	}
	if seen[0] == 0 || seen[1] == 0 || seen[2] == 0 || seen[0]+seen[1]+seen[2] != 60 {
		t.Errorf("delays seen: %v", seen)
	}
}

func TestEncodeAndDecode(t *testing.T) {
	g := open(t, trained(t, small, 250)).(models.Autoencoder)
	x := blobs(70, 3, 8)
	mean, logVar, err := g.Encode(t.Context(), x)
	if err != nil || len(mean) != 70*g.Latent() || len(logVar) != len(mean) {
		t.Fatalf("%d means, %d log variances, error %v", len(mean), len(logVar), err)
	}
	y, err := g.Decode(t.Context(), mean, x.Labels)
	if err != nil {
		t.Fatal(err)
	}
	var sum float64
	for i, v := range y.Data {
		sum += float64((v - x.Data[i]) * (v - x.Data[i]))
	}
	if mse := sum / float64(len(y.Data)); mse > 0.01 {
		t.Errorf("clips come back with a mean squared error of %.4f", mse)
	}
	if _, err := g.Decode(t.Context(), mean[1:], x.Labels); err == nil {
		t.Error("a latent too few: no error")
	}
	x.F = 15
	if _, _, err := g.Encode(t.Context(), x); err == nil {
		t.Error("a bin too few: no error")
	}
}

func TestOpenRefuses(t *testing.T) {
	good := trained(t, small, 1)
	for name, spoil := range map[string]func(*models.Checkpoint){
		"other architecture": func(c *models.Checkpoint) { c.Arch = "gan" },
		"broken config":      func(c *models.Checkpoint) { c.Config = json.RawMessage(`{"channels":`) },
		"unknown field":      func(c *models.Checkpoint) { c.Config = json.RawMessage(`{"chanels":3}`) },
		"other width":        func(c *models.Checkpoint) { c.Config = json.RawMessage(`{"channels":8,"latent":6,"embedding":4}`) },
		"other labels":       func(c *models.Checkpoint) { c.Labels = []string{"one"} },
		"odd frames":         func(c *models.Checkpoint) { c.FrontEnd.Frames = 33 },
		"no tensors":         func(c *models.Checkpoint) { c.Tensors = nil },
		"no texture": func(c *models.Checkpoint) {
			c.Tensors = slices.DeleteFunc(c.Tensors, func(t models.Tensor) bool { return t.Name == tensorAmplitude })
		},
		"odd prior": func(c *models.Checkpoint) {
			for i, x := range c.Tensors {
				if x.Name == tensorCount {
					c.Tensors[i].Data = []float32{0, 1e9, -1}
				}
			}
		},
		"no decoder": func(c *models.Checkpoint) { c.Tensors = c.Tensors[len(c.Tensors)/2:] },
	} {
		c := good
		c.Tensors = slices.Clone(good.Tensors)
		spoil(&c)
		if _, err := Open(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := Open(good.WithoutOptimizer()); err != nil {
		t.Errorf("without the optimiser's state: %v", err)
	}
}

func TestGenerateRefuses(t *testing.T) {
	g := open(t, trained(t, small, 1))
	for name, r := range map[string]models.Request{
		"label":       models.Series([]int{3}, 1, 0),
		"negative":    models.Series([]int{-1}, 1, 0),
		"temperature": models.Series([]int{0}, 1, math.NaN()),
		"cold":        models.Series([]int{0}, 1, -1),
	} {
		if _, err := g.Generate(t.Context(), r); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.Generate(ctx, models.Series([]int{0}, 0, 0)); err == nil {
		t.Error("cancelled: no error")
	}
	if b, err := g.Generate(t.Context(), models.Request{}); err != nil || b.B != 0 {
		t.Errorf("no clips asked for: %d clips, error %v", b.B, err)
	}
}

func TestConfig(t *testing.T) {
	c, err := ParseConfig(json.RawMessage(`{"latent":2}`))
	if want := Defaults(); err != nil || c.Latent != 2 || c.Channels != want.Channels {
		t.Errorf("%+v, error %v", c, err)
	}
	for _, bad := range []string{`{"latent":0}`, `{"prior":"x"}`, `{"learning_rate":-1}`, `{"x":1}`, `[]`, `{"average":1}`, `{"kl_weight":-1}`} {
		if _, err := ParseConfig(json.RawMessage(bad)); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}
