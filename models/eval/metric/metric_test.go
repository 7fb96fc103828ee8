package metric_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"wavemill/models/eval/metric"
)

// reference is what testdata/reference.py wrote.
type reference struct {
	X, Y, Few, Logits [][]float64
	Labels, Groups    []int
	Shares            []float64
	Counts            [2][]int
	Softmax2          []float64 `json:"softmax_2"`
	Confusion         [][]int
	Accuracy          float64
	Frechet           float64
	FrechetFew        float64 `json:"frechet_few"`
	KID               float64
	TwoSample         [2]float64 `json:"two_sample"`
	Diversity         float64
	Memorisation      float64
	Different         float64
	Inception         float64
	Modified          float64 `json:"modified_inception"`
	AM                float64
	Temperature       float64
	LogLoss           float64 `json:"log_loss"`
	CalibrationError  float64 `json:"calibration_error"`
}

func readReference(t *testing.T) (r reference, probs [][]float64, heard []int) {
	t.Helper()
	text, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	for _, row := range r.Logits {
		probs = append(probs, metric.Softmax(row, 1))
		heard = append(heard, slices.Index(row, slices.Max(row)))
	}
	return r, probs, heard
}

func TestAgainstReference(t *testing.T) {
	r, probs, heard := readReference(t)
	check := func(name string, got, want float64, err error) {
		t.Helper()
		if err != nil || !(math.Abs(got-want) <= 1e-6*math.Abs(want)) {
			t.Errorf("%s: %.10g, want %.10g (error %v)", name, got, want, err)
		}
	}
	for i, v := range metric.Softmax(r.Logits[0], 2) {
		check("softmax", v, r.Softmax2[i], nil)
	}
	v, err := metric.Accuracy(r.Labels, heard)
	check("accuracy", v, r.Accuracy, err)
	confusion, err := metric.Confusion(r.Labels, heard, 4)
	if diff := cmp.Diff(r.Confusion, confusion); diff != "" || err != nil {
		t.Errorf("confusion (-want +got), error %v:\n%s", err, diff)
	}
	v, err = metric.Frechet(r.X, r.Y)
	check("Fréchet", v, r.Frechet, err)
	v, err = metric.Frechet(r.X, r.Few)
	check("Fréchet of a singular covariance", v, r.FrechetFew, err)
	v, err = kernelDistance(r.X, r.Y)
	check("kernel distance", v, r.KID, err)
	ofReal, ofGenerated, err := twoSample(r.X[:50], r.Y)
	check("two-sample, real half", ofReal, r.TwoSample[0], err)
	check("two-sample, generated half", ofGenerated, r.TwoSample[1], err)
	v, err = diversity(r.X, r.Groups)
	check("diversity", v, r.Diversity, err)
	m, err := metric.Memorise(r.Y, r.X[:20], r.X[20:])
	check("memorisation", m.Ratio, r.Memorisation, err)
	v, err = metric.Different(r.Counts[0], r.Counts[1])
	check("different bins", v, r.Different, err)
	v, _, err = metric.InceptionScore(probs, 1, 1)
	check("inception", v, r.Inception, err)
	v, err = metric.ModifiedInceptionScore(probs)
	check("modified inception", v, r.Modified, err)
	v, err = metric.ActivationMaximization(probs, r.Shares)
	check("AM", v, r.AM, err)
	v, err = metric.Temperature(r.Logits, r.Labels)
	check("temperature", v, r.Temperature, err)
	v, err = metric.LogLoss(probs, r.Labels)
	check("log loss", v, r.LogLoss, err)
	v, err = metric.CalibrationError(probs, r.Labels, 15)
	check("calibration error", v, r.CalibrationError, err)
}

// gaussians draws n rows of independent normals.
func gaussians(seed uint64, n, width int, mean, deviation float64) [][]float64 {
	rng := rand.New(rand.NewPCG(seed, 1))
	f := make([][]float64, n)
	for i := range f {
		for range width {
			f[i] = append(f[i], mean+deviation*rng.NormFloat64())
		}
	}
	return f
}

func near(t *testing.T, name string, got, want, within float64, err error) {
	t.Helper()
	if err != nil || !(math.Abs(got-want) <= within) {
		t.Errorf("%s: %.6g, want %.6g within %g (error %v)", name, got, want, within, err)
	}
}

func TestDistancesInClosedForm(t *testing.T) {
	a, b := gaussians(1, 4000, 4, 0, 1), gaussians(2, 4000, 4, 3, 2)
	v, err := metric.Frechet(a, b)
	near(t, "Fréchet distance of N(0, 1) and N(3, 2) in 4 dimensions", v, 4*(9+1), 1.5, err) // 4 (3² + (2-1)²)
	v, err = metric.Frechet(a, a)
	near(t, "Fréchet distance to itself", v, 0, 1e-9, err)
	// E k(x, y) of x = ±1 and y = ±1, all with probability 1/2, in one dimension: E (xy + 1)³ = (2³ + 0)/2 = 4; of
	// x = ±1 and y = 0: 1; of y, y: 1. So the squared discrepancy is 4 + 1 - 2.
	rng := rand.New(rand.NewPCG(1, 2))
	x, y := make([][]float64, 2000), make([][]float64, 500)
	for i := range x {
		x[i] = []float64{float64(2*rng.IntN(2) - 1)}
	}
	for i := range y {
		y[i] = []float64{0}
	}
	v, err = kernelDistance(x, y)
	near(t, "kernel distance of ±1 and 0", v, 3, 0.1, err)
	v, err = diversity(gaussians(4, 2000, 1, 0, 1), make([]int, 2000))
	near(t, "diversity of standard normals", v, 2/math.Sqrt(math.Pi), 0.05, err)
}

// The kernel distance's mean is 0 for equal distributions, whatever the number of clips; Fréchet's is not.
func TestKernelIsUnbiased(t *testing.T) {
	for _, n := range []int{5, 20, 100} {
		var kernel, frechet float64
		for s := range uint64(200) {
			a, b := gaussians(2*s, n, 4, 0, 1), gaussians(2*s+1, n, 4, 0, 1)
			v, err := kernelDistance(a, b)
			if err != nil {
				t.Fatal(err)
			}
			kernel += v / 200
			if v, err = metric.Frechet(a, b); err != nil {
				t.Fatal(err)
			}
			frechet += v / 200
		}
		near(t, fmt.Sprintf("mean kernel distance of %d clips", n), kernel, 0, 1.5/float64(n), nil)
		if frechet < 4/float64(n) {
			t.Errorf("mean Fréchet distance of %d clips %.3f: the test cannot tell a biased estimate", n, frechet)
		}
	}
}

func TestInceptionScores(t *testing.T) {
	var sure, flat [][]float64
	for i := range 400 {
		row := make([]float64, 4)
		row[i%4] = 1
		sure = append(sure, row)
		flat = append(flat, []float64{.25, .25, .25, .25})
	}
	v, _, err := metric.InceptionScore(sure, 1, 1)
	near(t, "four labels, all certain", v, 4, 1e-9, err)
	// Labels that come in a cycle as long as the number of splits must not end in one split each.
	v, sd, err := metric.InceptionScore(sure, 4, 1)
	near(t, "in splits", v, 4, 0.2, err)
	if sd == 0 || sd > 0.2 {
		t.Errorf("standard deviation over splits %g", sd)
	}
	again, _, err := metric.InceptionScore(sure, 4, 1)
	near(t, "again", again, v, 0, err)
	v, _, err = metric.InceptionScore(flat, 1, 1)
	near(t, "nothing heard", v, 1, 1e-9, err)
	v, err = metric.ModifiedInceptionScore(flat)
	near(t, "modified, nothing heard", v, 1, 1e-9, err)
	v, _, err = metric.InceptionScore(sure[:1], 1, 1)
	near(t, "one clip", v, 1, 1e-9, err)
	v, err = metric.ActivationMaximization(sure, []float64{.25, .25, .25, .25})
	near(t, "AM, all certain", v, 0, 1e-9, err)
	v, err = metric.ActivationMaximization(flat, []float64{.25, .25, .25, .25})
	near(t, "AM, nothing heard", v, math.Log(4), 1e-9, err)
	v, err = metric.ActivationMaximization(flat, []float64{1, 0, 0, 0})
	near(t, "AM, other labels", v, 2*math.Log(4), 1e-9, err)
}

func TestTwoSampleTellsSetsApart(t *testing.T) {
	a := gaussians(1, 300, 3, 0, 1)
	for name, c := range map[string]struct {
		made     [][]float64
		low, top float64
	}{
		"alike":  {gaussians(2, 300, 3, 0, 1), 0.4, 0.6},
		"far":    {gaussians(2, 300, 3, 50, 1), 1, 1},
		"copies": {gaussians(1, 300, 3, 1e-9, 1), 0, 0},
	} {
		r, g, err := twoSample(a, c.made)
		if err != nil || min(r, g) < c.low || max(r, g) > c.top {
			t.Errorf("%s: %g, %g, error %v", name, r, g, err)
		}
	}
	// A collapsed model: its clips are all each other's neighbours and cover none of the real ones.
	r, g, err := twoSample(a, gaussians(5, 300, 3, 0, .01))
	if err != nil || g < 0.9 || r < 0.5 || r > 1 {
		t.Errorf("collapsed: %g, %g, error %v", r, g, err)
	}
}

func TestMemorisationAlarm(t *testing.T) {
	train, held := gaussians(1, 300, 8, 0, 1), gaussians(2, 300, 8, 0, 1)
	for name, c := range map[string]struct {
		copies int
		alarm  bool
	}{"fresh": {0, false}, "one in fifty": {6, false}, "one in ten": {30, true}, "all": {300, true}} {
		made := gaussians(3, 300, 8, 0, 1)
		for i := range c.copies {
			made[i] = slices.Clone(train[i])
			made[i][0] += 1e-3
		}
		m, err := metric.Memorise(made, held, train)
		if err != nil || m.Alarm != c.alarm {
			t.Errorf("%s: %+v, error %v", name, m.Ratio, err)
		}
		for i := range c.copies {
			if m.Nearest[i] != i || m.Ratios[i] > 0.1 {
				t.Fatalf("%s: clip %d is nearest to %d, ratio %g", name, i, m.Nearest[i], m.Ratios[i])
			}
		}
	}
}

// Duplicates in the data, in the training set or across the split, must not switch the alarm off.
func TestMemorisationAlarmWithDuplicates(t *testing.T) {
	fresh := func(seed uint64, n int) [][]float64 { return gaussians(seed, n, 8, 0, 1) }
	train, held := fresh(1, 300), fresh(2, 300)
	copies := slices.Clone(train[:300])
	for name, c := range map[string]struct {
		held, train [][]float64
	}{
		"a tenth of the held-out clips are training clips": {slices.Concat(train[:30], held[30:]), train},
		"a tenth are nearly training clips":                {slices.Concat(shifted(train[:30], 1e-3), held[30:]), train},
		"all are training clips":                           {train, train},
		"every training clip is there twice":               {held, slices.Concat(train, train)},
		"all are training clips, each there twice":         {train, slices.Concat(train, train)},
		"few held-out clips":                               {held[:5], train},
		"few held-out clips, half of them training clips":  {slices.Concat(train[:3], held[:3]), train},
	} {
		m, err := metric.Memorise(copies, c.held, c.train)
		if err != nil || !m.Alarm || !m.Judged {
			t.Errorf("%s: copies: %+v, error %v", name, m.Ratio, err)
		}
		if m, err = metric.Memorise(fresh(3, 300), c.held, c.train); err != nil || m.Alarm || !m.Judged || m.HeldOut < 0.2 {
			t.Errorf("%s: fresh clips: ratio %.2f of %.2f, alarm %v, judged %v, error %v", name, m.Ratio, m.HeldOut, m.Alarm, m.Judged, err)
		}
	}
}

// TestMemorisationOfOtherGroups: held-out clips of other groups lie far from all training clips. New clips of the groups that were
// learnt from are no copies then, but copies still are.
func TestMemorisationOfOtherGroups(t *testing.T) {
	groups := func(seed uint64, n int, from float64) [][]float64 {
		var out [][]float64
		for g := range 4 {
			out = append(out, gaussians(seed+uint64(g), n, 8, from+20*float64(g), 1)...)
		}
		return out
	}
	train, held, fresh := groups(1, 80, 0), groups(11, 40, 10), groups(21, 80, 0)
	m, err := metric.Memorise(fresh, held, train)
	if err != nil || m.Alarm || m.Ratio > 0.75*m.HeldOut {
		t.Errorf("fresh clips of known groups: ratio %.2f, of held-out ones %.2f, limit %.2f, alarm %t, %v", m.Ratio, m.HeldOut, m.Limit, m.Alarm, err)
	}
	if m, err = metric.Memorise(shifted(train, 0.1), held, train); err != nil || !m.Alarm {
		t.Errorf("copies: ratio %.2f, limit %.2f, alarm %t, %v", m.Ratio, m.Limit, m.Alarm, err)
	}
}

// shifted adds a number to the first column.
func shifted(x [][]float64, by float64) [][]float64 {
	out := make([][]float64, len(x))
	for i, row := range x {
		out[i] = slices.Clone(row)
		out[i][0] += by
	}
	return out
}

// Where nothing can be said, the result says so; an alarm with good reason stands.
func TestMemorisationOfTooLittle(t *testing.T) {
	train, held := gaussians(1, 300, 8, 0, 1), gaussians(2, 300, 8, 0, 1)
	equal := slices.Repeat([][]float64{{1, 2}}, 30)
	for name, c := range map[string]struct {
		generated, held, train [][]float64
		alarm                  bool
		reason                 string
	}{
		"few clips":            {gaussians(3, 10, 8, 0, 1), held, train, false, "10 clips"},
		"few clips, copies":    {train[:10], held, train, true, "10 clips"},
		"few recordings":       {gaussians(3, 30, 8, 0, 1), held[:4], train[:6], false, "recordings are too few"},
		"all recordings equal": {equal, equal, equal, false, "copies of one another"},
	} {
		m, err := metric.Memorise(c.generated, c.held, c.train)
		if err != nil || m.Judged || m.Alarm != c.alarm || !strings.Contains(m.Reason, c.reason) || math.IsNaN(m.Ratio) {
			t.Errorf("%s: %+v, error %v", name, m, err)
		}
	}
}

func TestSpacingOfDifferent(t *testing.T) {
	x := gaussians(1, 100, 8, 0, 1)
	want, err := metric.SpacingOfDifferent(x)
	if err != nil || len(want) != 100 {
		t.Fatal(len(want), err)
	}
	got, err := metric.SpacingOfDifferent(slices.Concat(x, x[:60]))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("with duplicates, error %v:\n%s", err, diff)
	}
	if got, err = metric.SpacingOfDifferent(slices.Repeat(x[:1], 5)); len(got) != 0 || err != nil {
		t.Errorf("all equal: %v, error %v", got, err)
	}
}

// Sets without spread: what constant, identical and silent clips have for features.
func TestDegenerateSets(t *testing.T) {
	spread := gaussians(1, 30, 6, 0, 1)
	for _, at := range []float64{0, 1e-300, 1, -1e8, 1e38} {
		flat := slices.Repeat([][]float64{slices.Repeat([]float64{at}, 6)}, 30)
		v, err := metric.Frechet(flat, flat)
		near(t, fmt.Sprintf("Fréchet distance of sets that are %g throughout", at), v, 0, 0, err)
		if v, err = metric.Frechet(spread, flat); err != nil || v <= 0 || math.IsInf(v, 0) {
			t.Errorf("Fréchet distance to %g throughout: %g, error %v", at, v, err)
		}
		r, err := metric.NewReference(flat)
		if err != nil || r.Spread() != 0 {
			t.Errorf("%g throughout: error %v", at, err)
		}
		if _, err := kernelDistance(spread, flat); err != nil {
			t.Errorf("kernel distance to %g throughout: %v", at, err)
		}
		if _, err := diversity(flat, make([]int, 30)); err != nil {
			t.Errorf("diversity of %g throughout: %v", at, err)
		}
	}
	huge := slices.Repeat([][]float64{{1e200, -1e200}}, 30)
	if _, err := metric.Frechet(huge, huge); err == nil {
		t.Error("Fréchet distance of squares that overflow: no error")
	}
	if _, err := kernelDistance(huge, huge); err == nil {
		t.Error("kernel distance of products that overflow: no error")
	}
}

// The kernel distance on a resample is that of the rows drawn, copies of a row not compared with each other.
func TestKernelResampled(t *testing.T) {
	x, y := gaussians(1, 300, 4, 0, 1), gaussians(2, 40, 4, 0.5, 1)
	part := make([]float64, 300)
	for i := range 100 {
		part[i] = 1
	}
	v, of, err := metric.KernelResampled(x, y, [][]float64{slices.Repeat([]float64{1}, 300), part, slices.Repeat([]float64{2}, 300)})
	if err != nil || len(of) != 3 {
		t.Fatal(of, err)
	}
	want, err := kernelDistance(x[:100], y)
	near(t, "a part", of[1], want, 1e-9, err)
	near(t, "everything once", of[0], v, 1e-9, nil)
	near(t, "everything twice", of[2], v, 1e-9, nil)
}

func TestBins(t *testing.T) {
	real := slices.Concat(gaussians(1, 300, 2, 0, .1), gaussians(2, 300, 2, 5, .1), gaussians(3, 300, 2, 10, .1))
	bins, err := metric.Cluster(real, 3, 9)
	if err != nil || bins.Len() != 3 {
		t.Fatal(bins.Len(), err)
	}
	of, err := bins.Count(real)
	if err != nil || !slices.Equal(of, []int{300, 300, 300}) {
		t.Fatalf("three clouds of 300 fall into bins of %d, error %v", of, err)
	}
	for name, c := range map[string]struct {
		made [][]float64
		want float64
	}{
		"alike":     {slices.Concat(gaussians(4, 300, 2, 0, .1), gaussians(5, 310, 2, 5, .1), gaussians(6, 290, 2, 10, .1)), 0},
		"one lacks": {slices.Concat(gaussians(4, 300, 2, 0, .1), gaussians(5, 300, 2, 5, .1)), 1},
	} {
		made, err := bins.Count(c.made)
		if err != nil {
			t.Fatal(err)
		}
		v, err := metric.Different(of, made)
		near(t, name, v, c.want, 0, err)
	}
	same, err := metric.Cluster(slices.Repeat([][]float64{{1, 2}}, 10), 4, 1)
	if err != nil || same.Len() != 4 {
		t.Errorf("four bins of ten equal points: %v", err)
	}
}

// Two samples of one distribution differ in about a twentieth of the bins.
func TestDifferentBinsUnderTheNull(t *testing.T) {
	var mean float64
	for s := range uint64(40) {
		a := gaussians(3*s, 1000, 4, 0, 1)
		bins, err := metric.Cluster(gaussians(3*s+1, 1000, 4, 0, 1), 20, s)
		if err != nil {
			t.Fatal(err)
		}
		x, err := bins.Count(a)
		if err != nil {
			t.Fatal(err)
		}
		y, err := bins.Count(gaussians(3*s+2, 1000, 4, 0, 1))
		if err != nil {
			t.Fatal(err)
		}
		v, err := metric.Different(x, y)
		if err != nil {
			t.Fatal(err)
		}
		mean += v / 40
	}
	near(t, "share of different bins", mean, 0.05, 0.02, nil)
}

func TestTemperature(t *testing.T) {
	// Labels drawn from softmax(logits / 3) are best explained by 3.
	rng := rand.New(rand.NewPCG(7, 7))
	logits, labels := gaussians(1, 5000, 5, 0, 8), make([]int, 5000)
	for i, row := range logits {
		u := rng.Float64()
		for j, p := range metric.Softmax(row, 3) {
			if u -= p; u < 0 {
				labels[i] = j
				break
			}
		}
	}
	v, err := metric.Temperature(logits, labels)
	near(t, "temperature", v, 3, 0.15, err)
	var raw, scaled [][]float64
	for _, row := range logits {
		raw, scaled = append(raw, metric.Softmax(row, 1)), append(scaled, metric.Softmax(row, v))
	}
	before, err := metric.CalibrationError(raw, labels, 15)
	if err != nil {
		t.Fatal(err)
	}
	after, err := metric.CalibrationError(scaled, labels, 15)
	if err != nil || after > 0.03 || before < 2*after {
		t.Errorf("calibration error %.3f before, %.3f after, error %v", before, after, err)
	}
	// Right about every clip: n right answers let one believe (n+1)/(n+2).
	right := slices.Repeat([][]float64{{4, 0}}, 98)
	v, err = metric.Temperature(right, make([]int, 98))
	if err != nil {
		t.Fatal(err)
	}
	near(t, "confidence after 98 right answers", metric.Softmax(right[0], v)[0], 0.99, 1e-6, nil)
}

func TestNearestIsBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.IntRange(1, 5).Draw(t, "d")
		rows := func(name string) [][]float64 {
			return rapid.SliceOfN(rapid.SliceOfN(rapid.Float64Range(-10, 10), d, d), 1, 300).Draw(t, name)
		}
		x, y := rows("x"), rows("y")
		index, distance, err := metric.Nearest(x, y)
		if err != nil {
			t.Fatal(err)
		}
		for i := range x {
			best := math.Inf(1)
			for _, row := range y {
				var s float64
				for j, v := range row {
					s += (v - x[i][j]) * (v - x[i][j])
				}
				best = min(best, math.Sqrt(s))
			}
			if math.Abs(distance[i]-best) > 1e-6 || index[i] < 0 || index[i] >= len(y) {
				t.Fatalf("row %d: %g to row %d, the nearest is at %g", i, distance[i], index[i], best)
			}
		}
	})
}

func TestSpacing(t *testing.T) {
	d, err := metric.Spacing([][]float64{{0}, {3}, {4}, {10}, {10}})
	if err != nil || !slices.Equal(d, []float64{3, 1, 1, 0, 0}) {
		t.Errorf("%v, error %v", d, err)
	}
	if _, err := metric.Spacing([][]float64{{1}}); err == nil {
		t.Error("a single row: no error")
	}
}

func TestBadTablesAreErrors(t *testing.T) {
	good := gaussians(1, 10, 3, 0, 1)
	nan := gaussians(1, 10, 3, 0, 1)
	nan[3][1] = math.NaN()
	ten := make([]int, 10)
	for name, bad := range map[string][][]float64{
		"none": nil, "one": good[:1], "nan": nan, "empty rows": {{}, {}}, "ragged": {{1, 2, 3}, {1, 2}}, "narrow": gaussians(1, 10, 2, 0, 1),
	} {
		var errs []error
		add := func(err error) { errs = append(errs, err) }
		_, err := metric.Frechet(good, bad)
		add(err)
		_, err = kernelDistance(bad, good)
		add(err)
		_, _, err = twoSample(good, bad)
		add(err)
		if name != "narrow" {
			_, _, err = metric.InceptionScore(bad, 2, 1)
			add(err)
			_, err = metric.Cluster(bad, 2, 1)
			add(err)
			_, err = diversity(bad, make([]int, len(bad)))
			add(err)
			_, err = metric.Temperature(bad, append(ten, 1))
			add(err)
		}
		if name != "one" {
			_, err = metric.Memorise(good, good, bad)
			add(err)
			_, _, err = metric.Nearest(good, bad)
			add(err)
		}
		for i, err := range errs {
			if err == nil {
				t.Errorf("%s: call %d: no error", name, i)
			}
		}
	}
	for i, err := range []error{
		second(metric.Accuracy(nil, nil)), second(metric.Accuracy([]int{1}, []int{1, 2})),
		second(metric.Confusion([]int{0, 4}, []int{0, 0}, 4)), second(metric.Confusion([]int{0}, []int{-1}, 4)),
		second(metric.LogLoss(good, ten[:9])), second(metric.CalibrationError(good, ten, 0)),
		second(metric.Different([]int{1}, []int{1, 2})), second(metric.Different([]int{0}, []int{1})),
		second(metric.ActivationMaximization(good, []float64{1})), second(diversity(good[:2], []int{0, 1})),
		second(metric.Temperature([][]float64{{1}}, []int{0})), second(metric.Cluster(good, 11, 1)),
	} {
		if err == nil {
			t.Errorf("call %d: no error", i)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func ExampleInceptionScore() {
	probs := [][]float64{{0.98, 0.01, 0.01}, {0.01, 0.98, 0.01}, {0.01, 0.01, 0.98}}
	score, _, err := metric.InceptionScore(probs, 1, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.2f of 3 labels\n", score)
	// Output: 2.68 of 3 labels
}

func mean(x []float64) float64 {
	var sum float64
	for _, v := range x {
		sum += v
	}
	return sum / float64(max(len(x), 1))
}

// diversity is the mean over the labels of the means of their terms.
func diversity(features [][]float64, labels []int) (float64, error) {
	terms, err := metric.DiversityTerms(features, labels)
	means := make([]float64, len(terms))
	for i, of := range terms {
		means[i] = mean(of)
	}
	return mean(means), err
}

func kernelDistance(x, y [][]float64) (float64, error) {
	v, _, err := metric.KernelResampled(x, y, nil)
	return v, err
}

// twoSample is the accuracy of the nearest-neighbour classifier on either half.
func twoSample(real, generated [][]float64) (ofReal, ofGenerated float64, err error) {
	hitsReal, hitsGenerated, err := metric.TwoSampleHits(real, generated)
	return mean(hitsReal), mean(hitsGenerated), err
}
