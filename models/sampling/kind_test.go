package sampling_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"wavemill/models/eval"
	"wavemill/models/sampling"
)

func TestKinds(t *testing.T) {
	a := sampling.Reference{Label: "three", Like: &sampling.Source{File: "loud.wav"}}
	b := sampling.Reference{Label: "seven", Like: &sampling.Source{File: "b.flac"}}
	three, seven := sampling.Reference{Label: "three"}, sampling.Reference{Label: "seven"}
	many := sampling.Weights(501)
	for want, kind := range map[string]sampling.Kind{
		"three_7.wav":                        sampling.Labels([]string{"three"}, 0.5)[0],
		"three_like-loud_0.4_7.wav":          sampling.Variations([]sampling.Reference{a}, 0.4, 0)[0],
		"three-seven_0.3_7.wav":              sampling.Interpolations(three, seven, []float64{0.3}, 0)[0],
		"three-seven_0.500_7.wav":            sampling.Interpolations(three, seven, sampling.Weights(3), 0)[1],
		"three-seven_0.00200_7.wav":          sampling.Interpolations(three, seven, many, 0)[1],
		"three-seven_like-loud_0_7.wav":      sampling.Interpolations(a, seven, []float64{0}, 0)[0],
		"three-seven_to-b_1_7.wav":           sampling.Interpolations(three, b, []float64{1}, 0)[0],
		"three-seven_like-loud-to-b_1_7.wav": sampling.Interpolations(a, b, []float64{1}, 0)[0],
		"three_like-loud-to-loud_1_7.wav":    sampling.Interpolations(a, a, []float64{1}, 0)[0],
	} {
		if got := kind.FileName(7); got != want {
			t.Errorf("file %s, want %s", got, want)
		}
		if p := kind.At(7); p.Seed != 7 || p.Label != "three" || kind.Seed != 0 {
			t.Errorf("%s: %+v", want, p)
		}
	}
	if got := sampling.FileName("a/b c", 9); strings.ContainsAny(got, "/ ") || !strings.HasSuffix(got, "_9.wav") {
		t.Errorf("file %s", got)
	}
	if w := sampling.Weights(5); !slices.Equal(w, []float64{0, 0.25, 0.5, 0.75, 1}) {
		t.Errorf("weights %v", w)
	}
	if err := sampling.CheckNames(sampling.Labels([]string{"a", "b"}, 0)); err != nil {
		t.Errorf("two labels: %v", err)
	}
	if err := sampling.CheckNames(sampling.Variations([]sampling.Reference{a, a}, 0.4, 0)); err == nil {
		t.Error("the same file twice: no error")
	}
}

func TestBySeed(t *testing.T) {
	ps := sampling.BySeed(sampling.Labels([]string{"a", "b"}, 0.5), 1<<64-1, 2)
	want := []sampling.Provenance{{Label: "a", Seed: 1<<64 - 1, Temperature: 0.5}, {Label: "b", Seed: 1<<64 - 1, Temperature: 0.5}, {Label: "a", Temperature: 0.5}, {Label: "b", Temperature: 0.5}}
	if !slices.Equal(ps, want) {
		t.Errorf("%+v, want %+v", ps, want)
	}
}

// TestNameAndCondition checks the label and the filter's condition of every kind of mix.
func TestNameAndCondition(t *testing.T) {
	like := &sampling.Source{File: "x.wav"}
	for _, c := range []struct {
		p         sampling.Provenance
		name      string
		condition eval.Condition
	}{
		{sampling.Provenance{Label: "a"}, "a", eval.Condition{Label: "a"}},
		{sampling.Provenance{Label: "a", Mix: &sampling.Mix{Label: "b"}}, "a", eval.Condition{Label: "a"}},
		{sampling.Provenance{Label: "a", Mix: &sampling.Mix{Label: "b", Weight: 1}}, "b", eval.Condition{Label: "b"}},
		{sampling.Provenance{Label: "a", Mix: &sampling.Mix{Label: "b", Weight: 0.3}}, "a-b", eval.Condition{Label: "a", Other: "b", Weight: 0.3}},
		{sampling.Provenance{Label: "a", Like: like, Mix: &sampling.Mix{Label: "a", Weight: 0.3}}, "a", eval.Condition{Label: "a"}},
		{sampling.Provenance{Label: "a", Like: like, Strength: 1}, "a", eval.Condition{Label: "a"}},
	} {
		if c.p.Name() != c.name || c.p.Condition() != c.condition {
			t.Errorf("%+v: %q, %+v", c.p, c.p.Name(), c.p.Condition())
		}
	}
}

func TestSelectLabels(t *testing.T) {
	known := []string{"one", "three", "rock, paper"}
	for _, c := range []struct{ asked, known, want []string }{
		{[]string{"three,one"}, known, []string{"three", "one"}},
		{[]string{"three", "all"}, known, []string{"three", "one", "rock, paper"}},
		{[]string{"rock, paper", " one , three"}, known, []string{"rock, paper", "one", "three"}},
		{[]string{"one", "one"}, known, []string{"one"}},
		{[]string{"all"}, []string{"all", "one"}, []string{"all"}},
		{nil, known, nil},
	} {
		if got, err := sampling.SelectLabels(c.asked, c.known); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, error %v, want %q", c.asked, got, err, c.want)
		}
	}
	var unknown *sampling.LabelError
	for asked, want := range map[string]string{"thre": "thre", "rock": "rock", "one,": ""} {
		if _, err := sampling.SelectLabels([]string{asked}, known); !errors.As(err, &unknown) || unknown.Label != want || !strings.Contains(err.Error(), "one, three") {
			t.Errorf("%q: error %v", asked, err)
		}
	}
}
