package monitor

import (
	"bytes"
	"context"
	"image/png"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"wavemill/audio/spectrogram"
	"wavemill/audio/wav"
	"wavemill/models"
	"wavemill/models/architectures"
)

const (
	frames = 32
	rate   = 8000
)

// labels of the test recordings; the last is spoken of in the log as it is.
func labels() []string { return []string{"low", "high", "odd/label"} }

func frontEnd() models.FrontEnd {
	return models.FrontEnd{Spectrogram: spectrogram.Default(rate), Frames: frames, TrimDB: -40}
}

// recordings are spectrograms of syllables: a few resonances that glide and fade, at places that depend on the label
// and the clip, above a floor. No two are equal.
func recordings(n int, seed uint64) models.Batch {
	rng := rand.New(rand.NewPCG(seed, 1))
	bins := frontEnd().Spectrogram.Bins()
	b := models.Batch{B: n, T: frames, F: bins}
	for i := range n {
		label := i % len(labels())
		b.Labels = append(b.Labels, label)
		b.Data = append(b.Data, syllable(rng, label, bins)...)
	}
	return b
}

func syllable(rng *rand.Rand, label, bins int) []float32 {
	x := make([]float32, frames*bins)
	length := 14 + rng.IntN(14)
	shift := rng.NormFloat64()
	var at, glide [3]float64
	for k := range at {
		at[k] = float64(5+8*label+14*k) + 2*shift + rng.NormFloat64()
		glide[k] = 0.15 * rng.NormFloat64()
	}
	for t := range frames {
		for f := range bins {
			v := -0.9
			if t < length {
				for k := range at {
					d := (float64(f) - at[k] - glide[k]*float64(t)) / 2
					v += 1.5 * math.Exp(-d*d/2) * math.Sin(math.Pi*(float64(t)+1)/float64(length+1)) / float64(k+1)
				}
			}
			x[t*bins+f] = float32(min(max(v+0.03*rng.NormFloat64(), -1), 1))
		}
	}
	return x
}

// newMonitor is one monitor for all tests: evaluating does not change it.
func newMonitor(t *testing.T) *Monitor {
	t.Helper()
	w, err := monitorOnce()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

var monitorOnce = sync.OnceValues(func() (*Monitor, error) {
	return New(recordings(300, 1), recordings(60, 2), labels(), frontEnd(), Options{Seed: 3})
})

// kinds returns the kinds of the warnings about clips.
func kinds(t *testing.T, w *Monitor, b models.Batch) (kinds []string, v models.Evaluation) {
	t.Helper()
	v, err := w.evaluate(b, models.Checkpoint{})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range v.Warnings {
		kinds = append(kinds, x.Kind)
		if x.Finding == "" || x.Advice == "" {
			t.Errorf("%q says nothing", x)
		}
	}
	return kinds, v
}

// edited returns clips after f has changed the first part of them.
func edited(b models.Batch, part float64, f func(i int, clip []float32)) models.Batch {
	b.Data = slices.Clone(b.Data)
	for i := range int(part * float64(b.B)) {
		f(i, b.Clip(i))
	}
	return b
}

func TestFreshRecordingsGiveNoWarning(t *testing.T) {
	w := newMonitor(t)
	for seed := uint64(10); seed < 15; seed++ {
		got, v := kinds(t, w, recordings(240, seed))
		if len(got) > 0 {
			t.Errorf("warnings %v about fresh recordings", v.Warnings)
		}
		if d := v.Metrics[Distance]; d > 0.1 || d < 1e-4 {
			t.Errorf("distance %g of fresh recordings, want between 1e-4 and 0.1", d)
		}
		if d := v.Metrics[Diversity]; d < 0.9 || d > 1.1 {
			t.Errorf("diversity %g", d)
		}
	}
}

func TestDistanceGrowsWithTheFault(t *testing.T) {
	w := newMonitor(t)
	fresh := recordings(240, 30)
	faults := map[string]func(strength float64) models.Batch{
		"noise": func(s float64) models.Batch {
			rng := rand.New(rand.NewPCG(1, 2))
			return edited(fresh, 1, func(_ int, x []float32) {
				for i := range x {
					x[i] += float32(s * rng.NormFloat64())
				}
			})
		},
		"blur": func(s float64) models.Batch {
			return edited(fresh, 1, func(_ int, x []float32) {
				y := slices.Clone(x)
				for i := 2; i < len(x)-2; i++ {
					x[i] = float32((1-s)*float64(y[i]) + s*float64(y[i-2]+y[i-1]+y[i]+y[i+1]+y[i+2])/5)
				}
			})
		},
		"wrong label": func(s float64) models.Batch {
			b := fresh
			b.Labels = slices.Clone(b.Labels)
			for i := range int(s * float64(b.B)) {
				b.Labels[i] = (b.Labels[i] + 1) % 3
			}
			return b
		},
	}
	for name, fault := range faults {
		last := 0.0
		for _, s := range []float64{0, 0.3, 0.6, 1} {
			_, v := kinds(t, w, fault(s))
			if d := v.Metrics[Distance]; d <= last {
				t.Errorf("%s of %g: distance %g after %g", name, s, d, last)
			} else {
				last = d
			}
		}
	}
}

func TestDetectors(t *testing.T) {
	w := newMonitor(t)
	fresh := recordings(240, 40)
	rng := rand.New(rand.NewPCG(5, 5))
	bins := fresh.F
	train := recordings(300, 1)
	cases := map[string]struct {
		part float64 // of the clips that trips
		less float64 // and that does not
		edit func(i int, x []float32)
	}{
		KindSilence: {0.3, 0.2, func(_ int, x []float32) {
			for i := range x {
				x[i] = -0.8 + 0.01*float32(rng.NormFloat64())
			}
		}},
		KindTone: {0.3, 0.2, func(i int, x []float32) {
			for j := range x {
				x[j] = -0.95
				if j%bins == 20+i%3 {
					x[j] = 0.7
				}
			}
		}},
		KindNoise: {0.3, 0.2, func(_ int, x []float32) {
			for j := range x {
				x[j] = 0.2 + 0.1*float32(rng.NormFloat64())
			}
		}},
		KindCollapse: {1, 0.5, func(i int, x []float32) { copy(x, fresh.Clip(i%3)) }},
		KindMemorisation: {0.1, 0.02, func(i int, x []float32) {
			copy(x, train.Clip(3*(i/3)+i%3))
		}},
	}
	for kind, c := range cases {
		if got, _ := kinds(t, w, edited(fresh, c.part, c.edit)); !slices.Contains(got, kind) {
			t.Errorf("%s of %g of the clips: warnings %v", kind, c.part, got)
		}
		if got, v := kinds(t, w, edited(fresh, c.less, c.edit)); slices.Contains(got, kind) {
			t.Errorf("%s of %g of the clips: %v", kind, c.less, v.Warnings)
		}
	}
}

// What goes wrong with one label is named.
func TestDetectorsNameTheLabel(t *testing.T) {
	w := newMonitor(t)
	fresh := recordings(240, 41)
	one := edited(fresh, 1, func(i int, x []float32) {
		if fresh.Labels[i] == 2 {
			copy(x, fresh.Clip(2))
		}
	})
	_, v := kinds(t, w, one)
	if len(v.Warnings) != 1 || v.Warnings[0].Kind != KindCollapse || !strings.Contains(v.Warnings[0].Finding, "odd/label") {
		t.Errorf("%v", v.Warnings)
	}
	if quiet, found := w.count(w.clipShapes(one), func(clipShape) bool { return false }); found {
		t.Error(quiet)
	}
}

// Recordings that are tones or noise themselves make no alarm of clips that are like them.
func TestDetectorsKnowWhatRecordingsAreLike(t *testing.T) {
	tones := func(n int, seed uint64) models.Batch {
		rng := rand.New(rand.NewPCG(seed, 9))
		b := recordings(n, seed)
		return edited(b, 1, func(i int, x []float32) {
			at := 5 + 10*b.Labels[i] + rng.IntN(8)
			fade := 0.02 + 0.02*rng.Float64()
			for j := range x {
				x[j] = float32(-0.95 + 0.02*rng.NormFloat64())
				if j%b.F == at {
					x[j] = float32(0.8 - fade*float64(j/b.F))
				}
			}
		})
	}
	noises := func(n int, seed uint64) models.Batch {
		rng := rand.New(rand.NewPCG(seed, 8))
		b := recordings(n, seed)
		return edited(b, 1, func(i int, x []float32) {
			level, fade := 0.2+0.2*rng.Float64(), 0.01*float64(1+b.Labels[i])*(1+0.3*rng.NormFloat64())
			for j := range x {
				x[j] = float32(level - fade*float64(j/b.F) + 0.1*rng.NormFloat64())
			}
		})
	}
	for name, make := range map[string]func(int, uint64) models.Batch{"tones": tones, "noises": noises} {
		w, err := New(make(300, 1), make(60, 2), labels(), frontEnd(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got, v := kinds(t, w, make(240, 3)); len(got) > 0 {
			t.Errorf("%s: %v", name, v.Warnings)
		}
	}
}

func TestDiscriminatorThatHasWon(t *testing.T) {
	for name, c := range map[string]struct {
		loss, real, fake float64
		want             bool
	}{
		"hinge, a game":  {1.4, 0.4, -0.3, false},
		"hinge, won":     {0.01, 3, -4, true},
		"bce, won":       {0.02, 5, -6, true},
		"lsgan, a game":  {0.4, 0.7, 0.3, false},
		"wgan, its mode": {-12, 8, -4, false},
	} {
		w, got := discriminator(map[string]float64{"train/discriminator": c.loss, "train/real score": c.real, "train/fake score": c.fake})
		if got != c.want {
			t.Errorf("%s: %v (%v)", name, got, w)
		}
	}
	if _, got := discriminator(map[string]float64{"train/loss": 0}); got {
		t.Error("a model without discriminator")
	}
}

func TestFewRecordings(t *testing.T) {
	for _, n := range []int{1, 2, 25} {
		w, err := New(recordings(n, 1), models.Batch{}, labels(), frontEnd(), Options{})
		if err != nil {
			t.Fatalf("%d recordings: %v", n, err)
		}
		v, err := w.evaluate(recordings(30, 2), models.Checkpoint{})
		if err != nil {
			t.Fatalf("%d recordings: %v", n, err)
		}
		if name, bad := models.Losses(v.Metrics).NonFinite(); bad {
			t.Errorf("%d recordings: %s is %g", n, name, v.Metrics[name])
		}
	}
}

func TestRefuses(t *testing.T) {
	good, other := recordings(30, 1), recordings(30, 2)
	other.T, other.Data = other.T/2, other.Data[:len(other.Data)/2]
	bad := good
	bad.Labels = bad.Labels[1:]
	if _, err := New(bad, models.Batch{}, labels(), frontEnd(), Options{}); err == nil {
		t.Error("training clips without labels")
	}
	if _, err := New(good, other, labels(), frontEnd(), Options{}); err == nil {
		t.Error("held-out clips of another shape")
	}
	if _, err := New(good, bad, labels(), frontEnd(), Options{}); err == nil {
		t.Error("held-out clips without labels")
	}
	if _, err := New(good, models.Batch{}, labels(), models.FrontEnd{}, Options{}); err == nil {
		t.Error("no front end")
	}
	w := newMonitor(t)
	if _, err := w.evaluate(edited(good, 1, func(_ int, x []float32) { x[7] = float32(math.Inf(1)) }), models.Checkpoint{}); err == nil {
		t.Error("a clip that is not of numbers")
	}
	if _, err := w.Evaluate(t.Context(), models.Checkpoint{Arch: "none"}); err == nil {
		t.Error("a checkpoint of nothing")
	}
}

func TestRequestIsBalanced(t *testing.T) {
	for _, c := range []struct{ labels, clips, each, asked int }{{1, 256, 256, 1}, {10, 256, 25, 10}, {128, 256, 2, 128}, {1000, 256, 2, 128}, {3, 1, 2, 1}} {
		count := map[int]int{}
		for _, l := range request(c.labels, c.clips, 1).Labels {
			count[l]++
		}
		if len(count) != c.asked {
			t.Errorf("%+v: %d labels", c, len(count))
		}
		for l, n := range count {
			if n != c.each || l >= c.labels {
				t.Errorf("%+v: %d of label %d", c, n, l)
			}
		}
	}
}

// A training of a few steps, evaluated as a whole: the same clips and figures whenever the same checkpoint is evaluated, and
// files to look at and to listen to.
func TestEvaluateAndPreviews(t *testing.T) {
	train := recordings(60, 1)
	dir := filepath.Join(t.TempDir(), "previews")
	var shown []Preview
	options := Options{Seed: 3, Clips: 32, Previews: &PreviewWriter{Dir: dir, Clips: 2, Show: func(e Preview) error { shown = append(shown, e); return nil }}}
	w, err := New(train, recordings(30, 2), labels(), frontEnd(), options)
	if err != nil {
		t.Fatal(err)
	}
	l, err := architectures.NewLearner("vae", []byte(`{"channels":2,"latent":4}`), frontEnd(), labels(), 1)
	if err != nil {
		t.Fatal(err)
	}
	trainer := &models.Trainer{Steps: 4, EvalEvery: 2, BatchSize: 8, Evaluate: w.Evaluate, BestBy: Distance}
	c, err := trainer.Run(context.Background(), l, train, models.Batch{})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range c.Warnings {
		if x.Kind == "judge" {
			t.Fatal(x)
		}
	}
	again, err := w.Evaluate(t.Context(), c)
	if err != nil || c.GeneratesFrom() != 4 || again.Metrics[Distance] != c.Metrics[Distance] {
		t.Errorf("distance %g, and again %g, %v", c.Metrics[Distance], again.Metrics[Distance], err)
	}
	if len(shown) != 3 || shown[0].Step != 2 || shown[1].Step != 4 {
		t.Fatalf("%d previews", len(shown))
	}
	if !bytes.Equal(shown[1].Picture, shown[2].Picture) {
		t.Error("the same weights, another picture")
	}
	picture, err := os.ReadFile(filepath.Join(dir, "step-00000004.png"))
	if err != nil {
		t.Fatal(err)
	}
	if m, err := png.Decode(bytes.NewReader(picture)); err != nil || m.Bounds().Dx() < 2*frames {
		t.Errorf("picture: %v", err)
	}
	for _, s := range shown[1].Sounds {
		if clip, _, err := wav.Decode(s.WAV); err != nil || clip.Rate != rate {
			t.Errorf("%s %d: %v", s.Label, s.Number, err)
		}
	}
	sounds, err := filepath.Glob(filepath.Join(dir, "step-00000004_*.wav"))
	if err != nil || len(sounds) != len(shown[1].Sounds) || len(sounds) == 0 {
		t.Errorf("files %v, %d sounds", sounds, len(shown[1].Sounds))
	}
}

// Few recordings and many have the same principal components, whichever matrix they come from.
func TestBasisOfFewAndMany(t *testing.T) {
	few := featuresOf(recordings(200, 1))
	many := few
	for range 3 { // each three times more: n is above the number of features
		many = append(many, few...)
	}
	a, err := newBasis(few)
	if err != nil {
		t.Fatal(err)
	}
	b, err := newBasis(many)
	if err != nil {
		t.Fatal(err)
	}
	x, y := a.project(few[:20]), b.project(few[:20])
	for i := range x {
		for j := range 8 { // of later ones, neighbours may change places
			if math.Abs(math.Abs(x[i][j])-math.Abs(y[i][j])) > 1e-6 {
				t.Errorf("clip %d: component %d is %g or %g", i, j, x[i][j], y[i][j])
			}
		}
	}
}

// A folder that previews cannot be written into is a warning. The figures are those of an evaluation without previews.
func TestUnwritablePreviews(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := architectures.NewLearner("vae", []byte(`{"channels":2,"latent":4}`), frontEnd(), labels(), 1)
	if err != nil {
		t.Fatal(err)
	}
	train := recordings(36, 1)
	trainer := &models.Trainer{Steps: 2, BatchSize: 8}
	c, err := trainer.Run(t.Context(), l, train, models.Batch{})
	if err != nil {
		t.Fatal(err)
	}
	var found [2]models.Evaluation
	for i, previews := range []*PreviewWriter{nil, {Dir: file}} {
		w, err := New(train, models.Batch{}, labels(), frontEnd(), Options{Seed: 3, Clips: 12, Previews: previews})
		if err != nil {
			t.Fatal(err)
		}
		if found[i], err = w.Evaluate(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if !maps.Equal(found[0].Metrics, found[1].Metrics) || found[1].Metrics[Distance] == 0 {
		t.Errorf("%v, without previews %v", found[1].Metrics, found[0].Metrics)
	}
	n := len(found[0].Warnings)
	if len(found[1].Warnings) != n+1 || found[1].Warnings[n].Kind != KindPreviews || !strings.Contains(found[1].Warnings[n].Finding, file) {
		t.Errorf("%v, without previews %v", found[1].Warnings, found[0].Warnings)
	}
}
