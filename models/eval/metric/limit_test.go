package metric_test

import (
	"errors"
	"math"
	"slices"
	"sort"
	"testing"

	"wavemill/models/eval/metric"
)

// audioKernel computes the kernel audio distance pair by pair.
func audioKernel(x, y [][]float64) float64 {
	squared := func(a, b []float64) (s float64) {
		for i := range a {
			s += (a[i] - b[i]) * (a[i] - b[i])
		}
		return s
	}
	var between []float64
	for i := range y {
		for j := range i {
			between = append(between, math.Sqrt(squared(y[i], y[j])))
		}
	}
	sort.Float64s(between)
	median := (between[(len(between)-1)/2] + between[len(between)/2]) / 2
	mean := func(a, b [][]float64, same bool) float64 {
		var sum, count float64
		for i := range a {
			for j := range b {
				if !same || i != j {
					sum += math.Exp(-squared(a[i], b[j]) / (2 * median * median))
					count++
				}
			}
		}
		return sum / count
	}
	return 100 * (mean(x, x, true) + mean(y, y, true) - 2*mean(x, y, false))
}

func TestAudioKernel(t *testing.T) {
	x, y := gaussians(1, 60, 3, 0.4, 1.2), gaussians(2, 41, 3, 0, 1)
	part := make([]float64, len(x))
	for i := range 20 {
		part[i] = 1
	}
	v, of, err := metric.AudioKernelResampled(x, y, [][]float64{part})
	near(t, "kernel audio distance", v, audioKernel(x, y), 1e-9, err)
	near(t, "that of a part", of[0], audioKernel(x[:20], y), 1e-9, nil)

	var mean float64
	for s := range uint64(200) {
		v, _, err := metric.AudioKernelResampled(gaussians(2*s, 10, 4, 0, 1), gaussians(2*s+1, 30, 4, 0, 1), nil)
		if err != nil {
			t.Fatal(err)
		}
		mean += v / 200
	}
	near(t, "mean of equal distributions", mean, 0, 0.3, nil)

	if _, _, err := metric.AudioKernelResampled(x, slices.Repeat([][]float64{{1, 2, 3}}, 9), nil); !errors.Is(err, metric.ErrNoSpread) {
		t.Errorf("a reference of equal rows: error %v", err)
	}
	if _, _, err := metric.AudioKernelResampled(x, gaussians(2, 41, 2, 0, 1), nil); err == nil {
		t.Error("features of different widths are compared")
	}
	if _, _, err := metric.AudioKernelResampled([][]float64{{1e200}, {-1e200}}, [][]float64{{1e200}, {0}}, nil); err == nil {
		t.Error("features whose squares overflow are compared")
	}
}

// The limit does not depend on the number of clips, where the distance itself is too large.
func TestFrechetLimit(t *testing.T) {
	reference, err := metric.NewReference(gaussians(99, 20000, 4, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	for _, shift := range []float64{0, 0.5} {
		for _, n := range []int{24, 200} {
			var limit, plain float64
			for s := range uint64(40) {
				x := gaussians(s, n, 4, shift, 1)
				v, without, err := reference.FrechetLimit(x, s)
				if err != nil || len(without) != 10 {
					t.Fatal(without, err)
				}
				limit += v / 40
				if v, err = reference.Frechet(x); err != nil {
					t.Fatal(err)
				}
				plain += v / 40
			}
			want := 4 * shift * shift
			near(t, "limit", limit, want, 1.6/float64(n)+0.02, nil)
			if plain < want+4/float64(n) {
				t.Errorf("the distance of %d clips is %.3f: the test cannot tell a biased estimate", n, plain)
			}
		}
	}
	if _, _, err := reference.FrechetLimit(gaussians(1, 7, 4, 0, 1), 1); err == nil {
		t.Error("seven clips of four features have a limit")
	}
	a, _, err := reference.FrechetLimit(gaussians(1, 50, 4, 0, 1), 7)
	b, _, again := reference.FrechetLimit(gaussians(1, 50, 4, 0, 1), 7)
	if a != b || err != nil || again != nil {
		t.Errorf("the same seed gives %v (%v) and %v (%v)", a, err, b, again)
	}
}
