package vae

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/dsp/fourier"

	"wavemill/models"
)

// A texture is what the decoder leaves out. The mean of a Gaussian likelihood is smooth, as a mean is, while
// spectrograms of breath and noise are rough. Drawing a clip from the likelihood, rather than taking its mean, brings
// the roughness back, provided that it has the right strength and correlation: the residuals of training clips are
// modelled as a stationary Gaussian field, with the measured power spectrum over [T, F], times a deviation that depends
// on the bin and on the level of the mean there.
type texture struct {
	frames, bins int
	deviation    []float32 // [levels, F]
	amplitude    []float32 // [T, F]: square root of the power spectrum, of mean square 1
}

// levels is the number of steps of the decoded level, -1 to 1, for which a deviation is kept.
const levels = 25

// A residuals collects the statistics of a texture.
type residuals struct {
	frames, bins int
	sum, count   []float64 // [levels, F]
	power        []float64 // [T, F]
	fft          *transform2D
}

func newResiduals(frames, bins int) *residuals {
	return &residuals{
		frames: frames, bins: bins, sum: make([]float64, levels*bins), count: make([]float64, levels*bins),
		power: make([]float64, frames*bins), fft: newTransform2D(frames, bins),
	}
}

// level returns the two levels around v and the weight of the upper one.
func level(v float32) (lower int, weight float64) {
	at := float64(min(max(v, -1), 1)+1) / 2 * (levels - 1)
	lower = min(int(at), levels-2)
	return lower, at - float64(lower)
}

// measure adds the squared residuals of a clip, [T, F], and its decoded mean.
func (r *residuals) measure(clip, mean []float32) {
	for i, m := range mean {
		l, w := level(m)
		d := float64(clip[i]-m) * float64(clip[i]-m)
		f := i % r.bins
		r.sum[l*r.bins+f] += (1 - w) * d
		r.count[l*r.bins+f] += 1 - w
		r.sum[(l+1)*r.bins+f] += w * d
		r.count[(l+1)*r.bins+f] += w
	}
}

// texture returns the deviations measured so far, with a flat spectrum.
func (r *residuals) texture() *texture {
	t := &texture{frames: r.frames, bins: r.bins, deviation: make([]float32, levels*r.bins), amplitude: make([]float32, r.frames*r.bins)}
	for i := range t.amplitude {
		t.amplitude[i] = 1
	}
	var all, n float64
	for i, c := range r.count {
		all, n = all+r.sum[i], n+c
	}
	for l := range levels {
		// Where a bin was hardly ever at a level, the other bins at that level say what to expect, and then all levels.
		var sum, count float64
		for f := range r.bins {
			sum, count = sum+r.sum[l*r.bins+f], count+r.count[l*r.bins+f]
		}
		const doubt = 30 // pixels
		here := (sum + doubt*all/max(n, 1)) / (count + doubt)
		for f := range r.bins {
			v := (r.sum[l*r.bins+f] + doubt*here) / (r.count[l*r.bins+f] + doubt)
			t.deviation[l*r.bins+f] = float32(math.Sqrt(v))
		}
	}
	return t
}

// spectrum adds the power spectrum of a clip's residuals in units of t's deviations.
func (r *residuals) spectrum(t *texture, clip, mean []float32) {
	x := r.fft.values
	for i, m := range mean {
		x[i] = complex(float64(clip[i]-m)/max(t.at(i, m), 1e-6), 0)
	}
	r.fft.forward()
	for i, c := range x {
		r.power[i] += real(c)*real(c) + imag(c)*imag(c)
	}
}

// finish puts the spectrum into t.
func (r *residuals) finish(t *texture) {
	var sum float64
	for _, p := range r.power {
		sum += p
	}
	if sum == 0 {
		return
	}
	for i, p := range r.power {
		t.amplitude[i] = float32(math.Sqrt(p * float64(len(r.power)) / sum))
	}
}

// at returns the deviation at value i of a clip, where the mean is m.
func (t *texture) at(i int, m float32) float64 {
	l, w := level(m)
	f := i % t.bins
	return (1-w)*float64(t.deviation[l*t.bins+f]) + w*float64(t.deviation[(l+1)*t.bins+f])
}

// add draws a field and adds it, times scale, to the clip [T, F].
func (t *texture) add(clip []float32, rng *rand.Rand, scale float64, fft *transform2D) {
	x := fft.values
	for i := range x {
		x[i] = complex(rng.NormFloat64(), 0)
	}
	fft.forward()
	for i, a := range t.amplitude {
		x[i] *= complex(float64(a), 0)
	}
	fft.inverse()
	for i, m := range clip {
		clip[i] = m + float32(scale*t.at(i, m)*real(x[i]))
	}
}

// A transform2D is a discrete Fourier transform of a [rows, cols] array in place.
type transform2D struct {
	rows, cols int
	values     []complex128
	row, col   *fourier.CmplxFFT
	column     []complex128
}

func newTransform2D(rows, cols int) *transform2D {
	return &transform2D{
		rows: rows, cols: cols, values: make([]complex128, rows*cols),
		row: fourier.NewCmplxFFT(cols), col: fourier.NewCmplxFFT(rows), column: make([]complex128, rows),
	}
}

func (t *transform2D) forward() { t.apply(t.row.Coefficients, t.col.Coefficients, 1) }

func (t *transform2D) inverse() {
	t.apply(t.row.Sequence, t.col.Sequence, complex(1/float64(t.rows*t.cols), 0))
}

func (t *transform2D) apply(row, col func(dst, src []complex128) []complex128, scale complex128) {
	for r := range t.rows {
		x := t.values[r*t.cols : (r+1)*t.cols]
		row(x, x)
	}
	for c := range t.cols {
		for r := range t.rows {
			t.column[r] = t.values[r*t.cols+c]
		}
		col(t.column, t.column)
		for r := range t.rows {
			t.values[r*t.cols+c] = t.column[r] * scale
		}
	}
}

// Names of the texture's tensors.
const (
	tensorDeviation = "texture/deviation" // [levels, F]
	tensorAmplitude = "texture/amplitude" // [T, F]
)

func (t *texture) tensors() []models.Tensor {
	return []models.Tensor{
		{Name: tensorDeviation, Shape: []int{levels, t.bins}, Data: t.deviation},
		{Name: tensorAmplitude, Shape: []int{t.frames, t.bins}, Data: t.amplitude},
	}
}

func openTexture(c models.Checkpoint, s shape) (*texture, error) {
	deviation, err := c.Tensor(tensorDeviation)
	if err != nil {
		return nil, err
	}
	amplitude, err := c.Tensor(tensorAmplitude)
	if err != nil {
		return nil, err
	}
	if len(deviation.Data) != levels*s.bins || len(amplitude.Data) != s.frames*s.bins {
		return nil, fmt.Errorf("vae: a texture of shapes %v and %v for clips [%d, %d]", deviation.Shape, amplitude.Shape, s.frames, s.bins)
	}
	return &texture{frames: s.frames, bins: s.bins, deviation: deviation.Data, amplitude: amplitude.Data}, nil
}
