package monitor

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"wavemill/audio"
	"wavemill/audio/spectrogram"
	"wavemill/audio/timbre"
	"wavemill/models"
	"wavemill/models/frontend"
)

// A drum is how drums of a test differ from the recordings'.
type drum struct{ pitch, tail, level float64 }

// drums are spectrograms of kicks and hats, no two equal.
func drums(t *testing.T, front *frontend.FrontEnd, n int, seed uint64, d drum) models.Batch {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 2))
	vary := func(by float64) float64 { return 1 + by*rng.NormFloat64() }
	clips := make([]audio.Clip, n)
	for i := range clips {
		hz, t60, level := 80*d.pitch*vary(0.01), 0.5*d.tail*vary(0.05), 0.4*d.level*vary(0.1)
		x := make([]float32, rate)
		for k := range x {
			at := float64(k) / rate
			v := math.Sin(2 * math.Pi * hz * at)
			if i%2 == 1 {
				v = 0.5 * rng.NormFloat64()
			}
			x[k] = float32(level * min(1, at/0.004) * math.Pow(10, -3*at/t60) * v)
		}
		clips[i] = audio.Clip{Samples: x, Channels: 1, Rate: rate, Label: []string{"kick", "hat"}[i%2]}
	}
	b, err := front.BatchOf(t.Context(), clips)
	if err != nil {
		t.Fatal(err)
	}
	b.Labels = nil
	for i := range clips {
		b.Labels = append(b.Labels, i%2)
	}
	return b
}

func TestSoundCheck(t *testing.T) {
	c := spectrogram.Default(rate)
	c.NFFT, c.Hop, c.Scale, c.Mels, c.MelFormula, c.MelNorm, c.FMin, c.FMax, c.DropNyquist = 1024, 256, spectrogram.ScaleLinear, 0, "", "", 0, 0, true
	front, err := frontend.New(models.FrontEnd{Spectrogram: c.Scaled(), Frames: frames})
	if err != nil {
		t.Fatal(err)
	}
	l := newSoundCheck(front, drums(t, front, 40, 1, drum{1, 1, 1}), []string{"kick", "hat"})
	for _, test := range []struct {
		made drum
		want string // kinds of the warnings
		says string
	}{
		{drum{1, 1, 1}, "", ""},
		{drum{math.Pow(2, -1.2/12), 1, 1}, "pitch", "kick comes out 1."},
		{drum{math.Pow(2, 1.2/12), 1, 1}, "pitch", "semitones high"},
		{drum{1, 0.4, 1}, "tail", "hat lasts 0."},
		{drum{1, 1, 0.2}, "level", "kick peaks at -2"},
	} {
		found, err := l.warnings(t.Context(), drums(t, front, 40, 9, test.made))
		if err != nil {
			t.Fatal(err)
		}
		var kinds, text []string
		for _, w := range found {
			kinds, text = append(kinds, w.Kind), append(text, w.String())
		}
		if strings.Join(kinds, " ") != test.want || !strings.Contains(strings.Join(text, "\n"), test.says) {
			t.Errorf("drums that differ by %+v: %q, want %q that says %q", test.made, text, test.want, test.says)
		}
	}
	silent := drums(t, front, 40, 1, drum{1, 1, 1})
	for i := range silent.Data {
		silent.Data[i] = -1
	}
	if found, err := l.warnings(t.Context(), silent); err != nil || len(found) > 0 {
		t.Errorf("silent previews: %v, %v", found, err)
	}
}

// clipsWith are the measures of clips of which one is given and varies a little.
func clipsWith(set func(m *timbre.Measures, vary float64)) []timbre.Measures {
	out := make([]timbre.Measures, 8)
	for i := range out {
		out[i] = timbre.Undefined()
		set(&out[i], 1+0.02*(float64(i)-3.5))
	}
	return out
}

// Every fault is found where medians differ enough and the clips of a label do not vary as much themselves.
func TestFaults(t *testing.T) {
	of := map[string]struct{ recorded, bad, good float64 }{
		KindPitch: {60, 50, 61}, KindFlutter: {1, 2.5, 0.1}, KindHopLine: {2, 10, -8}, KindWarble: {0.5, 3, 0.1}, KindAttack: {3, 12, 1},
		KindTail: {0.5, 0.2, 0.6}, KindLevel: {-3, -15, -6}, KindPersistence: {0.6, 0.1, 0.9},
	}
	field := map[string]func(*timbre.Measures) *float64{
		KindPitch: func(m *timbre.Measures) *float64 { return &m.Pitch }, KindFlutter: func(m *timbre.Measures) *float64 { return &m.Flutter },
		KindHopLine: func(m *timbre.Measures) *float64 { return &m.Line }, KindWarble: func(m *timbre.Measures) *float64 { return &m.Warble },
		KindAttack: func(m *timbre.Measures) *float64 { return &m.Attack }, KindTail: func(m *timbre.Measures) *float64 { return &m.Tail },
		KindLevel: func(m *timbre.Measures) *float64 { return &m.Peak }, KindPersistence: func(m *timbre.Measures) *float64 { return &m.Persistence },
	}
	for _, f := range faults(spectrogram.Default(44100)) {
		v, at := of[f.kind], field[f.kind]
		clips := func(value float64) []timbre.Measures {
			return clipsWith(func(m *timbre.Measures, vary float64) { *at(m) = value * vary })
		}
		if finding, found := f.compare(clips(v.recorded), clips(v.bad)); !found || strings.Contains(finding, "NaN") || f.advice == "" {
			t.Errorf("%s of %g beside %g: found %v, %q", f.kind, v.bad, v.recorded, found, finding)
		}
		if finding, found := f.compare(clips(v.recorded), clips(v.good)); found {
			t.Errorf("%s of %g beside %g: %q", f.kind, v.good, v.recorded, finding)
		}
		if _, found := f.compare(clips(v.recorded)[:2], clips(v.bad)); found {
			t.Errorf("%s is judged by two clips", f.kind)
		}
		if f.kind != KindFlutter && f.kind != KindLevel && f.kind != KindWarble {
			continue
		}
		wide := clipsWith(func(m *timbre.Measures, vary float64) { *at(m) = v.recorded + 100*(vary-1)*(v.bad-v.recorded) })
		if finding, found := f.compare(wide, clips(v.bad)); found {
			t.Errorf("%s beside recordings of all kinds: %q", f.kind, finding)
		}
	}
}

func TestImbalance(t *testing.T) {
	b := recordings(300, 1)
	if w, found := imbalance(b, labels()); found {
		t.Errorf("100 clips of each label: %v", w)
	}
	few := slices.DeleteFunc(sequence(300), func(i int) bool { return i > 30 && b.Labels[i] == 1 || i > 120 })
	if w, found := imbalance(b.Select(models.Batch{}, few), labels()); found {
		t.Errorf("10 clips of a label beside 40: %v", w)
	}
	kept := slices.DeleteFunc(sequence(300), func(i int) bool { return b.Labels[i] == 1 && i > 30 })
	w, found := imbalance(b.Select(models.Batch{}, kept), labels())
	if !found || !strings.Contains(w.Finding, "few recordings of high 10, where low has 100") {
		t.Errorf("found %v: %v", found, w)
	}
}

func TestConfusion(t *testing.T) {
	b := recordings(300, 1)
	m := newMonitor(t)
	if w, found := m.real.confusion(labels()); found {
		t.Errorf("labels that differ: %v", w)
	}
	b = b.Select(models.Batch{}, slices.DeleteFunc(sequence(300), func(i int) bool { return b.Labels[i] == 2 }))
	for i, l := range b.Labels {
		if l == 0 && i%4 == 0 {
			b.Labels[i] = 2 // The same sounds under two names.
		}
	}
	mixed, err := New(b, models.Batch{}, labels(), frontEnd(), Options{Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	w, found := mixed.real.confusion(labels())
	if !found || !strings.Contains(w.Finding, "of 50 of low are nearest to odd/label") {
		t.Errorf("found %v: %v", found, w)
	}
	if got, _ := kinds(t, mixed, recordings(60, 2)); !slices.Contains(got, KindConfusion) {
		t.Errorf("an evaluation warns of %v", got)
	}
}

func TestSteps(t *testing.T) {
	for _, test := range []struct {
		c        models.Checkpoint
		distance float64
		found    bool
	}{
		{models.Checkpoint{Step: 30, Planned: 30, BatchSize: 10}, 0.9, true},    // 3 passes
		{models.Checkpoint{Step: 30, Planned: 90, BatchSize: 10}, 0.9, false},   // not the end
		{models.Checkpoint{Step: 300, Planned: 300, BatchSize: 10}, 0.9, false}, // 30 passes
		{models.Checkpoint{Step: 30, Planned: 30, BatchSize: 10}, 0.1, false},   // good enough
		{models.Checkpoint{}, 0.9, false},
	} {
		w, found := steps(test.c, 100, test.distance)
		if found != test.found {
			t.Errorf("%+v at %g: found %v", test.c, test.distance, found)
		}
		if found && (!strings.Contains(w.Finding, "3.0 passes over 100 recordings") || !strings.Contains(w.Advice, "--steps 101")) {
			t.Errorf("%v", w)
		}
	}
}

// TestFaultAdvice: what to change is a flag that the front end has, and no flag that would take it away.
func TestFaultAdvice(t *testing.T) {
	mel := spectrogram.Default(44100)
	knee := mel
	knee.MelFormula = spectrogram.FormulaKnee
	for name, c := range map[string]struct {
		config spectrogram.Config
		pitch  string
		flags  bool
	}{
		"mel": {mel, "--mel-formula knee", true}, "knee": {knee, "--mels 256", true}, "one-shots": {spectrogram.OneShot(44100), "more channels", false},
	} {
		for _, f := range faults(c.config) {
			if f.kind == KindPitch && !strings.Contains(f.advice, c.pitch) {
				t.Errorf("%s: %s, want %s", name, f.advice, c.pitch)
			}
			if !c.flags && strings.Contains(f.advice, "--") {
				t.Errorf("%s: %s: a flag that plans a mel scale", name, f.advice)
			}
		}
	}
}
