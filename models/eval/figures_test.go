package eval_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"wavemill/models/eval"
)

// reference is what testdata/reference.py computed with numpy and scipy.
type reference struct {
	A, B      eval.Features
	P         eval.Probabilities
	Labels    []int
	Frechet   float64
	KID       float64
	OneNN     [3]float64 `json:"one_nn"`
	Diversity float64
	Inception float64
	Modified  float64 `json:"modified_inception"`
}

func TestFiguresAgainstNumpy(t *testing.T) {
	text, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var r reference
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	same := func(name string, got, want float64, err error) {
		t.Helper()
		if err != nil || math.Abs(got-want) > 1e-6*math.Abs(want) {
			t.Errorf("%s: %.10g, numpy has %.10g, error %v", name, got, want, err)
		}
	}
	v, err := eval.Frechet(r.A, r.B)
	same("Fréchet", v, r.Frechet, err)
	v, err = eval.Kernel(r.A, r.B)
	same("KID", v, r.KID, err)
	v, err = eval.Diversity(r.A, r.Labels)
	same("diversity", v, r.Diversity, err)
	v, err = eval.Inception(r.P)
	same("inception", v, r.Inception, err)
	v, err = eval.ModifiedInception(r.P)
	same("modified inception", v, r.Modified, err)
	nn, err := eval.NearestNeighbour(r.A, r.B)
	same("1-NN", nn.Accuracy, r.OneNN[0], err)
	same("1-NN real", nn.Real, r.OneNN[1], err)
	same("1-NN made", nn.Made, r.OneNN[2], err)
}

// gaussians draws n rows of independent normals with the given mean and deviation.
func gaussians(seed uint64, n, width int, mean, deviation float64) eval.Features {
	rng := rand.New(rand.NewPCG(seed, 1))
	f := make(eval.Features, n)
	for i := range f {
		for range width {
			f[i] = append(f[i], mean+deviation*rng.NormFloat64())
		}
	}
	return f
}

func TestClosedForms(t *testing.T) {
	a, b := gaussians(1, 4000, 4, 0, 1), gaussians(2, 4000, 4, 3, 2)
	// |0-3|² * 4 + 4 * (1 + 4 - 2*1*2)
	if v, err := eval.Frechet(a, b); err != nil || math.Abs(v-40) > 1.5 {
		t.Errorf("Fréchet distance of N(0, 1) and N(3, 2) in four dimensions: %.2f, want about 40, error %v", v, err)
	}
	if v, err := eval.Frechet(a, a); err != nil || v > 1e-9 {
		t.Errorf("Fréchet distance to itself: %g, error %v", v, err)
	}
	same := gaussians(3, 1000, 4, 0, 1)
	if v, err := eval.Kernel(a[:1000], same); err != nil || math.Abs(v) > 0.02 {
		t.Errorf("KID of two samples of one distribution: %g, error %v", v, err)
	}
	// The mean distance of two standard normals in one dimension is 2/sqrt(pi).
	if v, err := eval.Diversity(gaussians(4, 2000, 1, 0, 1), make([]int, 2000)); err != nil || math.Abs(v-2/math.Sqrt(math.Pi)) > 0.05 {
		t.Errorf("diversity %g, error %v", v, err)
	}
	sure := eval.Probabilities{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}}
	if v, err := eval.Inception(sure); err != nil || math.Abs(v-4) > 1e-9 {
		t.Errorf("inception score of four sure clips: %g, error %v", v, err)
	}
	flat := eval.Probabilities{{.25, .25, .25, .25}, {.25, .25, .25, .25}}
	for name, f := range map[string]func(eval.Probabilities) (float64, error){"IS": eval.Inception, "mIS": eval.ModifiedInception} {
		if v, err := f(flat); err != nil || math.Abs(v-1) > 1e-9 {
			t.Errorf("%s of clips that are nothing: %g, error %v", name, v, err)
		}
	}
}

func TestNearestNeighbourTellsSetsApart(t *testing.T) {
	a := gaussians(1, 300, 3, 0, 1)
	for name, c := range map[string]struct {
		made     eval.Features
		low, top float64
	}{
		"alike":  {gaussians(2, 300, 3, 0, 1), 0.4, 0.6},
		"far":    {gaussians(2, 300, 3, 50, 1), 1, 1},
		"copies": {gaussians(1, 300, 3, 1e-9, 1), 0, 0},
	} {
		v, err := eval.NearestNeighbour(a, c.made)
		if err != nil || v.Accuracy < c.low || v.Accuracy > c.top {
			t.Errorf("%s: %+v, error %v", name, v, err)
		}
	}
}

func TestMemorisationAlarm(t *testing.T) {
	train, held := gaussians(1, 300, 3, 0, 1), gaussians(2, 300, 3, 0, 1)
	copies := gaussians(3, 300, 3, 0, 1)
	copy(copies, train[:30]) // one in ten
	for name, c := range map[string]struct {
		made  eval.Features
		alarm bool
	}{
		"fresh": {gaussians(3, 300, 3, 0, 1), false}, "copies": {copies, true},
	} {
		m, err := eval.Memorisation(train, held, c.made)
		if err != nil || m.Alarm != c.alarm {
			t.Errorf("%s: %+v, error %v", name, m, err)
		}
	}
	if _, err := eval.Memorisation(train, train, copies); err == nil {
		t.Error("held-out clips that are training clips: no error")
	}
}

func TestDifferentBins(t *testing.T) {
	real := slices.Concat(gaussians(1, 300, 2, 0, .1), gaussians(2, 300, 2, 5, .1), gaussians(3, 300, 2, 10, .1))
	for name, c := range map[string]struct {
		made eval.Features
		want int
	}{
		"alike":     {slices.Concat(gaussians(4, 300, 2, 0, .1), gaussians(5, 310, 2, 5, .1), gaussians(6, 290, 2, 10, .1)), 0},
		"one lacks": {slices.Concat(gaussians(4, 300, 2, 0, .1), gaussians(5, 300, 2, 5, .1)), 3},
	} {
		b, err := eval.DifferentBins(real, c.made, 3, 9)
		if err != nil || b.Different != c.want || b.Bins != 3 {
			t.Errorf("%s: %+v, error %v, want %d", name, b, err, c.want)
		}
	}
	if _, err := eval.DifferentBins(real[:5], real, 6, 1); err == nil {
		t.Error("more bins than clips: no error")
	}
}

func TestBadFeaturesAreErrors(t *testing.T) {
	good := gaussians(1, 10, 3, 0, 1)
	nan := gaussians(1, 10, 3, 0, 1)
	nan[3][1] = math.NaN()
	for name, bad := range map[string]eval.Features{"none": nil, "one": good[:1], "narrow": gaussians(1, 10, 2, 0, 1), "nan": nan, "empty rows": {{}, {}}} {
		if _, err := eval.Frechet(good, bad); err == nil {
			t.Errorf("Fréchet, %s: no error", name)
		}
		if _, err := eval.Kernel(bad, good); err == nil {
			t.Errorf("KID, %s: no error", name)
		}
		if _, err := eval.NearestNeighbour(good, bad); err == nil {
			t.Errorf("1-NN, %s: no error", name)
		}
	}
	for name, bad := range map[string]eval.Probabilities{"none": nil, "sum": {{.5, .6}}, "negative": {{-1, 2}}, "ragged": {{1}, {.5, .5}}, "nan": {{math.NaN(), 1}}} {
		if _, err := eval.Inception(bad); err == nil {
			t.Errorf("inception, %s: no error", name)
		}
	}
}

func ExampleConfuse() {
	c, err := eval.Confuse([]int{0, 0, 1, 1}, []int{0, 1, 1, 1}, 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c, c.Accuracy(), c.Labels())
	if _, err := eval.Confuse([]int{2}, []int{0}, 2); err != nil {
		fmt.Println(err)
	}
	// Output:
	// [[1 1] [0 2]] 0.75 [0.5 1]
	// eval: clip 0: label 2, heard 0: there are 2 labels
}
