package eval_test

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"wavemill/audio"
	"wavemill/audio/synth"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/eval"
	"wavemill/models/frontend"
)

func sieve(t *testing.T, train []audio.Clip) *eval.Filter {
	t.Helper()
	s, err := eval.NewFilter(t.Context(), classifier(t), train, 0)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sift(t *testing.T, s *eval.Filter, clips []audio.Clip) []eval.FilterResult {
	t.Helper()
	out, err := s.Check(t.Context(), clips)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// adversary trains a small GAN on synthetic sounds for a few steps.
func adversary(t *testing.T, clips []audio.Clip) models.Checkpoint {
	t.Helper()
	fe := frontend.PlanFor(clips)
	front, err := frontend.New(fe)
	if err != nil {
		t.Fatal(err)
	}
	x := models.Batch{T: fe.Frames, F: fe.Spectrogram.Bins()}
	for _, c := range clips {
		s, _, err := front.Analyze(c)
		if err != nil {
			t.Fatal(err)
		}
		x.B++
		x.Data = append(x.Data, s.Data...)
		x.Labels = append(x.Labels, slices.Index(synth.Classes(), c.Label))
	}
	l, err := architectures.NewLearner("gan", json.RawMessage(`{"channels": 4, "latent": 8}`), fe, synth.Classes(), 1)
	if err != nil {
		t.Fatal(err)
	}
	c, err := (&models.Trainer{Steps: 60, BatchSize: 32, Seed: 1}).Run(t.Context(), l, x, models.Batch{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLimits(t *testing.T) {
	train := synthetic(t, 20, 0, 8000)
	s := sieve(t, train)
	fresh := synthetic(t, 2, 9000, 8000)
	within := func(l eval.Limits) []eval.FilterResult {
		t.Helper()
		other, err := s.Within(l)
		if err != nil {
			t.Fatal(err)
		}
		return sift(t, other, fresh)
	}
	for _, v := range within(eval.Limits{Newness: 9}) {
		if v.OK || v.Reason == "" {
			t.Errorf("as far from all clips as nothing is: %+v", v)
		}
	}
	if v := within(eval.Limits{Confidence: 0.999999}); v[0].Reason != "unsure" {
		t.Errorf("surer than anybody is: %+v", v[0])
	}
	if other, err := s.Within(eval.Limits{Newness: -1}); err != nil || !sift(t, other, train[2:3])[0].OK {
		t.Errorf("a copy does not pass where copies may (%v)", err)
	}
	for _, l := range []eval.Limits{{Confidence: 1}, {Confidence: math.NaN()}, {Realness: 1}, {Newness: 11}} {
		if _, err := s.Within(l); err == nil {
			t.Errorf("%+v: no error", l)
		}
		if _, err := s.For(nil, l, nil); err == nil {
			t.Errorf("%+v: no error of For", l)
		}
	}
	if other, err := s.For([]string{train[0].Label}, eval.Limits{Newness: -1}, nil); err != nil || !sift(t, other, train[2:3])[0].OK {
		t.Errorf("For does not set the limits (%v)", err)
	}
	if _, err := s.For([]string{"horn"}, eval.Limits{}, nil); err == nil || !strings.Contains(err.Error(), `"horn"; it knows `) {
		t.Errorf("a label that the classifier does not know: %v", err)
	}
}

// TestWishes asks for clips between two labels: heard as either will do.
func TestWishes(t *testing.T) {
	s := sieve(t, synthetic(t, 20, 0, 8000))
	clips := synthetic(t, 1, 9000, 8000)
	a, b, c := clips[0], clips[1], clips[2]
	got, err := s.CheckFor(t.Context(), []audio.Clip{a, a, a, a}, []eval.Condition{
		{Label: a.Label}, {Label: b.Label, Other: a.Label, Weight: 0.3}, {Label: b.Label, Other: c.Label, Weight: 0.3}, {Label: a.Label, Other: a.Label},
	})
	if err != nil {
		t.Fatal(err)
	}
	if !got[0].OK || !got[1].OK || got[2].OK || got[2].Reason != "heard as "+a.Label || got[1].Confidence < got[0].Confidence || got[3].Confidence != got[0].Confidence {
		t.Errorf("%+v", got)
	}
	if _, err := s.CheckFor(t.Context(), clips, nil); err == nil {
		t.Error("clips without wishes: no error")
	}
	if _, err := s.CheckFor(t.Context(), clips[:1], []eval.Condition{{Label: a.Label, Other: "stranger", Weight: 0.5}}); err == nil || !strings.Contains(err.Error(), "stranger") {
		t.Errorf("an unknown label: %v", err)
	}
}

func TestBetter(t *testing.T) {
	best := []eval.FilterResult{
		{Reason: "unsure", Confidence: 0.4},
		{Reason: "heard as x", Confidence: 0.1},
		{Reason: "copy", Confidence: 0.9},
		{Reason: "copy", Confidence: 0.8},
		{Reason: "silent", Confidence: 0.95},
	}
	for i, a := range best {
		for j, b := range best {
			if a.Better(b) != (i < j) {
				t.Errorf("%+v is better than %+v: %t", a, b, a.Better(b))
			}
		}
	}
}

// TestRealness compares recordings with noise, which a discriminator has learned to tell.
func TestRealness(t *testing.T) {
	train, fresh := synthetic(t, 12, 0, 8000), synthetic(t, 12, 500, 8000)
	cp := adversary(t, train)
	r, err := eval.NewDiscriminatorQuantile(t.Context(), cp, fresh, 1)
	if err != nil {
		t.Fatal(err)
	}
	of := func(clips []audio.Clip, wish func(audio.Clip) eval.Condition) []float64 {
		t.Helper()
		wishes := make([]eval.Condition, len(clips))
		for i, c := range clips {
			wishes[i] = wish(c)
		}
		shares, err := r.Of(t.Context(), clips, wishes)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range shares {
			if !(s >= 0 && s <= 1) {
				t.Errorf("a share of %v", s)
			}
		}
		return shares
	}
	plain := func(c audio.Clip) eval.Condition { return eval.Condition{Label: c.Label} }
	mean := func(x []float64) (m float64) {
		for _, v := range x {
			m += v / float64(len(x))
		}
		return m
	}
	rebuilt, err := eval.RoundTrip(t.Context(), cp.FrontEnd, fresh, 1)
	if err != nil {
		t.Fatal(err)
	}
	if m := mean(of(rebuilt, plain)); m < 0.4 || m > 0.6 {
		t.Errorf("recordings among themselves: the mean share is %.3f, want a half", m)
	}
	noise := of(eval.Noise(fresh, 1), plain)
	if m := mean(noise); m > 0.1 {
		t.Errorf("noise is more real than %.3f of recordings", m)
	}
	// Between a label and itself lies the label; weights of 0 and 1 are the ends.
	one := of(rebuilt, plain)
	same := of(rebuilt, func(c audio.Clip) eval.Condition { return eval.Condition{Label: c.Label, Other: c.Label, Weight: 0.5} })
	end := of(rebuilt, func(c audio.Clip) eval.Condition {
		return eval.Condition{Label: synth.Classes()[0], Other: c.Label, Weight: 1}
	})
	for i, v := range one {
		if diff := max(same[i]-v, v-same[i], end[i]-v, v-end[i]); diff > 1e-9 {
			t.Errorf("clip %d: %v, between its label and itself %v, at the end of a way %v", i, v, same[i], end[i])
		}
	}

	// In a sieve it refuses, and says why.
	s, err := sieve(t, train).For(cp.Labels, eval.Limits{Confidence: -1, Newness: -1, Realness: 0.999}, r)
	if err != nil {
		t.Fatal(err)
	}
	unreal := 0
	for _, v := range sift(t, s, rebuilt) {
		if v.Realness == nil {
			t.Fatalf("%+v", v)
		}
		if v.Reason == "unreal" {
			unreal++
		}
	}
	if unreal < len(rebuilt)/2 {
		t.Errorf("%d of %d recordings are less real than the best", unreal, len(rebuilt))
	}

	if _, err := eval.NewDiscriminatorQuantile(t.Context(), cp, fresh[:1], 1); err == nil {
		t.Error("one recording: no error")
	}
	stranger := slices.Clone(fresh)
	stranger[3].Label = "stranger"
	if _, err := eval.NewDiscriminatorQuantile(t.Context(), cp, stranger, 1); err == nil || !strings.Contains(err.Error(), "stranger") {
		t.Errorf("an unknown label: %v", err)
	}
}

// TestSieveFile saves a sieve, with and without a discriminator's opinions, and compares what it says.
func TestSieveFile(t *testing.T) {
	train, fresh := synthetic(t, 12, 0, 8000), synthetic(t, 3, 9000, 8000)
	model := adversary(t, train)
	r, err := eval.NewDiscriminatorQuantile(t.Context(), model, synthetic(t, 4, 500, 8000), 1)
	if err != nil {
		t.Fatal(err)
	}
	s := sieve(t, train)
	cp, err := s.Checkpoint(r)
	if err != nil {
		t.Fatal(err)
	}
	file, err := cp.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if cp, err = models.Decode(file); err != nil {
		t.Fatal(err)
	}
	again, err := eval.OpenFilter(cp)
	if err != nil {
		t.Fatal(err)
	}
	known, err := eval.OpenDiscriminatorQuantile(cp, model)
	if err != nil {
		t.Fatal(err)
	}
	clips := slices.Concat(fresh, train[:3])
	if a, b := sift(t, s.WithDiscriminator(r), clips), sift(t, again.WithDiscriminator(known), clips); !reflect.DeepEqual(a, b) {
		t.Errorf("before %+v, from the file %+v", a, b)
	}
	if again.Classifier().HeldOut() != s.Classifier().HeldOut() {
		t.Error("the classifier forgot what it achieves")
	}

	other := model
	other.Step++
	if _, err := eval.OpenDiscriminatorQuantile(cp, other); !errors.Is(err, eval.ErrNotScored) {
		t.Errorf("another model: %v", err)
	}
	other.Arch, other.Config = "vae", nil
	if _, err := eval.OpenDiscriminatorQuantile(cp, other); !errors.Is(err, models.ErrNoDiscriminator) {
		t.Errorf("a model without a discriminator: %v", err)
	}
	if _, err := eval.OpenFilter(model); err == nil || !strings.Contains(err.Error(), "gan") {
		t.Errorf("a model for a judge: %v", err)
	}
	for want, change := range map[string]func(*models.Checkpoint){
		"scale":    func(c *models.Checkpoint) { c.Config = json.RawMessage(`{"newness": 1}`) },
		"config":   func(c *models.Checkpoint) { c.Config = json.RawMessage(`[]`) },
		"shape":    func(c *models.Checkpoint) { c.Tensors = cut(c.Tensors, "sieve/pictures") },
		"no tenso": func(c *models.Checkpoint) { c.Tensors = without(c.Tensors, "sieve/pictures") },
		"conv1":    func(c *models.Checkpoint) { c.Tensors = without(c.Tensors, "classifier/conv1/w") },
	} {
		broken := cp
		change(&broken)
		if _, err := eval.OpenFilter(broken); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// without leaves a tensor out.
func without(tensors []models.Tensor, name string) []models.Tensor {
	return slices.DeleteFunc(slices.Clone(tensors), func(t models.Tensor) bool { return t.Name == name })
}

// cut makes the rows of a tensor shorter.
func cut(tensors []models.Tensor, name string) []models.Tensor {
	out := slices.Clone(tensors)
	for i, t := range out {
		if t.Name == name {
			out[i].Shape, out[i].Data = []int{t.Shape[0], 1}, t.Data[:t.Shape[0]]
		}
	}
	return out
}

// TestUnreliableEarsRefuseNothing lets a classifier of few clips listen to noise.
func TestUnreliableEarsRefuseNothing(t *testing.T) {
	clips := synthetic(t, 4, 1, 8000)
	c, err := eval.Train(t.Context(), clips, eval.Options{Seed: 1, Epochs: 1})
	if err != nil {
		t.Fatal(err)
	}
	if c.Reliable() {
		t.Fatalf("a classifier with %d clips held out counts as reliable", c.HeldOut().Clips)
	}
	s, err := eval.NewFilter(t.Context(), c, clips, 0.999)
	if err != nil {
		t.Fatal(err)
	}
	other := clips[0]
	other.Samples = slices.Clone(other.Samples)
	for i := range other.Samples {
		other.Samples[i] = float32(math.Sin(float64(i*i) / 9e4)) // no sound of the set
	}
	heard, err := s.Check(t.Context(), []audio.Clip{other})
	if err != nil || heard[0].OK {
		t.Fatalf("with ears: %+v, %v", heard, err)
	}
	if heard, err = s.WithReliableLabels().Check(t.Context(), []audio.Clip{other}); err != nil || !heard[0].OK {
		t.Errorf("without: %+v, %v", heard, err)
	}
}

// TestExactLimits requires that 0 is no limit, and that errors begin with the name of the field.
func TestExactLimits(t *testing.T) {
	got, err := eval.ExactLimits(eval.Limits{Confidence: 0.5})
	if want := (eval.Limits{Confidence: 0.5, Realness: -1, Newness: -1}); err != nil || got != want {
		t.Errorf("%+v, error %v; want %+v", got, err, want)
	}
	for want, l := range map[string]eval.Limits{
		"confidence 1 ":   {Confidence: 1},
		"confidence NaN ": {Confidence: math.NaN()},
		"realness -0.5 ":  {Realness: -0.5},
		"newness 11 ":     {Newness: 11},
	} {
		if _, err := eval.ExactLimits(l); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: error %v, want %q", l, err, want)
		}
	}
}
