package spectrogram

import (
	"fmt"
	"math"
)

// Phase reconstruction methods.
const (
	MethodGriffinLim = "griffinlim" // Griffin and Lim 1984, from random phase
	MethodFGLA       = "fgla"       // fast Griffin-Lim (momentum), Perraudin, Balazs and Søndergaard 2013, from random phase
	MethodPGHI       = "pghi"       // phase gradient heap integration, Průša, Balazs and Søndergaard 2017; no iterations
	MethodPGHIFGLA   = "pghi+fgla"  // fast Griffin-Lim from PGHI's phase
)

// Defaults of a Phase.
const (
	defaultMomentum         = 0.99 // the paper's recommendation
	defaultIterations       = 32   // from random phase
	defaultRefineIterations = 32   // from PGHI's phase
	mostIterations          = 4096 // results stay the same long before
)

// A Phase selects the method of phase reconstruction. The zero value is the best default: PGHI and 32 iterations of fast
// Griffin-Lim.
type Phase struct {
	Method     string  `json:"method,omitempty"`     // one of the Method constants
	Iterations int     `json:"iterations,omitempty"` // Griffin-Lim iterations; 0 is 32
	Momentum   float64 `json:"momentum,omitempty"`   // of fast Griffin-Lim, below 1; 0 is 0.99
	Seed       uint64  `json:"seed,omitempty"`       // of the phases that are drawn at random
}

// withDefaults sets the fields of ph that are zero to their defaults.
func (ph Phase) withDefaults() (Phase, error) {
	if ph.Iterations > mostIterations {
		return ph, fmt.Errorf("spectrogram: phase: %d iterations; at most %d", ph.Iterations, mostIterations)
	}
	if ph.Iterations < 0 || !(ph.Momentum >= 0 && ph.Momentum < 1) {
		return ph, fmt.Errorf("spectrogram: phase: %d iterations with momentum %g; iterations are at least 0, momentum is at least 0 and below 1", ph.Iterations, ph.Momentum)
	}
	if ph.Method == "" {
		ph.Method = MethodPGHIFGLA
	}
	iterations, momentum := defaultIterations, defaultMomentum
	switch ph.Method {
	case MethodGriffinLim:
		momentum = 0
	case MethodFGLA:
	case MethodPGHI:
		iterations, ph.Iterations = 0, 0
	case MethodPGHIFGLA:
		iterations = defaultRefineIterations
	default:
		return ph, fmt.Errorf("spectrogram: phase: method %q is not one of %q", ph.Method,
			[]string{MethodPGHIFGLA, MethodPGHI, MethodFGLA, MethodGriffinLim})
	}
	if ph.Iterations == 0 {
		ph.Iterations = iterations
	}
	if ph.Momentum == 0 || ph.Method == MethodGriffinLim {
		ph.Momentum = momentum
	}
	return ph, nil
}

// Reconstruct makes n samples (n <= 0: the natural length, Samples(s.Frames)) from features: it computes magnitudes,
// reconstructs phases and applies the inverse transform. It is lossy: features have no phases, and mel features do not
// determine every bin. The same input and seed give the same bytes on machines of the same kernel class (fft.Class).
func (t *Transform) Reconstruct(s *Spectrogram, n int, ph Phase) ([]float32, error) {
	if err := t.check(s); err != nil {
		return nil, err
	}
	ph, err := ph.withDefaults()
	if err != nil {
		return nil, err
	}
	if n <= 0 {
		n = t.config.Samples(s.Frames)
	}
	if longest := t.config.Samples(s.Frames+1) + t.config.NFFT; n > longest {
		return nil, fmt.Errorf("spectrogram: %d samples from %d frames; they reach to %d at most", n, s.Frames, longest)
	}
	if n == 0 {
		return []float32{}, nil
	}
	if t.shot != nil {
		return t.shot.reconstruct(s, n, ph), nil
	}
	return t.phased(s, n, 0, ph), nil
}

// phased does Reconstruct's work for checked input. The first lead samples are silent.
func (t *Transform) phased(s *Spectrogram, n, lead int, ph Phase) []float32 {
	if t.circle == nil {
		t.circle = newCircle()
	}
	values := make([]float32, len(s.Data))
	t.config.decode(values, s.Data)
	magnitude := make([]float32, s.Frames*t.linear)
	t.unfilter(magnitude, values, s.Frames)
	spectrum := make([]complex64, len(magnitude))
	if ph.Method == MethodPGHI || ph.Method == MethodPGHIFGLA {
		t.integratePhase(spectrum, magnitude, ph.Seed)
	} else {
		t.circle.random(spectrum, magnitude, ph.Seed)
	}
	if ph.Iterations == 0 {
		x := t.ISTFT(nil, spectrum, n)
		clear(x[:lead])
		return x
	}
	r := t.newRefinement(magnitude, n)
	r.lead = lead
	if t.filters != nil {
		r.follow(values)
	}
	x := r.run(spectrum, ph.Iterations, ph.Momentum)
	clear(x[:lead])
	return x
}

// Magnitude writes the linear magnitudes of features to dst, s.Frames by NFFT/2+1, and returns it. It inverts the logarithm
// and its scaling, and mel filters by non-negative least squares; a dropped Nyquist bin becomes zero. A dst that is nil
// or too short is replaced. s must have t's Config. It panics for ScaleOneShot.
func (t *Transform) Magnitude(dst []float32, s *Spectrogram) []float32 {
	t.mustBeOne()
	values := make([]float32, len(s.Data))
	t.config.decode(values, s.Data)
	dst = grow(dst, s.Frames*t.linear)
	t.unfilter(dst, values, s.Frames)
	return dst
}

// unfilter writes the magnitudes of all bins from decoded values.
func (t *Transform) unfilter(dst, values []float32, frames int) {
	bins := t.config.Bins()
	switch {
	case t.filters != nil:
		t.invertMel(dst, values, frames)
	case t.config.DropNyquist:
		for f := range frames {
			copy(dst[f*t.linear:], values[f*bins:(f+1)*bins])
			dst[(f+1)*t.linear-1] = 0
		}
	default:
		copy(dst, values)
	}
	if t.config.isPower() {
		for i, v := range dst {
			dst[i] = float32(math.Sqrt(float64(v)))
		}
	}
}

// invertMel writes the bins for mel values; both are time-major.
func (t *Transform) invertMel(dst, mel []float32, frames int) {
	if t.inverse == nil {
		t.inverse = newMelInverse(t.batch, t.bands)
	}
	for f := 0; f < frames; f += t.lanes {
		t.gatherAny(t.feature, mel[f*t.config.Mels:], t.config.Mels, frames-f)
		t.inverse.solve(t.batch, t.filters, t.magnitude, t.feature)
		t.scatter(dst[f*t.linear:], t.magnitude, t.linear, frames-f)
	}
}
