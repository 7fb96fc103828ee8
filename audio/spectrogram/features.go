package spectrogram

import (
	"errors"
	"fmt"
	"math"

	"github.com/tphakala/simd/f32"

	"wavemill/audio/spectrogram/fft"
)

// Forward computes the features of x that the Config describes, Frames(len(x)) by Bins(). A nil dst is allocated;
// another one is overwritten and its Data reused. The features of a scaled logarithm are clamped to [-1, 1].
func (t *Transform) Forward(dst *Spectrogram, x []float32) (*Spectrogram, error) {
	for i, v := range x {
		if v-v != 0 {
			return nil, fmt.Errorf("spectrogram: sample %d is %g", i, v)
		}
	}
	if dst == nil {
		dst = new(Spectrogram)
	}
	frames, bins := t.config.Frames(len(x)), t.config.Bins()
	dst.Config, dst.Frames, dst.Bins = t.config, frames, bins
	dst.Data = grow(dst.Data, frames*bins)
	for f := 0; f < frames; f += t.lanes {
		rows := t.encode(t.batch.Forward(t.block(x, f), t.config.Hop), bins)
		t.scatter(dst.Data[f*bins:], rows, bins, frames-f)
	}
	return dst, nil
}

// encode turns the spectra of a block into features.
func (t *Transform) encode(s []float32, bins int) []float32 {
	if t.config.isPower() {
		t.batch.Power(t.magnitude, s)
	} else {
		t.batch.Magnitude(t.magnitude, s)
	}
	rows := t.magnitude
	if t.filters != nil {
		t.batch.Apply(t.feature, rows, t.filters)
		rows = t.feature
	}
	if t.levels != nil {
		t.batch.Level(rows, rows, bins, t.levels)
	}
	return rows
}

// levels is the logarithm of c and the range it is mapped to.
func (c Config) levels() *fft.Levels {
	if !c.isScaled() {
		return fft.NewLevels(float32(c.Floor), 1, 0, -math.MaxFloat32, math.MaxFloat32)
	}
	// Half the range per unit keeps -1 exact where Min is the floor's logarithm.
	gain := 2 / (c.Max - c.Min)
	return fft.NewLevels(float32(c.Floor), float32(gain), float32(-1-c.Min*gain), -1, 1)
}

// decode inverts the logarithm and its scaling: it writes the magnitudes or powers (filtered, for mel) of features.
func (c Config) decode(dst, features []float32) {
	if !c.isLog() {
		for i, v := range features {
			dst[i] = max(0, v)
		}
		return
	}
	gain, offset := 1.0, 0.0
	if c.isScaled() {
		gain = (c.Max - c.Min) / 2
		offset = c.Min + gain
	}
	for i, v := range features {
		dst[i] = float32(max(0, math.Exp(float64(v)*gain+offset)-c.Floor))
	}
}

// scale writes x*gain to dst.
func scale(dst, x, gain []float32) { f32.Mul(dst, x, gain) }

// MFCC computes the first n mel-frequency cepstral coefficients of every frame of a logarithmic mel spectrogram: the
// orthonormal DCT-II of its logarithms (not of their scaled values), Frames by n, time-major. torchaudio's MFCC with
// log_mels computes the same of a "log-power" spectrogram with floor 1e-6.
func MFCC(s *Spectrogram, n int) ([]float32, error) {
	c := s.Config
	if c.Scale != ScaleMel || !c.isLog() {
		return nil, errors.New("mfcc: cepstral coefficients come from a mel spectrogram with logarithmic values")
	}
	if n < 1 || n > s.Bins {
		return nil, fmt.Errorf("mfcc: %d coefficients of %d mels", n, s.Bins)
	}
	gain, offset := 1.0, 0.0
	if c.isScaled() {
		gain = (c.Max - c.Min) / 2
		offset = c.Min + gain
	}
	basis := make([]float64, n*s.Bins)
	for k := range n {
		norm := math.Sqrt(2 / float64(s.Bins))
		if k == 0 {
			norm = math.Sqrt(1 / float64(s.Bins))
		}
		for m := range s.Bins {
			basis[k*s.Bins+m] = norm * math.Cos(math.Pi*float64(k)*(float64(m)+0.5)/float64(s.Bins))
		}
	}
	out := make([]float32, s.Frames*n)
	for t := range s.Frames {
		frame := s.Data[t*s.Bins : (t+1)*s.Bins]
		for k := range n {
			var sum float64
			for m, v := range frame {
				sum += basis[k*s.Bins+m] * (float64(v)*gain + offset)
			}
			out[t*n+k] = float32(sum)
		}
	}
	return out, nil
}
