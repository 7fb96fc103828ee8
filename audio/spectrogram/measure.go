package spectrogram

import (
	"fmt"
	"math"
)

// Convergence measures how far the signal x is from the features s: the norm of the difference of their magnitudes (mel
// magnitudes where there are filters, roots of powers) by the norm of s's, in dB. It is known as spectral convergence.
// Lower is better: -25 dB is usual for a reconstructed phase, and the signal that s came from reaches float32's
// rounding, below -100 dB.
func (t *Transform) Convergence(s *Spectrogram, x []float32) (float64, error) {
	if err := t.check(s); err != nil {
		return 0, err
	}
	if frames := t.config.Frames(len(x)); frames != s.Frames {
		return 0, fmt.Errorf("spectrogram: %d samples make %d frames, not %d", len(x), frames, s.Frames)
	}
	of, err := t.Forward(nil, x)
	if err != nil {
		return 0, err
	}
	want, got := t.config.amplitudes(s.Data), t.config.amplitudes(of.Data)
	var diff, norm float64
	for i, w := range want {
		d := float64(got[i]) - float64(w)
		diff, norm = diff+d*d, norm+float64(w)*float64(w)
	}
	const tiny = 1e-60 // keeps silence, which is reached exactly, finite
	return 10 * math.Log10((diff+tiny)/(norm+tiny)), nil
}

// amplitudes are the magnitudes behind features, roots of powers.
func (c Config) amplitudes(features []float32) []float32 {
	out := make([]float32, len(features))
	c.decode(out, features)
	if c.isPower() {
		for i, v := range out {
			out[i] = float32(math.Sqrt(float64(v)))
		}
	}
	return out
}

// Consistency measures how far the features s are from those of any real signal, in dB of their norm: the Convergence of
// the signal that ph reconstructs from them, and so an upper bound of the distance. Features of a recording reach about
// -30 dB with the default phase. Features of a generator that lie above that are less like those of a real signal.
func (t *Transform) Consistency(s *Spectrogram, ph Phase) (float64, error) {
	if err := t.check(s); err != nil {
		return 0, err
	}
	x, err := t.Reconstruct(s, t.config.Samples(s.Frames), ph)
	if err != nil {
		return 0, err
	}
	return t.Convergence(s, x)
}
