package audio

import (
	"math"

	"wavemill/internal/cpu"
)

// The anti-alias filter is a sinc under a Kaiser window (Kaiser and Schafer, "On the use of the
// I0-sinh window for spectrum analysis", IEEE TASSP 28(1), 1980). All frequencies are relative to
// the Nyquist frequency of the lower of the two rates.
const (
	// stopband is the edge from which everything is below -120 dB: nothing aliases at all.
	stopband = 1.0
	// attenuation is the stopband's design depth in dB, with a margin on the promised 120.
	attenuation = 126.0
	// zeroCrossings is the half-length of the sinc in periods of the lower rate. It sets the width
	// of the transition band, (attenuation-8)/(2.285*pi*2*zeroCrossings) = 0.093.
	zeroCrossings = 88
	// maxTableSamples bounds an exact phase table (4 MiB); ratios with more phases interpolate.
	maxTableSamples = 1 << 20
	// interpolatedPhases is the density of the interpolated table in phases per period of the lower
	// rate. Linear interpolation errs by (pi/4096)^2/8 = -142 dB of the filter's passband.
	interpolatedPhases = 4096
)

// kaiserBeta is the window's shape for an attenuation above 50 dB.
func kaiserBeta() float64 { return 0.1102 * (attenuation - 8.7) }

// cutoff is the middle of the transition band.
func cutoff() float64 {
	width := (attenuation - 8) / (2.285 * math.Pi * 2 * zeroCrossings)
	return stopband - width/2
}

// phaseTable holds the filter sampled at every phase: row p is the filter for an output that lies
// p/phases of an input period after the input sample under its middle tap. It is never written
// after it was made.
type phaseTable struct {
	up, down   int       // The ratio in lowest terms.
	taps, half int       // taps = 2*half; the row covers inputs i-half+1 .. i+half.
	phases     int       // Rows; an interpolated table has one more, for phase 1.
	exact      bool      // Each output phase has a row of its own.
	rows       []float32 // [phases(+1)][taps]; nil when there is a bank.
	bank       *filterBank
	dot        func(a, b []float32) float32 // Used where there is no bank.
}

func (t *phaseTable) row(p int) []float32 { return t.rows[p*t.taps : (p+1)*t.taps : (p+1)*t.taps] }

// newPhaseTable samples the filter for a ratio of up/down in lowest terms and lays it out for the
// kernels of a class.
func newPhaseTable(up, down int, class cpu.Class) *phaseTable {
	scale := min(1, float64(up)/float64(down)) // The lower rate in units of the input rate.
	t := &phaseTable{up: up, down: down, half: int(math.Ceil(zeroCrossings / scale)), dot: dotOf(class)}
	t.taps = 2 * t.half
	t.exact = up*t.taps <= maxTableSamples
	rows := up
	t.phases = up
	if !t.exact {
		t.phases = max(2, int(math.Ceil(interpolatedPhases*scale)))
		rows = t.phases + 1
	}
	t.rows = make([]float32, rows*t.taps)
	var (
		beta = kaiserBeta()
		norm = 1 / besselI0(beta)
		fc   = cutoff() * scale
		taps = make([]float64, t.taps)
	)
	for p := range rows {
		var sum float64
		for j := range taps {
			x := float64(j-t.half+1) - float64(p)/float64(t.phases)
			taps[j] = sinc(fc*x) * kaiser(x*scale/zeroCrossings, beta) * norm
			sum += taps[j]
		}
		row := t.row(p)
		for j, v := range taps {
			row[j] = float32(v / sum) // Every phase passes a constant unchanged.
		}
	}
	if t.bank = newFilterBank(t, up, down, firs(class)); t.bank != nil {
		t.rows = nil
	}
	return t
}

// run computes len(dst) outputs from output k on. x[0] is input sample origin; what lies outside x
// is zero.
func (t *phaseTable) run(dst, x []float32, origin, k int) {
	if len(dst) == 0 {
		return
	}
	if t.bank != nil {
		t.bank.run(dst, x, origin, k)
		return
	}
	// k*down may not fit 64 bits for long streams of odd ratios; quotient and remainder do.
	part := int64(k%t.up) * int64(t.down)
	whole, rest := k/t.up*t.down+int(part/int64(t.up)), int(part%int64(t.up))
	for i := range dst {
		lo := whole - t.half + 1 - origin // x index under tap 0.
		a, b := max(0, -lo), min(t.taps, len(x)-lo)
		if a < b {
			dst[i] = t.apply(x[lo+a:lo+b], rest, a, b)
		} else {
			dst[i] = 0
		}
		rest += t.down
		whole += rest / t.up
		rest %= t.up
	}
}

// apply applies taps a to b of the filter for an output rest/up after an input sample.
func (t *phaseTable) apply(x []float32, rest, a, b int) float32 {
	if t.exact {
		return t.dot(x, t.row(rest)[a:b])
	}
	at := float64(rest) / float64(t.up) * float64(t.phases)
	row := int(at)
	w := float32(at - float64(row))
	y0 := t.dot(x, t.row(row)[a:b])
	y1 := t.dot(x, t.row(row + 1)[a:b])
	return y0 + w*(y1-y0)
}

// sinc is sin(pi x)/(pi x).
func sinc(x float64) float64 {
	if math.Abs(x) < 1e-9 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// kaiser is the unnormalized window over x in [-1, 1], 0 outside.
func kaiser(x, beta float64) float64 {
	r := 1 - x*x
	if r < 0 {
		return 0
	}
	return besselI0(beta * math.Sqrt(r))
}

// besselI0 is the modified Bessel function of order 0, by its power series, which converges to
// double precision for the arguments used here (below 20).
func besselI0(x float64) float64 {
	sum, term, q := 1.0, 1.0, x*x/4
	for k := 1.0; term > sum*1e-17; k++ {
		term *= q / (k * k)
		sum += term
	}
	return sum
}
