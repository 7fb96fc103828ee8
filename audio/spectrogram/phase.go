package spectrogram

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Phase reconstruction methods.
const (
	MethodGriffinLim = "griffinlim" // Griffin and Lim 1984
	MethodFGLA       = "fgla"       // fast Griffin-Lim, Perraudin, Balazs and Søndergaard 2013
	MethodPGHI       = "pghi"       // phase gradient heap integration, Průša, Balazs and Søndergaard 2017
	MethodPGHIFGLA   = "pghi+fgla"  // PGHI, refined by fast Griffin-Lim
)

// A Phase says how to find the phase that a magnitude spectrogram lacks. The zero value is the best default of the
// Config at hand.
type Phase struct {
	Method     string  `json:"method,omitempty"`
	Iterations int     `json:"iterations,omitempty"` // Griffin-Lim iterations
	Momentum   float64 `json:"momentum,omitempty"`   // of fast Griffin-Lim
	Seed       uint64  `json:"seed,omitempty"`       // of the phases drawn at random
}

// Reconstruct makes n samples (n <= 0: the natural length) from features: back to magnitudes, a phase for them, inverse
// transform. It is lossy: the features hold no phase, and mel features not every bin. Same input and seed: same bytes.
func (t *Transform) Reconstruct(s *Spectrogram, n int, ph Phase) ([]float32, error) {
	if err := t.check(s); err != nil {
		return nil, err
	}
	switch ph.Method {
	case "", MethodGriffinLim, MethodFGLA, MethodPGHI, MethodPGHIFGLA:
	default:
		return nil, fmt.Errorf("spectrogram: phase method %q is unknown", ph.Method)
	}
	if n <= 0 {
		n = t.config.Samples(s.Frames)
	}
	return t.griffinLim(t.magnitude(s), n, ph), nil
}

// magnitude undoes encode: linear magnitudes, Frames by NFFT/2+1.
func (t *Transform) magnitude(s *Spectrogram) []float32 {
	bins := t.config.NFFT/2 + 1
	mag := make([]float32, s.Frames*bins)
	row := make([]float64, s.Bins)
	for f := range s.Frames {
		for i, v := range s.Data[f*s.Bins : (f+1)*s.Bins] {
			row[i] = t.decode(float64(v))
		}
		out := mag[f*bins : (f+1)*bins]
		if t.bands == nil {
			for i, v := range row {
				out[i] = float32(v)
			}
			continue
		}
		for m, b := range t.bands {
			var sum float64
			for _, w := range b.weights {
				sum += float64(w)
			}
			for i, w := range b.weights {
				out[b.first+i] += w / float32(sum) * float32(row[m])
			}
		}
	}
	if t.config.isPower() {
		for i, v := range mag {
			mag[i] = float32(math.Sqrt(float64(v)))
		}
	}
	return mag
}

func (t *Transform) decode(v float64) float64 {
	c := t.config
	if !c.isLog() {
		return math.Max(0, v)
	}
	if c.isScaled() {
		v = c.Min + (v+1)/2*(c.Max-c.Min)
	}
	return math.Max(0, math.Exp(v)-c.Floor)
}

func (t *Transform) griffinLim(mag []float32, n int, ph Phase) []float32 {
	rng := rand.New(rand.NewPCG(ph.Seed, 0))
	s := make([]complex64, len(mag))
	for i, m := range mag {
		sin, cos := math.Sincos(2 * math.Pi * rng.Float64())
		s[i] = complex(m*float32(cos), m*float32(sin))
	}
	iterations := ph.Iterations
	if iterations <= 0 {
		iterations = 32
	}
	x := make([]float32, max(n, t.config.Samples(len(mag)/(t.config.NFFT/2+1))))
	var next []complex64
	for range iterations {
		x = t.ISTFT(x, s, len(x))
		next = t.STFT(next, x)
		for i, m := range mag {
			a := float32(math.Hypot(float64(real(next[i])), float64(imag(next[i]))))
			s[i] = next[i] * complex(m/(a+1e-16), 0)
		}
	}
	return t.ISTFT(x, s, n)
}
