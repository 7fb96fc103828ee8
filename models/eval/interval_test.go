package eval

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// hitsOf are n cases, each 1 with probability p.
func hitsOf(rng *rand.Rand, n int, p float64) []float64 {
	x := make([]float64, n)
	for i := range x {
		if rng.Float64() < p {
			x[i] = 1
		}
	}
	return x
}

// The interval of a share holds the true share about 95 times of 100, at its worst not much less; a perfect score is not
// certain.
func TestShareIntervalCovers(t *testing.T) {
	for _, c := range []struct {
		n int
		p float64
	}{{20, 0.9}, {50, 0.5}, {50, 0.97}, {300, 0.99}} {
		rng := rand.New(rand.NewPCG(1, uint64(c.n)))
		held := 0
		for range 200 {
			if shareDraws(hitsOf(rng, c.n, c.p), rng).interval().Holds(c.p) {
				held++
			}
		}
		if held < 180 {
			t.Errorf("%d cases of %g: the interval holds the share %d times of 200", c.n, c.p, held)
		}
	}
	perfect := shareDraws([]float64{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, stream(1, "x", 10)).interval()
	if perfect[0] > 0.75 || perfect[1] != 1 {
		t.Errorf("10 of 10: %v", perfect)
	}
}

// Two-level intervals hold the accuracy of all seeds and all recordings: they are wider where the seeds differ.
func TestTwoLevelIntervalCovers(t *testing.T) {
	const recordings, seeds, accuracy, between = 100, 3, 0.8, 0.05
	rng := rand.New(rand.NewPCG(5, 5))
	held, heldFlat := 0, 0
	for range 200 {
		var table hitTable
		var flat []float64
		for range seeds {
			row := hitsOf(rng, recordings, accuracy+between*rng.NormFloat64())
			table, flat = append(table, row), append(flat, row...)
		}
		if table.twoLevel(1).interval().Holds(accuracy) {
			held++
		}
		if shareDraws(flat, rng).interval().Holds(accuracy) {
			heldFlat++
		}
	}
	if held < 180 {
		t.Errorf("the interval holds the accuracy %d times of 200", held)
	}
	if heldFlat > held-10 {
		t.Errorf("without levels %d times of 200: the test cannot tell them apart", heldFlat)
	}
}

// rowOf is a row whose only figure is an accuracy.
func rowOf(name string, hits []float64) Row {
	d := shareDraws(hits, stream(1, "clips", len(hits)))
	f := figures{"label_accuracy": d}
	return Row{Name: name, Kind: "model", LabelAccuracy: d.value, figures: f, Intervals: f.intervals()}
}

func TestCompare(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	a := hitsOf(rng, 400, 0.7)
	b := append([]float64{}, a...)
	worse := 0
	for i := range b {
		if b[i] == 1 && worse < 20 {
			b[i], worse = 0, worse+1
		}
	}
	d, ok := Compare(rowOf("a", a), rowOf("b", b), "label_accuracy")
	if !ok || !d.Paired || d.None || math.Abs(d.Value-0.05) > 1e-9 || d.A != "a" || d.B != "b" {
		t.Errorf("wrong about the same clips and 20 more: %+v", d)
	}
	same, ok := Compare(rowOf("a", a), rowOf("a too", a), "label_accuracy")
	if !ok || !same.None || same.Value != 0 {
		t.Errorf("equal rows: %+v", same)
	}
	// Without the pairs, 5 points are within chance.
	read := func(r Row) Row {
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var back Row
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		return back
	}
	apart, ok := Compare(read(rowOf("a", a)), read(rowOf("b", b)), "label_accuracy")
	if !ok || apart.Paired || !apart.None || apart.Value != d.Value || apart.Interval[0] > d.Interval[0] || apart.Interval[1] < d.Interval[1] {
		t.Errorf("from JSON %+v, paired %+v", apart, d)
	}
	if _, ok := Compare(Row{}, rowOf("b", b), "label_accuracy"); ok {
		t.Error("a row without intervals was compared")
	}
	if _, ok := Compare(rowOf("a", a), rowOf("b", b), "nonsense"); ok {
		t.Error("a figure that does not exist was compared")
	}
}

// Three recordings of twenty are no proof.
func TestCompareOfFew(t *testing.T) {
	all, fewer, half := hitsOf(rand.New(rand.NewPCG(1, 1)), 20, 2), hitsOf(rand.New(rand.NewPCG(1, 1)), 20, 2), hitsOf(rand.New(rand.NewPCG(1, 1)), 20, 2)
	for i := range 4 {
		fewer[5*i] = 0
	}
	for i := range 10 {
		half[2*i] = 0
	}
	if d, _ := Compare(rowOf("all", all), rowOf("fewer", fewer), "label_accuracy"); !d.None {
		t.Errorf("20 and 16 of 20 (McNemar: p = 0.13): %+v", d)
	}
	if d, _ := Compare(rowOf("all", all), rowOf("half", half), "label_accuracy"); d.None {
		t.Errorf("20 and 10 of 20: %+v", d)
	}
}

// Two samples of one distribution differ about 5 times of 100.
func TestCompareUnderTheNull(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	different := 0
	for range 200 {
		d, ok := Compare(rowOf("a", hitsOf(rng, 100, 0.9)), rowOf("b", hitsOf(rng, 100, 0.9)), "label_accuracy")
		if !ok {
			t.Fatal("no difference")
		}
		if !d.None {
			different++
		}
	}
	if different > 20 {
		t.Errorf("%d of 200 pairs of equal models differ", different)
	}
}

func TestRecentred(t *testing.T) {
	d := draws{value: 1, values: []float64{2, 3, 4}}.recentred(0.5, 1.5)
	if d.values[0] != 0.5 || d.values[1] != 1 || d.values[2] != 1.5 {
		t.Errorf("%v", d.values)
	}
}

func TestPoisson(t *testing.T) {
	sum := 0.0
	for i := range 10000 {
		sum += float64(poisson((float64(i) + 0.5) / 10000))
	}
	if math.Abs(sum/10000-1) > 0.01 || poisson(0) != 0 || poisson(1) > 12 {
		t.Errorf("mean %g", sum/10000)
	}
}

// Every figure of a row in the JSON has an interval that holds it.
func TestEveryFigureHasAnInterval(t *testing.T) {
	o := EvaluatorOptions{Seed: 1, Epochs: 4, Useful: true, Steps: 4, Shares: []float64{0.5}, Policies: Policies()[1:2], Groups: groupsOf(24, 6)}
	e, err := NewEvaluator(t.Context(), classes(t, 8, 0), classes(t, 4, 500), o)
	if err != nil {
		t.Fatal(err)
	}
	r, err := e.Row(t.Context(), "fresh", "model", classes(t, 5, 9000))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []Row{r, e.Report().Rows[0]} {
		for _, name := range []string{
			"label_accuracy", "silent", "inception_score", "inception_ratio", "modified_inception_score", "modified_inception_ratio", "am_score", "frechet",
			"frechet_ratio", "kernel_distance", "kernel_audio_distance", "ndb", "two_sample", "two_sample.real", "two_sample.generated", "memorisation.spectrogram",
			"memorisation.features", "diversity", "diversity_ratio", FigureAlone, FigureReal, FigureRatio, FigureGain(0.5),
		} {
			v, known := row.figure(name)
			i, ok := row.Interval(name)
			if strings.HasPrefix(name, "usefulness") && row.Kind == "real" {
				if known || ok {
					t.Errorf("%s of real clips: %g, %v", name, v, i)
				}
				continue
			}
			if !known || !ok || !(i[0] <= v+1e-9 && v-1e-9 <= i[1]) || math.IsNaN(i[0]+i[1]) || i[1]-i[0] > 1e6 {
				t.Errorf("%s of %s: %g, interval %v (known %v, %v)", name, row.Kind, v, i, known, ok)
			}
			// A ratio of real clips to themselves is 1; of 24 clips in two bins none may differ.
			if exact := row.Kind == "real" && strings.HasSuffix(name, "_ratio"); name != "ndb" && (i[1] > i[0]) == exact {
				t.Errorf("%s of %s: interval %v of %g", name, row.Kind, i, v)
			}
		}
		if _, ok := row.Intervals["label_recall."+e.classifier.labels[0]]; !ok {
			t.Errorf("no interval of a label's recall: %v", row.Intervals)
		}
	}
	checkGroups(t, e.Report().Rows[0].Groups, r.Usefulness.Groups)
	if text, err := json.Marshal(r); err != nil || !strings.Contains(string(text), `"label_accuracy":[`) {
		t.Errorf("JSON: %v\n%s", err, text)
	}
}

// groupsOf are groups of n held-out clips, of which the last are of an unknown one.
func groupsOf(n, unknown int) []Group {
	out := make([]Group, n)
	for i := range out {
		out[i] = Group{Name: "anna", Unknown: false}
		if i >= n-unknown {
			out[i] = Group{Name: "theo", Unknown: true}
		}
	}
	return out
}

// checkGroups checks the groups of groupsOf(24, 6).
func checkGroups(t *testing.T, real, useful *Groups) {
	t.Helper()
	if real == nil || useful == nil {
		t.Fatal("no groups")
	}
	for _, g := range []*Groups{real, useful} {
		if g.Known == nil || g.Known.Recordings != 18 || g.Known.Names[0] != "anna" || g.Unknown == nil || g.Unknown.Recordings != 6 || g.Unknown.Names[0] != "theo" {
			t.Errorf("%+v", g)
		}
	}
	if real.Known.Evaluator == nil || real.Known.Alone != nil || useful.Unknown.Alone == nil || useful.Unknown.Real == nil || useful.Unknown.Evaluator != nil {
		t.Errorf("real %+v, usefulness %+v", real.Known, useful.Unknown)
	}
	if i := useful.Unknown.Intervals["trained_on_real"]; !i.Holds(*useful.Unknown.Real) || i[0] == i[1] {
		t.Errorf("interval %v of %g", i, *useful.Unknown.Real)
	}
}

// The interval of a share lies between 0 and 1, also where the deviation between classifiers reaches beyond.
func TestShareIntervalIsAShare(t *testing.T) {
	d := draws{value: 0.99, values: []float64{0.9, 0.99, 1.02}, cases: 50}
	if i := d.interval(); i[1] != 1 || i[0] < 0 || i[0] > 0.99 {
		t.Errorf("interval %v of a share of .99", i)
	}
	d = draws{value: 0.01, values: []float64{-0.02, 0.01, 0.1}, cases: 50}
	if i := d.interval(); i[0] != 0 {
		t.Errorf("interval %v of a share of .01", i)
	}
}
