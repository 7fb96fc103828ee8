package eval_test

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"wavemill/audio"
	"wavemill/models/eval"
	"wavemill/models/frontend"
)

// evaluator returns an evaluator of synthetic sounds, with the classifier that the tests share, and what it was given.
func evaluator(t *testing.T, o eval.EvaluatorOptions) (j *eval.Evaluator, train, heldOut []audio.Clip) {
	t.Helper()
	train, heldOut = synthetic(t, 20, 0, 8000), synthetic(t, 8, 500, 8000)
	if o.Epochs == 0 {
		o.Classifier = classifier(t)
	}
	j, err := eval.NewEvaluator(t.Context(), train, heldOut, o)
	if err != nil {
		t.Fatal(err)
	}
	return j, train, heldOut
}

// row evaluates clips as a model's.
func row(t *testing.T, j *eval.Evaluator, name string, clips []audio.Clip) eval.Row {
	t.Helper()
	r, err := j.Row(t.Context(), name, "model", clips)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return r
}

func TestEvaluatorTellsGoodFromBad(t *testing.T) {
	j, train, heldOut := evaluator(t, eval.EvaluatorOptions{Seed: 1})
	report := j.Report()
	real := report.Rows[0]
	if real.Kind != "real" || real.FrechetRatio != 1 || real.InceptionRatio != 1 || real.DiversityRatio != 1 || real.Clips != 48 || real.Parts != 1 {
		t.Errorf("the row of real clips: %+v", real)
	}
	if report.TrainClips != 120 || report.HeldOut != 48 || len(report.Labels) != 6 || report.Evaluator.Accuracy != real.LabelAccuracy ||
		report.Evaluator.Trusted != (real.LabelAccuracy >= eval.Gate) || real.LabelAccuracy < 0.9 {
		t.Errorf("report: %+v", report)
	}

	fresh := row(t, j, "fresh", synthetic(t, 24, 9000, 8000))
	if fresh.Parts != 3 || fresh.LabelAccuracy < 0.9 || fresh.FrechetRatio > 4 || fresh.InceptionRatio < 0.9 || fresh.Memorisation.Alarm {
		t.Errorf("fresh clips of the same synthesiser: %+v", fresh)
	}
	ceiling, err := eval.RoundTrip(t.Context(), frontend.PlanFor(train), heldOut, 1)
	if err != nil {
		t.Fatal(err)
	}
	if r := row(t, j, "ceiling", ceiling); r.LabelAccuracy < 0.85 || r.Memorisation.Alarm {
		t.Errorf("ceiling: %+v", r)
	}
	noise := row(t, j, "noise", eval.Noise(heldOut, 1))
	if noise.LabelAccuracy > 0.5 || noise.FrechetRatio < 4*fresh.FrechetRatio || noise.Kernel < 4*math.Abs(fresh.Kernel) || noise.NDB <= fresh.NDB ||
		noise.InceptionRatio > 0.8 || noise.TwoSample.Generated < 0.9 {
		t.Errorf("noise: %+v", noise)
	}
	silent := synthetic(t, 8, 1, 8000)
	for i := range silent {
		silent[i].Samples = make([]float32, 4000)
	}
	if r := row(t, j, "silence", silent); r.Silent != 1 || r.DiversityRatio != 0 {
		t.Errorf("silence: %+v", r)
	}
	swapped := synthetic(t, 8, 9000, 8000)
	for i := range swapped {
		swapped[i].Label = swapped[(i+1)%6].Label
	}
	if r := row(t, j, "wrong labels", swapped); r.LabelAccuracy > 0.2 {
		t.Errorf("clips of other labels than asked for: accuracy %.2f", r.LabelAccuracy)
	}
}

func TestMemorisationIsNoticed(t *testing.T) {
	j, train, _ := evaluator(t, eval.EvaluatorOptions{Seed: 2})
	copies, err := eval.RoundTrip(t.Context(), frontend.PlanFor(train), train, 1)
	if err != nil {
		t.Fatal(err)
	}
	all := row(t, j, "copies", copies)
	if !all.Memorisation.Alarm {
		t.Errorf("training clips given back: %+v", all.Memorisation)
	}
	right := 0
	for i, n := range all.Memorisation.Nearest {
		if i == n {
			right++
		}
	}
	if right < len(train)*9/10 {
		t.Errorf("only %d of %d copies are nearest to their originals", right, len(train))
	}
	some := synthetic(t, 20, 9000, 8000)
	if r := row(t, j, "none", some); r.Memorisation.Alarm {
		t.Errorf("fresh clips: %+v", r.Memorisation)
	}
	for i := range some {
		if i%10 == 0 {
			some[i] = copies[i]
		}
	}
	if r := row(t, j, "some", some); !r.Memorisation.Alarm {
		t.Errorf("one copy in ten: %+v", r.Memorisation)
	}
}

func TestCollapseIsNoticed(t *testing.T) {
	j, _, _ := evaluator(t, eval.EvaluatorOptions{Seed: 3})
	one := slices.Repeat(synthetic(t, 1, 9000, 8000), 16)
	if r := row(t, j, "collapsed", one); r.DiversityRatio > 0.3 || r.LabelAccuracy < 0.5 || r.TwoSample.Generated < 0.9 {
		t.Errorf("one clip of each label, again and again: %+v", r)
	}
}

func TestUsefulness(t *testing.T) {
	if testing.Short() {
		t.Skip("trains several classifiers")
	}
	j, _, heldOut := evaluator(t, eval.EvaluatorOptions{Seed: 4, Useful: true, Shares: []float64{0.05, 1}, Steps: 30, Policies: eval.Policies()[1:2]})
	good := row(t, j, "good", synthetic(t, 25, 9000, 8000)).Usefulness
	bad := row(t, j, "noise", eval.Noise(heldOut, 1)).Usefulness
	if good == nil || good.Alone < 0.8 || good.Real < 0.8 || good.Ratio != good.Alone/good.Real {
		t.Fatalf("fresh clips: %+v", good)
	}
	if bad == nil || bad.Alone > 0.5 || bad.Real != good.Real {
		t.Errorf("noise: %+v", bad)
	}
	if len(good.Added) != 2 || good.Added[0].RealClips != 6 || good.Added[1].RealClips != 120 || good.Added[0].Added != 150 {
		t.Fatalf("gains: %+v", good.Added)
	}
	few := good.Added[0]
	if few.Points < 3 || math.Abs(few.Points-100*(few.After-few.Before)) > 1e-9 {
		t.Errorf("150 good clips beside one of each label: %+v", few)
	}
}

func TestEvaluatorIsDeterministic(t *testing.T) {
	text := func() string {
		j, _, _ := evaluator(t, eval.EvaluatorOptions{Seed: 5, Epochs: 2})
		r := j.Report()
		r.Rows = append(r.Rows, row(t, j, "fresh", synthetic(t, 9, 9000, 8000)))
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if a, b := text(), text(); a != b {
		t.Errorf("two evaluations of the same:\n%s\n%s", a, b)
	}
}

// One held-out clip a label is little, but not too little.
func TestEvaluatorWithOneHeldOutClipALabel(t *testing.T) {
	j, err := eval.NewEvaluator(t.Context(), synthetic(t, 6, 0, 8000), synthetic(t, 1, 500, 8000), eval.EvaluatorOptions{Epochs: 2})
	if err != nil {
		t.Fatal(err)
	}
	if r := row(t, j, "one each", synthetic(t, 1, 9000, 8000)); r.Diversity != 0 || r.Clips != 6 {
		t.Errorf("%+v", r)
	}
	if r := row(t, j, "three each", synthetic(t, 3, 9000, 8000)); r.DiversityRatio <= 0 || math.IsInf(r.DiversityRatio, 0) {
		t.Errorf("%+v", r)
	}
}

// A classifier that was trained before, and read from its checkpoint, gives the figures of the evaluator that trained it.
func TestEvaluatorWithAClassifier(t *testing.T) {
	train, heldOut, clips := synthetic(t, 6, 0, 8000), synthetic(t, 2, 500, 8000), synthetic(t, 3, 900, 8000)
	first, err := eval.NewEvaluator(t.Context(), train, heldOut, eval.EvaluatorOptions{Epochs: 2})
	if err != nil {
		t.Fatal(err)
	}
	stored, err := first.Classifier().Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	classifier, err := eval.Open(stored)
	if err != nil {
		t.Fatal(err)
	}
	second, err := eval.NewEvaluator(t.Context(), train, heldOut, eval.EvaluatorOptions{Classifier: classifier, OnProgress: func(what string, _ float64) {
		if what == "training the evaluator" {
			t.Error("a classifier is trained")
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if a, b := row(t, first, "clips", clips), row(t, second, "clips", clips); a.LabelAccuracy != b.LabelAccuracy || a.AudioKernel != b.AudioKernel || a.Memorisation.Spectrogram != b.Memorisation.Spectrogram {
		t.Errorf("%+v, %+v", a, b)
	}
}

func TestEvaluatorRefuses(t *testing.T) {
	train, heldOut := synthetic(t, 4, 0, 8000), synthetic(t, 2, 500, 8000)
	stranger := slices.Clone(heldOut)
	stranger[0].Label = "stranger"
	for name, c := range map[string]struct {
		train, heldOut []audio.Clip
		o              eval.EvaluatorOptions
		want           string
	}{
		"nothing held out":     {train, nil, eval.EvaluatorOptions{}, "no clips"},
		"an unknown label":     {train, stranger, eval.EvaluatorOptions{}, "stranger"},
		"a label not held out": {train, heldOut[:5], eval.EvaluatorOptions{}, "no held-out clip"},
		"a share of zero":      {train, heldOut, eval.EvaluatorOptions{Shares: []float64{0}}, "share"},
	} {
		c.o.Epochs = 1
		if _, err := eval.NewEvaluator(t.Context(), c.train, c.heldOut, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestTrial(t *testing.T) {
	train, test := synthetic(t, 2, 0, 8000), synthetic(t, 6, 500, 8000)
	last := 0
	trial := eval.Trial{Seeds: []uint64{1}, Steps: 60, Policies: eval.Policies()[1:2], OnProgress: func(done, all int) {
		if done < last || all != 3*3*60 { // Three classifiers of three networks.
			t.Errorf("%d of %d after %d", done, all, last)
		}
		last = done
	}}
	g, err := trial.Run(t.Context(), train, synthetic(t, 20, 9000, 8000), test)
	if err != nil || last != 3*3*60 {
		t.Fatalf("%d steps, error %v", last, err)
	}
	if g.Policy != "light" || g.TestClips != 36 || g.Steps != 60 || g.Seeds != 1 || g.Verdict != eval.VerdictOn(g.Intervals["gain_points"], g.Intervals["over_alone_points"]) ||
		math.Abs(g.Augmentation-100*(g.Before-g.Alone)) > 1e-9 || !g.Intervals["recordings_alone"].Holds(g.Alone) || !g.Intervals["augmentation_points"].Holds(g.Augmentation) {
		t.Errorf("%+v", g)
	}
	if g.RealClips != 12 || g.Added != 120 || g.Points < 0 || math.Abs(g.Points-100*(g.After-g.Before)) > 1e-9 || g.After < 0.8 {
		t.Errorf("%+v", g)
	}
	if _, err := trial.Run(t.Context(), nil, nil, test); err == nil {
		t.Error("nothing to train on: no error")
	}
}

func TestFilter(t *testing.T) {
	c := classifier(t)
	train := synthetic(t, 20, 0, 8000)
	s, err := eval.NewFilter(t.Context(), c, train, 0)
	if err != nil {
		t.Fatal(err)
	}
	clips := synthetic(t, 5, 9000, 8000)
	sifted, err := s.Check(t.Context(), clips)
	if err != nil {
		t.Fatal(err)
	}
	kept := 0
	for i, v := range sifted {
		if v.OK != (v.Reason == "") || v.OK && (v.Confidence < 0.5 || v.Newness <= 0) {
			t.Errorf("clip %d: %+v", i, v)
		}
		if v.OK {
			kept++
		}
	}
	if kept < 24 {
		t.Errorf("%d of 30 fresh clips kept: %+v", kept, sifted)
	}
	silent, wrong, copied := clips[0], clips[1], train[2]
	silent.Samples = make([]float32, 4000)
	wrong.Label = clips[2].Label
	sifted, err = s.Check(t.Context(), []audio.Clip{silent, wrong, copied})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"silent", "heard as " + clips[1].Label, "copy"} {
		if sifted[i].OK || sifted[i].Reason != want {
			t.Errorf("%+v, want %q", sifted[i], want)
		}
	}
	if sifted[2].Nearest != 2 || sifted[2].Newness > 1e-6 {
		t.Errorf("a copy of training clip 2: %+v", sifted[2])
	}
	strict, err := eval.NewFilter(t.Context(), c, train, 0.999999)
	if err != nil {
		t.Fatal(err)
	}
	if sifted, err = strict.Check(t.Context(), clips[:1]); err != nil || sifted[0].Reason != "unsure" {
		t.Errorf("%+v, error %v", sifted, err)
	}
	stranger := clips[0]
	stranger.Label = "stranger"
	if _, err := s.Check(t.Context(), []audio.Clip{stranger}); err == nil {
		t.Error("an unknown label: no error")
	}
	if _, err := eval.NewFilter(t.Context(), c, train[:1], 0); err == nil {
		t.Error("one training clip: no error")
	}
	if _, err := eval.NewFilter(t.Context(), c, train, 1); err == nil {
		t.Error("a confidence of 1: no error")
	}
}
