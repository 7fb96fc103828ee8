package vaegan

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"wavemill/audio/spectrogram"
	"wavemill/models"
	"wavemill/models/modeltest"
)

// small is a model whose second part begins half way.
const small = `{"vae": {"channels": 4, "latent": 6, "embedding": 4, "shift": 0}, "share": 0.5, "discriminator_channels": 4, "minibatch_stddev": 4, "average": 0.9, "augment": {"frames": 2, "bins": 1, "cutout": 0.2, "contrast": 0.05}}`

var labels = []string{"low", "middle", "high"}

func frontEnd() models.FrontEnd {
	c := spectrogram.Default(8000)
	c.Mels = 16
	return models.FrontEnd{Spectrogram: c, Frames: 32}
}

func learner(t *testing.T, config string) *Learner {
	t.Helper()
	l, err := NewLearner(json.RawMessage(config), frontEnd(), labels, 5)
	if err != nil {
		t.Fatal(err)
	}
	return l.(*Learner)
}

func clips() models.Batch { return modeltest.Clips(24, 32, 16, len(labels), 1) }

func TestAcceptance(t *testing.T) {
	modeltest.Run(t, modeltest.Architecture{
		New: func(seed uint64) (models.Learner, error) {
			return NewLearner(json.RawMessage(small), frontEnd(), labels, seed)
		},
		Open: Open, Batch: modeltest.Clips(12, 32, 16, len(labels), 1), Labels: labels, Loss: lossMSE, To: 0.08, Steps: 400,
	})
}

// TestBothParts runs over the border and finds the second part's losses after it.
func TestBothParts(t *testing.T) {
	l := learner(t, small)
	l.SetTotalSteps(10)
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 10 {
		losses, err := l.Step(t.Context(), clips(), rng)
		if err != nil {
			t.Fatal(err)
		}
		if name, bad := losses.NonFinite(); bad {
			t.Fatalf("step %d: %s is %v", i, name, losses[name])
		}
		if _, second := losses["discriminator"]; second != (i >= 5) {
			t.Errorf("step %d: losses %v", i, losses)
		}
	}
	c, err := l.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	if c.Step != 10 || c.Arch != Arch {
		t.Errorf("checkpoint of %s at step %d", c.Arch, c.Step)
	}
}

// TestResumeIsExact compares whole runs with ones that were saved before, at and after the border.
func TestResumeIsExact(t *testing.T) {
	const steps = 8
	run := func(l *Learner, n int, rng *rand.PCG) {
		t.Helper()
		for range n {
			if _, err := l.Step(t.Context(), clips(), rand.New(rng)); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Calibrate(t.Context(), clips()); err != nil {
			t.Fatal(err)
		}
	}
	save := func(l *Learner) models.Checkpoint {
		t.Helper()
		c, err := l.Checkpoint()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	whole := learner(t, small)
	whole.SetTotalSteps(steps)
	run(whole, steps, rand.NewPCG(2, 2))
	want := save(whole)
	for _, at := range []int{2, 4, 6} {
		first, rng := learner(t, small), rand.NewPCG(2, 2)
		first.SetTotalSteps(steps)
		run(first, at, rng)
		file, err := save(first).Encode()
		if err != nil {
			t.Fatal(err)
		}
		c, err := models.Decode(file)
		if err != nil {
			t.Fatal(err)
		}
		second := learner(t, small)
		if err := second.Restore(c); err != nil {
			t.Fatal(err)
		}
		run(second, steps-at, rng)
		got := save(second)
		if len(got.Tensors) != len(want.Tensors) {
			t.Fatalf("resumed after step %d: %d tensors, want %d", at, len(got.Tensors), len(want.Tensors))
		}
		for i, x := range got.Tensors {
			if !reflect.DeepEqual(x, want.Tensors[i]) {
				t.Errorf("resumed after step %d, %s differs from the whole run's", at, x.Name)
			}
		}
	}
}

func TestGeneratesWithTheFineTunedDecoder(t *testing.T) {
	l := learner(t, small)
	l.SetTotalSteps(6)
	rng := rand.New(rand.NewPCG(3, 3))
	generate := func() models.Batch {
		t.Helper()
		if err := l.Calibrate(t.Context(), clips()); err != nil {
			t.Fatal(err)
		}
		c, err := l.Checkpoint()
		if err != nil {
			t.Fatal(err)
		}
		g, err := Open(c)
		if err != nil {
			t.Fatal(err)
		}
		b, err := g.Generate(t.Context(), models.Series([]int{0, 1, 2}, 4, 0))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var before models.Batch
	for i := range 6 {
		if i == 3 {
			before = generate()
		}
		if _, err := l.Step(t.Context(), clips(), rng); err != nil {
			t.Fatal(err)
		}
	}
	if slices.Equal(before.Data, generate().Data) {
		t.Error("the second part changed nothing")
	}
}

func TestLatentsFollowMoments(t *testing.T) {
	p := newLatents(1, 2)
	rng := rand.New(rand.NewPCG(1, 1))
	for range 4000 {
		a, b := rng.NormFloat64(), rng.NormFloat64()
		p.observe(0, []float32{float32(3 + 2*a), float32(-1 + a + 0.5*b)})
	}
	t.Run("gaussian", func(t *testing.T) {
		checkMoments(t, func() []float32 { return p.draw(nil, 0, 1, rng) })
	})
	t.Run("kernel density", func(t *testing.T) {
		checkMoments(t, func() []float32 {
			a, b := rng.NormFloat64(), rng.NormFloat64()
			return p.around(nil, 0, []float32{float32(3 + 2*a), float32(-1 + a + 0.5*b)}, 0.5, 1, rng)
		})
	})
}

// checkMoments expects a mean of (3, -1), a variance of 4 and a covariance of 2.
func checkMoments(t *testing.T, draw func() []float32) {
	t.Helper()
	var sum, square [2]float64
	var cross float64
	const n = 20000
	for range n {
		z := draw()
		for i, v := range z {
			sum[i] += float64(v) / n
			square[i] += float64(v) * float64(v) / n
		}
		cross += float64(z[0]) * float64(z[1]) / n
	}
	for i, want := range []float64{3, -1} {
		if math.Abs(sum[i]-want) > 0.3 {
			t.Errorf("mean %d is %.2f, want %.2f", i, sum[i], want)
		}
	}
	if v := square[0] - sum[0]*sum[0]; v < 3 || v > 5 {
		t.Errorf("variance %.2f, want 4", v)
	}
	if v := cross - sum[0]*sum[1]; v < 1.4 || v > 2.6 {
		t.Errorf("covariance %.2f, want 2", v)
	}
}

func TestRefuses(t *testing.T) {
	for config, want := range map[string]string{
		`{"share": 0}`:                      "share",
		`{"vae": {"channels": 0}}`:          "channels",
		`{"channels": 3}`:                   "unknown field",
		`{"augment": {"contrast": 2}}`:      "contrast",
		`{"discriminator_rate": -1}`:        "discriminator_rate",
		`{"discriminator_channels": 10000}`: "discriminator_channels",
	} {
		if _, err := NewLearner(json.RawMessage(config), frontEnd(), labels, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", config, err, want)
		}
	}
	if _, err := Open(models.Checkpoint{Arch: "vae"}); err == nil {
		t.Error("opened a checkpoint of another architecture")
	}
	l := learner(t, small)
	l.SetTotalSteps(4)
	c, err := l.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	if err := learner(t, `{}`).Restore(c); err == nil {
		t.Error("restored a checkpoint of another configuration")
	}
}

// TestDiscriminator opens it from a checkpoint of either part.
func TestDiscriminator(t *testing.T) {
	l := learner(t, small)
	l.SetTotalSteps(4)
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 4 {
		if _, err := l.Step(t.Context(), clips(), rng); err != nil {
			t.Fatal(err)
		}
		c, err := l.Checkpoint()
		if err != nil {
			t.Fatal(err)
		}
		d, err := OpenDiscriminator(c)
		if i < 2 {
			if !errors.Is(err, models.ErrNoDiscriminator) {
				t.Errorf("step %d: a discriminator, error %v", i, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if scores, err := d.Score(t.Context(), clips()); err != nil || len(scores) != 24 {
			t.Errorf("step %d: scores %v, error %v", i, scores, err)
		}
	}
}
