package pseudolabel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// clip returns random features in which what happens at time t happens at bend(t), both in [0, 1].
func clip(seed uint64, bend func(float64) float64) []float32 {
	rng := rand.New(rand.NewPCG(seed, 0))
	x := make([]float32, frames*width)
	for k := range width {
		a, b, phase := rng.Float64(), 1+rng.Float64(), 7*rng.Float64()
		for t := range frames {
			at := bend(float64(t) / (frames - 1))
			x[t*width+k] = float32(a + math.Sin(phase+6*b*at))
		}
	}
	standardise(x)
	return x
}

// A clip at another pace is nearer than another clip, distances are symmetric, and that to itself is 0.
func TestDistances(t *testing.T) {
	same := func(t float64) float64 { return t }
	a, slow, other := clip(1, same), clip(1, func(t float64) float64 { return math.Pow(t, 1.25) }), clip(2, same)
	var x []float32
	for range 30 { // more clips than are compared at a time
		x = append(append(append(x, a...), slow...), other...)
	}
	d, err := distances(t.Context(), x, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := 90
	for i := range n {
		for j := range n {
			if d[i*n+j] != d[j*n+i] {
				t.Fatalf("%d and %d: %g and %g", i, j, d[i*n+j], d[j*n+i])
			}
			if i%3 == j%3 && d[i*n+j] > 0.01 {
				t.Fatalf("%d and %d are equal; their distance is %g", i, j, d[i*n+j])
			}
		}
	}
	var straight float64
	for f := range frames {
		var sum float64
		for k := range width {
			sum += math.Pow(float64(a[f*width+k]-slow[f*width+k]), 2)
		}
		straight += math.Sqrt(sum) / frames
	}
	if near, far := d[1], d[2]; near > far/2 || near > 0.7*float32(straight) {
		t.Errorf("at another pace: %g, without warping %g; another clip: %g", near, straight, far)
	}
}

// In a chain of clips with a label at either end, each half takes the label of its end.
func TestSpread(t *testing.T) {
	const n = 10
	d := make([]float32, n*n)
	for i := range n {
		for j := range n {
			d[i*n+j] = float32(math.Abs(float64(i - j)))
		}
	}
	start := make([]float32, 2*n)
	start[0], start[2*n-1] = 1, 1
	of := spread(neighbourhood(d, n, 2), start, 2)
	for i := range n {
		if first := of[2*i] > of[2*i+1]; first != (i < n/2) {
			t.Errorf("clip %d: %g and %g", i, of[2*i], of[2*i+1])
		}
	}
	if alone := spread([][]edge{nil, nil}, []float32{1, 0}, 1); alone[0] == 0 || alone[1] != 0 {
		t.Errorf("without edges: %v", alone)
	}
}

func TestBalance(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	shares := []float64{0.5, 0.3, 0.2}
	rows := make([][]float64, 50)
	for i := range rows {
		rows[i] = []float64{rng.Float64() * 9, rng.Float64(), rng.Float64() / 9}
	}
	rows[7] = make([]float64, 3) // nothing reached it
	balance(rows, shares)
	for l, want := range shares {
		got := 0.0
		for _, row := range rows {
			got += row[l] / 49
		}
		if math.Abs(got-want) > 1e-3 {
			t.Errorf("label %d has a share of %g, not %g", l, got, want)
		}
	}
	for i, row := range rows {
		if sum := row[0] + row[1] + row[2]; i != 7 && math.Abs(sum-1) > 1e-9 || i == 7 && sum != 0 {
			t.Errorf("clip %d: the probabilities add up to %g", i, sum)
		}
	}
	if l, margin := best(rows[7]); l != -1 || margin != 0 {
		t.Errorf("nothing reached the clip: label %d, margin %g", l, margin)
	}
	if l, margin := best([]float64{0.2, 0.5, 0.3}); l != 1 || math.Abs(margin-0.2) > 1e-9 {
		t.Errorf("label %d, margin %g", l, margin)
	}
}

// A pair of clips is joined once, from both ends, with one weight, also where each is among the nearest of the other.
func TestNeighbourhood(t *testing.T) {
	const n = 12
	rng := rand.New(rand.NewPCG(3, 3))
	d := make([]float32, n*n)
	for i := range n {
		for j := range i {
			d[i*n+j] = 1 + rng.Float32()
			d[j*n+i] = d[i*n+j]
		}
	}
	edges := neighbourhood(d, n, 4)
	for i, of := range edges {
		seen := map[int]bool{}
		for _, e := range of {
			back := 0
			for _, other := range edges[e.to] {
				if other.to == i && other.weight == e.weight {
					back++
				}
			}
			if seen[e.to] || back != 1 || e.to == i {
				t.Errorf("%d to %d: joined before %v, %d edges back", i, e.to, seen[e.to], back)
			}
			seen[e.to] = true
		}
		if len(of) < 4 {
			t.Errorf("clip %d has %d edges", i, len(of))
		}
	}
}
