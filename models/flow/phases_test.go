package flow

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"wavemill/models"
	"wavemill/models/modeltest"
)

// TestSecondPhase runs part of the suite on learners that cross the border between the phases.
func TestSecondPhase(t *testing.T) {
	a := modeltest.Architecture{
		New: func(seed uint64) (models.Learner, error) {
			l, err := NewLearner(json.RawMessage(small), frontEnd(), labels, seed)
			if err == nil {
				l.SetTotalSteps(4)
			}
			return l, err
		},
		Open: Open, Batch: modeltest.Clips(12, 32, 16, len(labels), 1), Labels: labels, LongSteps: 100,
	}
	for name, check := range map[string]func(modeltest.Architecture) error{
		"resumes": modeltest.Resumes, "same seed": modeltest.SameSeed, "evaluation": modeltest.EvalIsPure, "allocations": modeltest.Allocations,
		"generates": modeltest.Generates, "refuses": modeltest.Refuses,
	} {
		if err := check(a); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBothPhases runs over the border and finds the second phase's losses after it.
func TestBothPhases(t *testing.T) {
	l := learner(t, small)
	l.SetTotalSteps(10)
	random := rng(1)
	for i := range 10 {
		losses, err := l.Step(t.Context(), clips(), random)
		if err != nil {
			t.Fatal(err)
		}
		if name, bad := losses.NonFinite(); bad {
			t.Fatalf("step %d: %s is %v", i, name, losses[name])
		}
		if _, second := losses["discriminator"]; second != (i >= 5) {
			t.Errorf("step %d: losses %v", i, losses)
		}
		if losses[lossFlow] <= 0 {
			t.Errorf("step %d: the flow does not learn: %v", i, losses)
		}
	}
	if c := save(t, l); c.Step != 10 || c.Arch != Arch {
		t.Errorf("checkpoint of %s at step %d", c.Arch, c.Step)
	}
}

func save(t *testing.T, l *Learner) models.Checkpoint {
	t.Helper()
	c, err := l.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// train makes steps and calibrates.
func train(t *testing.T, l *Learner, steps int, source *rand.PCG) {
	t.Helper()
	for range steps {
		if _, err := l.Step(t.Context(), clips(), rand.New(source)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Calibrate(t.Context(), clips()); err != nil {
		t.Fatal(err)
	}
}

// TestResumeIsExact compares whole runs with ones that were saved before, at and after the border.
func TestResumeIsExact(t *testing.T) {
	const steps = 8
	config := strings.Replace(small, `"shift": 2`, `"shift": 2, "vary": 1`, 1)
	whole := learner(t, config)
	whole.SetTotalSteps(steps)
	train(t, whole, steps, rand.NewPCG(2, 2))
	want := save(t, whole)
	for _, at := range []int{2, 4, 6} {
		first, source := learner(t, config), rand.NewPCG(2, 2)
		first.SetTotalSteps(steps)
		train(t, first, at, source)
		file, err := save(t, first).Encode()
		if err != nil {
			t.Fatal(err)
		}
		c, err := models.Decode(file)
		if err != nil {
			t.Fatal(err)
		}
		second := learner(t, config)
		if err := second.Restore(c); err != nil {
			t.Fatal(err)
		}
		train(t, second, steps-at, source)
		got := save(t, second)
		if len(got.Tensors) != len(want.Tensors) || got.Step != want.Step {
			t.Fatalf("resumed after step %d: %d tensors at step %d, want %d at %d", at, len(got.Tensors), got.Step, len(want.Tensors), want.Step)
		}
		for i, x := range got.Tensors {
			if !reflect.DeepEqual(x, want.Tensors[i]) {
				t.Errorf("resumed after step %d, %s differs from the whole run's", at, x.Name)
			}
		}
	}
}

// TestGoesBackToTheFirstPhase restores a checkpoint of the first phase in a learner of the second, as after a divergence.
func TestGoesBackToTheFirstPhase(t *testing.T) {
	l := learner(t, small)
	l.SetTotalSteps(4)
	train(t, l, 1, rand.NewPCG(1, 1))
	early := save(t, l)
	l.ScaleLR(0.5)
	train(t, l, 2, rand.NewPCG(1, 1))
	if l.second == nil {
		t.Fatal("the second phase has not begun")
	}
	if err := l.Restore(early); err != nil {
		t.Fatal(err)
	}
	if got := save(t, l); !reflect.DeepEqual(got, early) || l.second != nil {
		t.Error("the restored state is another one")
	}
	one := learner(t, small)
	if err := one.Restore(early); err != nil {
		t.Fatal(err)
	}
	if a, b := l.LearningRate(), one.LearningRate(); a != b/2 {
		t.Errorf("a learning rate of %g after going back, want half of %g", a, b)
	}
}

// TestSharpeningChangesTheDecoder compares what is decoded from the same latents before and after the second phase.
func TestSharpeningChangesTheDecoder(t *testing.T) {
	l := learner(t, small)
	l.SetTotalSteps(6)
	train(t, l, 3, rand.NewPCG(3, 3))
	before := open(t, save(t, l))
	train(t, l, 3, rand.NewPCG(3, 3))
	after := open(t, save(t, l))
	means := func(g *Generator) []float32 {
		t.Helper()
		mean, _, err := g.Encode(t.Context(), clips())
		if err != nil {
			t.Fatal(err)
		}
		return mean
	}
	z := means(before)
	if d := meanSquare(z, means(after)); d > 1e-10 { // averaging equal weights rounds
		t.Errorf("the encoder has changed: latents by %g", math.Sqrt(d))
	}
	decode := func(g *Generator) []float32 {
		t.Helper()
		b, err := g.Decode(t.Context(), z, clips().Labels)
		if err != nil {
			t.Fatal(err)
		}
		return b.Data
	}
	if slices.Equal(decode(before), decode(after)) {
		t.Error("the decoder has not changed")
	}
}

// TestDiscriminator opens it from a checkpoint of either phase.
func TestDiscriminator(t *testing.T) {
	l := learner(t, small)
	l.SetTotalSteps(4)
	for i := range 4 {
		train(t, l, 1, rand.NewPCG(1, 1))
		d, err := OpenDiscriminator(save(t, l))
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

func open(t *testing.T, c models.Checkpoint) *Generator {
	t.Helper()
	g, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return g.(*Generator)
}

func TestRefuses(t *testing.T) {
	for config, want := range map[string]string{
		`{"share": 0}`:                        "share",
		`{"steps": 3}`:                        "steps: 3 is not one of [1 2 4 8 16]",
		`{"latent_channels": 0}`:              "latent_channels",
		`{"width": 3}`:                        "unknown field",
		`{"augment": {"contrast": 2}}`:        "contrast",
		`{"guidance": 2, "label_dropout": 0}`: "set label_dropout above 0",
		`{"guidance": -1}`:                    "guidance",
		`{"flow_rate": -1}`:                   "flow_rate",
	} {
		if _, err := NewLearner(json.RawMessage(config), frontEnd(), labels, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", config, err, want)
		}
	}
	if _, err := Open(models.Checkpoint{Arch: "vae"}); err == nil {
		t.Error("opened a checkpoint of another architecture")
	}
	if err := learner(t, `{}`).Restore(save(t, learner(t, small))); err == nil {
		t.Error("restored a checkpoint of another configuration")
	}
	if _, err := Architecture().WithLatent(nil, 4); err == nil || !strings.Contains(err.Error(), "latent_channels") {
		t.Errorf("a number of latents was set; error %v", err)
	}
}
