package eval

import (
	"math"
	"testing"

	"wavemill/audio"
	"wavemill/audio/synth"
)

func classes(t *testing.T, n int, seed uint64) []audio.Clip {
	t.Helper()
	var clips []audio.Clip
	for i := range n {
		for _, class := range synth.Classes() {
			c, err := synth.Clip(class, seed+uint64(i), 8000)
			if err != nil {
				t.Fatal(err)
			}
			c.Samples = c.Samples[:2000] // a quarter of a second: classifiers have half the frames
			clips = append(clips, c)
		}
	}
	return clips
}

// TestUsefulnessIsAMeanOfThree has classifiers of so few steps that they differ.
func TestUsefulnessIsAMeanOfThree(t *testing.T) {
	if testing.Short() {
		t.Skip("trains several classifiers")
	}
	j, err := NewEvaluator(t.Context(), classes(t, 6, 0), classes(t, 10, 500), EvaluatorOptions{Seed: 6, Useful: true, Shares: []float64{}, Epochs: 5, Steps: 8})
	if err != nil {
		t.Fatal(err)
	}
	h, err := j.embed(t.Context(), classes(t, 6, 9000))
	if err != nil {
		t.Fatal(err)
	}
	r := Row{Name: "fresh", figures: figures{}}
	if err := j.usefulness(t.Context(), &r, h); err != nil {
		t.Fatal(err)
	}
	u := r.Usefulness
	var alone, real float64
	seen := map[float64]bool{}
	for i := range uint64(3) {
		a, err := j.testHits(t.Context(), j.learning(h.batch), i)
		if err != nil {
			t.Fatal(err)
		}
		r, err := j.testHits(t.Context(), j.learning(j.train.batch), i)
		if err != nil {
			t.Fatal(err)
		}
		seen[average(a)] = true
		alone, real = alone+average(a)/3, real+average(r)/3
	}
	if len(seen) < 2 {
		t.Fatal("all classifiers have the same accuracy: the test cannot tell a mean")
	}
	if math.Abs(u.Alone-alone) > 1e-9 || math.Abs(u.Real-real) > 1e-9 {
		t.Errorf("%+v, three classifiers have %g and %g", u, alone, real)
	}
}
