package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-12*(1+math.Abs(b)) }

// TestQuantile compares with numpy.quantile(x, p).
func TestQuantile(t *testing.T) {
	x := []float64{3, 1, 4, 1, 5}
	for p, want := range map[float64]float64{0: 1, 0.05: 1, 0.3: 1.4, 0.5: 3, 0.9: 4.6, 1: 5} {
		if got := Quantile(x, p); !near(got, want) {
			t.Errorf("the %g-quantile is %g, want %g", p, got, want)
		}
	}
	if x[0] != 3 {
		t.Error("the values were sorted in place")
	}
	if got := Median([]float64{1, 2}); got != 1.5 {
		t.Errorf("median %g", got)
	}
	for _, bad := range []float64{Quantile(nil, 0.5), Quantile(x, -0.1), Quantile(x, 1.1), Quantile(x, math.NaN())} {
		if !math.IsNaN(bad) {
			t.Errorf("%g, want NaN", bad)
		}
	}
}

// blobs are rows around k corners of a square grid, far apart.
func blobs[F Float](k, each int, seed uint64) []F {
	rng := rand.New(rand.NewPCG(seed, 1))
	var x []F
	for i := range k * each {
		c := i % k
		x = append(x, F(100*float64(c%3)+rng.NormFloat64()), F(100*float64(c/3)+rng.NormFloat64()))
	}
	return x
}

func TestKMeansFindsBlobs(t *testing.T) {
	testKMeansFindsBlobs[float32](t)
	testKMeansFindsBlobs[float64](t)
}

func testKMeansFindsBlobs[F Float](t *testing.T) {
	t.Helper()
	const k, each = 6, 20
	x := blobs[F](k, each, 3)
	c, err := KMeans(x, 2, k, KMeansOptions{Tries: 8}, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	for i, of := range c.Of {
		if of != c.Of[i%k] {
			t.Fatalf("row %d is in cluster %d, row %d of the same blob in %d", i, of, i%k, c.Of[i%k])
		}
	}
	if !slices.Equal(c.Counts, slices.Repeat([]int{each}, k)) || c.Inertia > 4*2*k*each {
		t.Errorf("counts %v, inertia %g", c.Counts, c.Inertia)
	}
	again, err := KMeans(x, 2, k, KMeansOptions{Tries: 8}, rand.New(rand.NewPCG(1, 2)))
	if err != nil || !slices.Equal(again.Centres, c.Centres) {
		t.Errorf("the same seed gave other centres, error %v", err)
	}
}

func TestKMeansProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		width := rapid.IntRange(1, 4).Draw(t, "width")
		n := rapid.IntRange(1, 30).Draw(t, "n")
		x := rapid.SliceOfN(rapid.Map(rapid.IntRange(-3, 3), func(v int) float64 { return float64(v) }), n*width, n*width).Draw(t, "x")
		k := rapid.IntRange(1, n).Draw(t, "k")
		rule := rapid.SampledFrom([]EmptyRule{KeepEmpty, RefillEmpty}).Draw(t, "rule")
		c, err := KMeans(x, width, k, KMeansOptions{Empty: rule}, rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)))
		if err != nil {
			t.Fatal(err)
		}
		sum, counts := 0.0, make([]int, k)
		for i, of := range c.Of {
			_, best := NearestCentre(x[i*width:(i+1)*width], c.Centres)
			d := squaredDistance(x[i*width:(i+1)*width], c.Centres[of*width:(of+1)*width])
			if d != best {
				t.Fatalf("row %d lies %g from its centre and %g from another", i, d, best)
			}
			sum += d
			counts[of]++
		}
		if !near(sum, c.Inertia) || !slices.Equal(counts, c.Counts) {
			t.Fatalf("inertia %g and counts %v, recomputed %g and %v", c.Inertia, c.Counts, sum, counts)
		}
	})
}

func TestEmptyRules(t *testing.T) {
	x := []float64{0, 1, 2, 50}
	start := []float64{1, 900} // Nothing is nearest to the second.
	kept := Lloyd(x, 1, start, KMeansOptions{Rounds: 1, Empty: KeepEmpty})
	if kept.Centres[1] != 900 || kept.Counts[1] != 0 {
		t.Errorf("kept: centres %v, counts %v", kept.Centres, kept.Counts)
	}
	refilled := Lloyd(x, 1, start, KMeansOptions{Empty: RefillEmpty})
	if !slices.Equal(refilled.Centres, []float64{1, 50}) || !slices.Equal(refilled.Counts, []int{3, 1}) {
		t.Errorf("refilled: centres %v, counts %v", refilled.Centres, refilled.Counts)
	}
	if start[1] != 900 {
		t.Error("the given centres were changed")
	}
}

func TestKMeansRefuses(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, c := range []struct {
		x        []float64
		width, k int
		want     string
	}{
		{nil, 1, 1, "no rows"},
		{[]float64{1, 2, 3}, 2, 1, "3 values are no rows of 2"},
		{[]float64{1}, 0, 1, "of 0 columns"},
		{[]float64{1, 2}, 1, 3, "3 clusters of 2 rows"},
		{[]float64{1, 2}, 1, 0, "0 clusters"},
	} {
		if _, err := KMeans(c.x, c.width, c.k, KMeansOptions{}, rng); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v", c, err)
		}
	}
}

// TestPlusPlusProbabilities draws the second of three points at 0, 1 and 3 from the first: 1 to 9.
func TestPlusPlusProbabilities(t *testing.T) {
	x := []float64{0, 1, 3}
	rng := rand.New(rand.NewPCG(5, 5))
	var count [3]int
	for range 2000 {
		next := PlusPlus([]float64{0, 1, 9}, 1, func(i, j int) float64 { return (x[i] - x[j]) * (x[i] - x[j]) }, rng)
		count[next[0]]++
	}
	if count[0] != 0 || count[1] < 140 || count[1] > 260 { // 200, by four deviations of 13.4.
		t.Errorf("drawn %v times, want about 0, 200, 1800", count)
	}
	if got := GrowCentres([]float64{7}, x, 1, 1, rng); !slices.Equal(got, []float64{7}) {
		t.Errorf("one centre grew to %v", got)
	}
	if got := GrowCentres(nil, []float64{2, 2, 2}, 1, 3, rng); !slices.Equal(got, []float64{2, 2, 2}) {
		t.Errorf("equal rows gave %v", got)
	}
}

func TestCholeskyRidge(t *testing.T) {
	// A covariance of rank 1 with a slightly negative direction.
	c := mat.NewSymDense(2, []float64{1, 1, 1, 1 - 1e-7})
	l, ridge, err := CholeskyRidge(c, 1e-8)
	if err != nil || ridge < 1e-8 || ridge > 1e-5 {
		t.Fatalf("ridge %g, error %v", ridge, err)
	}
	for i := range 2 {
		for j := range 2 {
			got := l[i*2]*l[j*2] + l[i*2+1]*l[j*2+1]
			if math.Abs(got-c.At(i, j)) > 2*ridge {
				t.Errorf("element %d, %d of the product is %g, want %g", i, j, got, c.At(i, j))
			}
		}
	}
	if l[1] != 0 {
		t.Errorf("above the diagonal: %g", l[1])
	}
	if _, _, err := CholeskyRidge(mat.NewSymDense(1, []float64{math.NaN()}), 1e-6); err == nil {
		t.Error("NaN was factored")
	}
	if _, _, err := CholeskyRidge(c, 0); err == nil {
		t.Error("a ridge of 0 was accepted")
	}
}
