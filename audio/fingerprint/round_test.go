package fingerprint

import (
	"math"
	"testing"
)

func TestRound16(t *testing.T) {
	check := func(v float32) {
		t.Helper()
		want := int16(max(math.MinInt16, min(math.MaxInt16, math.Round(float64(v)*(1<<15)))))
		if got := round16(v); got != want {
			t.Fatalf("%g (%g steps) is %d, want %d", v, float64(v)*(1<<15), got, want)
		}
	}
	inf := float32(math.Inf(1))
	for half := -2*math.MaxInt16 - 5; half <= 2*math.MaxInt16+5; half++ { // In halves of a step.
		v := float32(half) / (1 << 16)
		check(math.Nextafter32(v, -inf))
		check(v)
		check(math.Nextafter32(v, inf))
	}
	for _, v := range []float32{inf, -inf, math.MaxFloat32, -math.MaxFloat32, math.SmallestNonzeroFloat32, float32(math.Copysign(0, -1))} {
		check(v)
	}
	if got := round16(float32(math.NaN())); got != 0 {
		t.Errorf("NaN is %d", got)
	}
}
