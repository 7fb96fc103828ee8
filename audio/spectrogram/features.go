package spectrogram

import (
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
	if t.shot != nil {
		return dst, t.shot.forward(dst, x)
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
