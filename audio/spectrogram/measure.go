package spectrogram

import (
	"fmt"
	"math"

	"github.com/tphakala/simd/f32"
)

// Convergence measures how far the signal x is from having the magnitudes behind the features s: the norm of the
// difference of magnitudes by the norm of s's magnitudes (spectral convergence), in dB. Lower is better: -25 dB is
// usual, and a signal with exactly these magnitudes reaches about -130 dB, float32's rounding.
func (t *Transform) Convergence(s *Spectrogram, x []float32) (float64, error) {
	if err := t.check(s); err != nil {
		return 0, err
	}
	if frames := t.config.Frames(len(x)); frames != s.Frames {
		return 0, fmt.Errorf("spectrogram: %d samples make %d frames, not %d", len(x), frames, s.Frames)
	}
	want := t.Magnitude(nil, s)
	var diff, norm float64
	for i, v := range t.STFT(nil, x) {
		w := float64(want[i])
		d := math.Hypot(float64(real(v)), float64(imag(v))) - w
		diff, norm = diff+d*d, norm+w*w
	}
	return 10 * math.Log10((diff+math.SmallestNonzeroFloat64)/(norm+math.SmallestNonzeroFloat64)), nil
}

// consistencyRange is how far below the largest bin, in nepers, a bin may be to count in Consistency: about 60 dB.
const consistencyRange = 7

// Consistency judges, without reconstructing anything, how much the magnitudes behind s look like those of any real
// signal's STFT, as the front end of a generator sees them: 1 is perfect, around 0 is noise.
//
// The log-magnitude L of an STFT with a Gaussian window obeys gamma*L_tt + L_ff/gamma = -2*pi away from zeros (from the
// equality of the phase's mixed derivatives; Průša et al. 2017, and as a score Marafioti et al., "Adversarial generation
// of time-frequency features", 2019): the result is the correlation of the two terms, negated, over bins within 60 dB of
// the largest. It is blind to errors that keep the relation, and near enough for other windows.
func (t *Transform) Consistency(s *Spectrogram) (float64, error) {
	if err := t.check(s); err != nil {
		return 0, err
	}
	magnitude := t.Magnitude(nil, s)
	largest := f32.Max(magnitude)
	if !(largest > minPeak) {
		return 0, nil
	}
	g := t.newGradient(magnitude, largest)
	bins, frames := t.linear, s.Frames
	peak := f32.Max(g.log)
	hop, n, gamma := float64(t.config.Hop), float64(t.config.NFFT), gamma(t.config)
	var c correlation
	for f := 1; f+1 < frames; f++ {
		for k := 1; k+1 < bins; k++ {
			i := f*bins + k
			v := g.log[i]
			if v < peak-consistencyRange {
				continue
			}
			time := gamma / (hop * hop) * float64(g.log[i+bins]-2*v+g.log[i-bins])
			freq := n * n / gamma * float64(g.log[i+1]-2*v+g.log[i-1])
			c.add(time, -freq)
		}
	}
	return c.value(), nil
}

// A correlation gathers Pearson's coefficient.
type correlation struct{ n, x, y, xx, yy, xy float64 }

func (c *correlation) add(x, y float64) {
	c.n++
	c.x, c.y, c.xx, c.yy, c.xy = c.x+x, c.y+y, c.xx+x*x, c.yy+y*y, c.xy+x*y
}

// value is 0 where either side does not vary.
func (c *correlation) value() float64 {
	vx, vy := c.n*c.xx-c.x*c.x, c.n*c.yy-c.y*c.y
	if !(vx > 0 && vy > 0) {
		return 0
	}
	return (c.n*c.xy - c.x*c.y) / math.Sqrt(vx*vy)
}
