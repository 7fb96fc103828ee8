package eval_test

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"wavemill/audio"
	"wavemill/models/eval"
)

// constant returns n clips of each of two labels that hold one value throughout.
func constant(n int, value float32) []audio.Clip {
	var clips []audio.Clip
	for range n {
		for _, label := range []string{"a", "b"} {
			clips = append(clips, audio.Clip{Samples: slices.Repeat([]float32{value}, 4000), Channels: 1, Rate: 8000, Label: label, Source: label})
		}
	}
	return clips
}

// Sets without variance give finite figures, or say which could not be measured.
func TestDegenerateSetsAreEvaluated(t *testing.T) {
	sounds := func(n int, seed uint64) []audio.Clip {
		all := synthetic(t, n, seed, 8000)
		return slices.DeleteFunc(all, func(c audio.Clip) bool { return c.Label != all[0].Label && c.Label != all[1].Label })
	}
	relabelled := func(clips []audio.Clip) []audio.Clip {
		of := sounds(1, 0)
		for i := range clips {
			clips[i].Label = of[i%2].Label
		}
		return clips
	}
	identical := func(n int) []audio.Clip { return slices.Repeat(sounds(1, 1), n) }
	for name, c := range map[string]struct {
		train, held []audio.Clip
		unmeasured  []string // of a row of the same kind of clips
	}{
		"DC":                   {constant(12, 0.5), constant(4, 0.5), []string{"memorisation"}},
		"identical recordings": {identical(12), identical(4), []string{"memorisation"}},
		"silence":              {constant(12, 0), constant(4, 0), []string{"memorisation", "frechet"}},
		"sounds":               {sounds(12, 0), sounds(4, 500), nil},
	} {
		e, err := eval.NewEvaluator(t.Context(), c.train, c.held, eval.EvaluatorOptions{Epochs: 3})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for kind, clips := range map[string][]audio.Clip{
			"DC": constant(12, 0.5), "silent": constant(12, 0), "identical": identical(12), "fresh": sounds(12, 9000), "noise": eval.Noise(identical(12), 1), "one": identical(1),
		} {
			if name == "sounds" || name == "identical recordings" {
				clips = relabelled(slices.Clone(clips))
			} else {
				clips = slices.Clone(clips)
				for i := range clips {
					clips[i].Label = []string{"a", "b"}[i%2]
				}
			}
			r, err := e.Row(t.Context(), kind, "model", clips)
			if err != nil {
				t.Errorf("%s, %s: %v", name, kind, err)
				continue
			}
			if _, err := json.Marshal(r); err != nil {
				t.Errorf("%s, %s: %v", name, kind, err)
			}
			// Without recordings that vary, a ratio of billions would be rounding error.
			if _, missing := r.NotMeasured["frechet_ratio"]; !missing && (r.FrechetRatio > 1e6 || math.IsNaN(r.FrechetRatio)) {
				t.Errorf("%s, %s: Fréchet ratio %g, distance %g", name, kind, r.FrechetRatio, r.Frechet)
			}
			for _, figure := range c.unmeasured {
				if _, missing := r.NotMeasured[figure]; !missing {
					t.Errorf("%s, %s: %s counts as measured; not measured: %v", name, kind, figure, r.NotMeasured)
				}
			}
		}
	}
}

// Copies in the data must not hide copies that a model makes.
func TestAlarmWithDuplicateRecordings(t *testing.T) {
	train, held := synthetic(t, 20, 0, 8000), synthetic(t, 10, 500, 8000)
	held = append(held[:len(held)-6], train[:6]...) // a tenth of the held-out recordings was trained on
	e, err := eval.NewEvaluator(t.Context(), append(train, train[:12]...), held, eval.EvaluatorOptions{Epochs: 4})
	if err != nil {
		t.Fatal(err)
	}
	if m := row(t, e, "copies", train).Memorisation; !m.Alarm || !m.Judged {
		t.Errorf("training clips given back: %+v", m)
	}
	if m := row(t, e, "fresh", synthetic(t, 20, 9000, 8000)).Memorisation; m.Alarm || !m.Judged || m.RealSpectrogram == 0 {
		t.Errorf("fresh clips: %+v", m)
	}
	few := row(t, e, "few", synthetic(t, 2, 9000, 8000))
	if few.Memorisation.Judged || few.Memorisation.Alarm || !strings.Contains(few.NotMeasured["memorisation"], "12 clips") {
		t.Errorf("12 clips: %+v, %v", few.Memorisation, few.NotMeasured)
	}
	// The filter's distances are not those of duplicates either.
	f, err := eval.NewFilter(t.Context(), e.Classifier(), append(train, train...), 0)
	if err != nil {
		t.Fatal(err)
	}
	if f, err = f.Within(eval.Limits{Confidence: -1}); err != nil {
		t.Fatal(err)
	}
	results, err := f.Check(t.Context(), train[:3])
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		if r.OK || r.Reason != "copy" {
			t.Errorf("training clip %d: %+v", i, r)
		}
	}
}
