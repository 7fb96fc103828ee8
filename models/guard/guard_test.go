package guard

import (
	"math"
	"slices"
	"strings"
	"testing"

	"wavemill/audio"
	"wavemill/audio/synth"
	"wavemill/models"
	"wavemill/models/frontend"
	"wavemill/models/training"
)

// sounds returns n synthetic clips of each of some classes.
func sounds(t *testing.T, n int, classes ...string) []audio.Clip {
	t.Helper()
	var out []audio.Clip
	for i := range n {
		for _, class := range classes {
			c, err := synth.Clip(class, uint64(i+1), 8000)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, c)
		}
	}
	return out
}

// altered returns a clip with other samples.
func altered(c audio.Clip, f func(i int, v float32) float32) audio.Clip {
	c.Samples = slices.Clone(c.Samples)
	for i, v := range c.Samples {
		c.Samples[i] = f(i, v)
	}
	return c
}

func TestSignalRules(t *testing.T) {
	clip := sounds(t, 1, "bell")[0]
	scale := func(g float64) audio.Clip {
		return altered(clip, func(_ int, v float32) float32 { return float32(g) * v })
	}
	limits := DefaultLimits()
	limits.Rate, limits.MinSeconds, limits.MaxSeconds = 8000, 0.2, 2
	detector, err := Fit(nil, limits)
	if err != nil {
		t.Fatal(err)
	}
	short, long := clip, clip
	short.Samples = clip.Samples[:800]
	long.Samples = slices.Repeat(clip.Samples, 4)
	other := clip
	other.Rate = 11025
	for name, c := range map[string]struct {
		clip      audio.Clip
		truncated bool
		want      string
	}{
		"as it is": {clip, false, ""},
		"soft":     {scale(0.01), false, ""},
		"silent":   {scale(0), false, RuleSilent},
		"over":     {scale(4), false, RuleClipped},
		"clipped":  {altered(scale(20), func(_ int, v float32) float32 { return max(-1, min(1, v)) }), false, RuleClipped},
		"short":    {short, false, RuleDuration},
		"long":     {long, false, RuleDuration},
		"rate":     {other, false, RuleRate},
		"cut off":  {clip, true, RuleTruncated},
		"two":      {scale(0), true, RuleSilent + "," + RuleTruncated},
	} {
		var a Analyst
		e, err := a.Clip(c.clip, c.truncated)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if v := detector.Of(e); v.Names() != c.want || v.Refused() == (v.String() == "") {
			t.Errorf("%s: rules %q (%s), want %q", name, v.Names(), v, c.want)
		}
	}
	off := limits
	off.Off = []string{RuleSilent, RuleTruncated}
	if detector, err = Fit(nil, off); err != nil {
		t.Fatal(err)
	}
	if e, err := new(Analyst).Clip(scale(0), true); err != nil || detector.Of(e).Refused() {
		t.Errorf("rules that are off refuse: %v", err)
	}
}

func TestClipsThatCannotBeMeasured(t *testing.T) {
	for name, c := range map[string]audio.Clip{
		"not a number": {Rate: 8000, Channels: 1, Samples: []float32{0, float32(math.NaN())}},
		"no rate":      {Channels: 1, Samples: []float32{0, 1}},
	} {
		if _, err := new(Analyst).Clip(c, false); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	fe := frontend.Plan([]int{8000}, nil)
	if _, err := Spectrogram("a", "", make([]float32, 7), fe); err == nil {
		t.Error("a spectrogram of the wrong size is measured")
	}
}

// The score of an example without itself is the one of a classifier that was fitted without it.
func TestScoresWithoutAnExample(t *testing.T) {
	examples := measureAll(t, sounds(t, 8, "bell", "chirp", "kick"), nil)
	all := make([]*Example, len(examples))
	for i := range examples {
		all[i] = &examples[i]
	}
	whole, err := fitClassifier(all, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		part, err := fitClassifier(slices.Delete(slices.Clone(all), i, i+1), whole.scale, whole.shares)
		if err != nil {
			t.Fatal(err)
		}
		want, got := part.scores(all[i].vector), whole.without(i)
		for l := range want {
			if math.Abs(want[l]-got[l]) > 1e-4 {
				t.Fatalf("example %d, label %s: %g, a fit without it gives %g", i, whole.labels[l], got[l], want[l])
			}
		}
	}
}

// A clip with the label of another class, and one of a class that nobody has, are refused; copies are, whatever their label.
func TestWrongLabelsOutliersAndCopies(t *testing.T) {
	clips := sounds(t, 24, "bell", "kick", "pluck")
	limits := DefaultLimits()
	examples := measureAll(t, clips, nil)
	detector, err := Fit(examples, limits)
	if err != nil {
		t.Fatal(err)
	}
	if f := detector.Facts(); f.Clips != len(clips) || len(f.Labels) != 3 || f.Accuracy < 0.9 {
		t.Fatalf("facts %+v", f)
	}
	refused := 0
	for _, e := range examples {
		if detector.Of(e).Refused() {
			refused++
		}
	}
	if refused > 4 {
		t.Errorf("%d of %d good clips are refused", refused, len(clips))
	}
	fresh, err := synth.Clip("bell", 1000, 8000)
	if err != nil {
		t.Fatal(err)
	}
	hat, err := synth.Clip("hihat", 1000, 8000)
	if err != nil {
		t.Fatal(err)
	}
	wrong := fresh
	wrong.Label = "kick"
	hat.Label = "bell"
	copied := altered(clips[3], func(_ int, v float32) float32 { return 0.5 * v })
	poison := copied
	poison.Label = "kick"
	if poison.Label == clips[3].Label {
		poison.Label = "bell"
	}
	copies := NewCopies(100)
	for _, e := range examples {
		copies.Add(e)
	}
	for name, c := range map[string]struct {
		clip audio.Clip
		want string
	}{"good": {fresh, ""}, "wrong": {wrong, RuleLabel}, "hi-hat": {hat, RuleOutlier}, "copy": {copied, RuleCopy}, "poison": {poison, RulePoisoned}} {
		e, err := new(Analyst).Clip(c.clip, false)
		if err != nil {
			t.Fatal(err)
		}
		e.ID = 1000
		if name == "copy" || name == "poison" {
			e.ID = 80
		}
		v := detector.Of(e)
		copies.Judge(&v, e, limits)
		if c.want == "" && v.Refused() || !strings.Contains(v.Names(), c.want) {
			t.Errorf("%s: %q (%s), want %q", name, v.Names(), v, c.want)
		}
	}
	e := examples[3]
	if e.ID = 500; true {
		if _, _, ok := copies.Of(e); ok {
			t.Error("a copy from before the window is found")
		}
	}
}

// A copy that is panned elsewhere is another recording, as a clip and as a spectrogram of two channels; a quieter one at the
// same place is a copy, and so is any where there is but one channel.
func TestPannedCopies(t *testing.T) {
	mono := sounds(t, 1, "bell")[0]
	placed := func(left, right float32) audio.Clip {
		c := mono
		c.Channels, c.Samples = 2, nil
		for _, v := range mono.Samples {
			c.Samples = append(c.Samples, left*v, right*v)
		}
		return c
	}
	first, moved, quiet := placed(1, 0.5), placed(0.5, 1), placed(0.5, 0.25)
	fe := frontend.PlanFor([]audio.Clip{first, moved, quiet})
	if fe.Spectrogram.Channels != 2 {
		t.Fatalf("%+v", fe)
	}
	mixed := fe
	mixed.Spectrogram = fe.Spectrogram.Mono()
	for name, as := range map[string]*models.FrontEnd{"clips": nil, "spectrograms": &fe, "mono spectrograms": &mixed} {
		measured := measureAll(t, []audio.Clip{first, moved, quiet}, as)
		for i, want := range []bool{false, as == &mixed, true} {
			copies := NewCopies(10)
			copies.Add(measured[0])
			e := measured[i]
			e.ID = 5
			if i == 0 {
				e.ID = measured[0].ID // nothing lies before it
			}
			if _, _, ok := copies.Of(e); ok != want {
				t.Errorf("%s: clip %d is a copy: %t, want %t", name, i, ok, want)
			}
		}
	}
}

// Labels that have nothing to do with the sound are no reason to refuse anything for its label.
func TestLabelsWithoutMeaning(t *testing.T) {
	clips := sounds(t, 40, "bell")
	for i := range clips {
		clips[i].Label = []string{"a", "b"}[i%2]
	}
	examples := measureAll(t, clips, nil)
	detector, err := Fit(examples, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if f := detector.Facts(); len(f.Labels) != 0 {
		t.Errorf("facts %+v", f)
	}
	for _, e := range examples {
		if v := detector.Of(e); strings.Contains(v.Names(), RuleLabel) {
			t.Errorf("%s", v)
		}
	}
}

// The spectrogram of a clip is judged like the clip: by the pictures of both a classifier tells the same labels apart.
func TestSpectrograms(t *testing.T) {
	clips, kinds := Trial{Shares: map[string]float64{TrialFlipped: 0.06, TrialOver: 0.02, TrialCopy: 0.04}, Seed: 2}.Spoil(sounds(t, 40, "bell", "kick", "vowel"))
	fe := frontend.PlanFor(clips)
	count, _ := stream(t, clips, kinds, measureAll(t, clips, &fe), 120, &fe, nil)
	t.Logf("refused of all, by kind: %v", count)
	for _, kind := range []string{TrialFlipped, TrialCopy} {
		if count.share(kind) < 0.7 {
			t.Errorf("%s: %v of all are refused", kind, count[kind])
		}
	}
	if count.share(TrialGood) > 0.08 {
		t.Errorf("%v of the good spectrograms are refused", count[TrialGood])
	}
	values := make([]float32, fe.Frames*fe.Spectrogram.Bins())
	for i := range values {
		values[i] = -1
	}
	detector, err := Fit(nil, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]float32{RuleSilent: -1, RulePoisoned: 7} {
		values[3] = change
		e, err := Spectrogram("bell", "", values, fe)
		if v := detector.Of(e); err != nil || !strings.Contains(v.Names(), want) {
			t.Errorf("%s: %q, %v", want, v.Names(), err)
		}
	}
}

// A model that has learnt the classes refuses what it cannot reconstruct.
func TestModel(t *testing.T) {
	clips := sounds(t, 16, "bell", "kick")
	checkpoint := train(t.Context(), t, training.Job{
		Arch: "vaegan", Config: []byte(`{"vae":{"channels":4,"latent":4},"discriminator_channels":4}`), Seed: 1, Steps: 20, BestBy: training.BestByLast,
		NewEvaluator: func(training.Set, uint64) (training.Evaluator, error) { return nil, nil },
	}, clips)
	m, err := OpenModel(checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	var samples []Sample
	var heard []string
	for i, c := range clips {
		s, ok := m.OfClip(c)
		if !ok {
			t.Fatalf("clip %d has no sample", i)
		}
		samples, heard = append(samples, s), append(heard, []string{"kick", "bell"}[i%2])
	}
	limits := DefaultLimits()
	if err := m.Judge(t.Context(), new(Verdict), samples[0], limits); err != nil {
		t.Fatal(err)
	}
	if err := m.Calibrate(t.Context(), samples, heard, limits); err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, s := range samples {
		var v Verdict
		if err := m.Judge(t.Context(), &v, s, limits); err != nil {
			t.Fatal(err)
		}
		if v.Scores.Reconstruction == nil || v.Scores.Realness == nil {
			t.Fatalf("scores %+v", v.Scores)
		}
		if v.Refused() {
			refused++
		}
	}
	if refused > 4 {
		t.Errorf("%d of %d of the clips that it has learnt are refused", refused, len(samples))
	}
	noisy := samples[0]
	noisy.Values = slices.Clone(noisy.Values)
	for i := range noisy.Values {
		noisy.Values[i] = float32(i%2)*2 - 1
	}
	var v Verdict
	if err := m.Judge(t.Context(), &v, noisy, limits); err != nil || !strings.Contains(v.Names(), RuleModel) {
		t.Errorf("a checkerboard: %q, %v", v.Names(), err)
	}
	if _, ok := m.OfSpectrogram("bell", samples[0].Values, frontend.Plan([]int{44100}, nil)); ok {
		t.Error("a spectrogram of another front end is judged")
	}
	unknown := clips[0]
	unknown.Label = "gong"
	if _, ok := m.OfClip(unknown); ok {
		t.Error("a label that the model does not know is judged")
	}
}

func TestLimitsAreChecked(t *testing.T) {
	for want, change := range map[string]func(*Limits){
		"no rule":       func(l *Limits) { l.Off = []string{"loudness"} },
		"rate":          func(l *Limits) { l.Rate = -1 },
		"duration":      func(l *Limits) { l.MinSeconds, l.MaxSeconds = 2, 1 },
		"clipped":       func(l *Limits) { l.Full = math.NaN() },
		"label_margin":  func(l *Limits) { l.LabelMargin = -1 },
		"spread":        func(l *Limits) { l.Spread = 0 },
		"realness":      func(l *Limits) { l.Realness = 1 },
		"min_per_label": func(l *Limits) { l.Least = 1 },
	} {
		l := DefaultLimits()
		change(&l)
		if _, err := Fit(nil, l); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
