package augment_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"wavemill/models/augment"
)

// outcomes draws outcomes of two arms with the given accuracies, 3 seeds and n test recordings each. Recordings differ in
// difficulty, so that the outcomes of the arms are related.
func outcomes(before, after float64, n int, seed uint64) [][][]bool {
	rng := rand.New(rand.NewPCG(seed, 1))
	arms := make([][][]bool, 2)
	difficulty := make([]float64, n)
	for i := range difficulty {
		difficulty[i] = rng.Float64()
	}
	for a, accuracy := range []float64{before, after} {
		for range 3 {
			right := make([]bool, n)
			for i := range right {
				right[i] = 0.7*difficulty[i]+0.3*rng.Float64() < accuracy
			}
			arms[a] = append(arms[a], right)
		}
	}
	return arms
}

func TestProof(t *testing.T) {
	for name, c := range map[string]struct {
		before, after float64
		n             int
		none          bool
		verdict       string
	}{
		"a clear gain": {0.5, 0.8, 100, false, "use them"},
		"a clear loss": {0.8, 0.5, 100, false, "do not use them"},
		"nothing":      {0.7, 0.7, 100, true, "no difference shown"},
		"too few":      {0.70, 0.72, 10, true, "no difference shown"},
		"perfect":      {1, 1, 20, true, "no difference shown"},
	} {
		data := outcomes(c.before, c.after, c.n, 1)
		p := augment.NewProof(data)
		before, after, gain := p.Intervals["real_only"], p.Intervals["with_synthetic"], p.Intervals["gain_points"]
		if p.None != c.none || gain.Holds(0) != c.none {
			t.Errorf("%s: %+v", name, p)
		}
		if !before.Holds(p.Before) || !after.Holds(p.After) || !gain.Holds(p.Points) || math.Abs(p.Points-100*(p.After-p.Before)) > 1e-9 || before[0] < 0 || after[1] > 1 {
			t.Errorf("%s: %+v", name, p)
		}
		if p.Verdict != c.verdict || errors.Is((augment.Report{Proof: p}).CheckGain(), augment.ErrNoGain) != (c.verdict != "use them") {
			t.Errorf("%s: verdict %q, %v", name, p.Verdict, (augment.Report{Proof: p}).CheckGain())
		}
		if len(p.Arms) != 3 || p.Arms[0].Accuracy != p.Before || p.Arms[1].Accuracy != p.After || !p.Arms[1].Interval.Holds(p.After) {
			t.Errorf("%s: arms %+v", name, p.Arms)
		}
		if again := augment.NewProof(data); fmt.Sprint(*again) != fmt.Sprint(*p) {
			t.Errorf("%s: the same outcomes give %+v and %+v", name, p, again)
		}
	}
}

// TestNoProofIsNoGain checks a report without a proof.
func TestNoProofIsNoGain(t *testing.T) {
	if err := (augment.Report{}).CheckGain(); !errors.Is(err, augment.ErrNoGain) {
		t.Error(err)
	}
}

// TestProofIsWiderForFewerRecordings checks that intervals say how much they rest on.
func TestProofIsWiderForFewerRecordings(t *testing.T) {
	width := func(n int) float64 {
		gain := augment.NewProof(outcomes(0.6, 0.7, n, 1)).Intervals["gain_points"]
		return gain[1] - gain[0]
	}
	if few, many := width(12), width(300); few < 2*many {
		t.Errorf("the interval is %.1f points wide for 12 recordings and %.1f for 300", few, many)
	}
}
