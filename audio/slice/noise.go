package slice

import "math"

// The minimum of the background is taken over history sub-windows of one second.
const (
	history   = 10
	smoothing = 0.7
)

// background tracks the power of the bands between sounds by minimum statistics. Its fields are part of a [State].
type background struct {
	Smooth []float64   // The smoothed power.
	Least  []float64   // Its least value in the sub-window in progress.
	Past   [][]float64 // Those of the sub-windows before, the oldest first.
	Hops   int64       // Hops seen.
}

func newBackground(bands int) background {
	return background{Smooth: make([]float64, bands), Least: make([]float64, bands)}
}

func (g *background) add(powers []float64) {
	first := g.Hops == 0
	begins := g.Hops%hopsPerSecond == 0
	if begins && !first {
		if len(g.Past) == history-1 {
			copy(g.Past, g.Past[1:])
			g.Past = g.Past[:history-2]
		}
		g.Past = append(g.Past, append([]float64(nil), g.Least...))
	}
	for b, p := range powers {
		if first {
			g.Smooth[b] = p
		}
		g.Smooth[b] = smoothing*g.Smooth[b] + (1-smoothing)*p
		if begins || g.Smooth[b] < g.Least[b] {
			g.Least[b] = g.Smooth[b]
		}
	}
	g.Hops++
}

// estimate writes the power of the background in each band to dst, and returns the noise floor in dB, of which both are at
// most highestFloor.
func (g *background) estimate(dst []float64, s *spectrum, highestFloor float64) float64 {
	// Neighbouring windows overlap: about every third hop is independent.
	if g.Hops == 0 {
		clear(dst)
	}
	n := float64(min(g.Hops, history*hopsPerSecond)) / 3
	z := 0.0
	if n > 1 {
		z = max(0, 0.9*math.Sqrt(2*math.Log(n))-0.2) // The expectation of the least of n normal values, within 0.3.
	}
	var sum float64
	lowest, highest := power(LowestFloor)/float64(len(dst)), power(highestFloor)
	for b := range dst {
		least := g.Least[b]
		for _, past := range g.Past {
			least = min(least, past[b])
		}
		// The smoothed power has about 6 degrees of freedom for each bin; the cube root of a chi-square value is nearly normal
		// (Wilson and Hilferty, 1931).
		d := 2 / (9 * 6 * float64(s.bins(b)))
		share := max(0.05, math.Pow(max(0, 1-d-z*math.Sqrt(d)), 3))
		dst[b] = max(least/share, lowest)
		sum += dst[b]
	}
	if sum > highest {
		for b := range dst {
			dst[b] *= highest / sum
		}
		sum = highest
	}
	return decibels(sum)
}
