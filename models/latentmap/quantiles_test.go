package latentmap

import (
	"math"
	"slices"
	"testing"
)

func TestQuantiles(t *testing.T) {
	x := make([]float64, 1000)
	for i := range x {
		x[(i*617)%1000] = float64(i)
	}
	for i, v := range quantiles(x, 4) {
		if want := 1000*(float64(i)+0.5)/4 - 0.5; math.Abs(v-want) > 1e-9 {
			t.Errorf("quantile %d is %g, want %g", i, v, want)
		}
	}
	if q := quantiles([]float64{7}, 3); !slices.Equal(q, []float64{7, 7, 7}) {
		t.Errorf("of one value: %v", q)
	}
}
