package stats

import (
	"math"
	"slices"
	"testing"
)

func TestAboutMean(t *testing.T) {
	// The means of 3 are 1.5, 2, 4, 5.5; at the ends there are 2 values.
	if got, want := AboutMean([]float64{1, 2, 3, 7}, 3), []float64{-0.5, 0, -1, 2}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := AboutMean(nil, 3); len(got) != 0 {
		t.Errorf("%v of nothing", got)
	}
}

func TestCorrelation(t *testing.T) {
	x := []float64{1, 2, 3, 4}
	for _, c := range []struct {
		y    []float64
		want float64
	}{{[]float64{2, 4, 6, 8}, 1}, {[]float64{4, 3, 2, 1}, -1}, {[]float64{5, 5, 5, 5}, 0}, {[]float64{1, -1, -1, 1}, 0}} {
		if got := Correlation(x, c.y); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("with %v: %g, want %g", c.y, got, c.want)
		}
	}
	if Correlation(nil, nil) != 0 {
		t.Error("of nothing: not 0")
	}
}
