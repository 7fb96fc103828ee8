package vae

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/dsp/fourier"

	"wavemill/models"
	"wavemill/models/internal/shape"
)

// A residualNoise models the difference between a clip and the decoder's output. The decoder returns the mean of a Gaussian
// likelihood, which is smoother than spectrograms of breath and noise. Noise with the measured strength and correlation
// makes up for it: the residuals of training clips are modelled as a stationary Gaussian field, with the measured power
// spectrum over [T, F], times a deviation that depends on the bin and on the level of the mean there.
type residualNoise struct {
	frames, bins int
	deviation    []float32 // [levels, F]
	amplitude    []float32 // [T, F]: square root of the power spectrum, of mean square 1
}

// levels is the number of steps of the decoded level, -1 to 1, for which a deviation is kept.
const levels = 25

// residualStatistics collects what a residualNoise is estimated from.
type residualStatistics struct {
	frames, bins int
	sum, count   []float64 // [levels, F]
	power        []float64 // [T, F]
	fft          *transform2D
}

func newResidualStatistics(frames, bins int) *residualStatistics {
	return &residualStatistics{
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
func (s *residualStatistics) measure(clip, mean []float32) {
	for i, m := range mean {
		l, w := level(m)
		d := float64(clip[i]-m) * float64(clip[i]-m)
		f := i % s.bins
		s.sum[l*s.bins+f] += (1 - w) * d
		s.count[l*s.bins+f] += 1 - w
		s.sum[(l+1)*s.bins+f] += w * d
		s.count[(l+1)*s.bins+f] += w
	}
}

// noise returns the deviations measured so far, with a flat spectrum.
func (s *residualStatistics) noise() *residualNoise {
	n := &residualNoise{frames: s.frames, bins: s.bins, deviation: make([]float32, levels*s.bins), amplitude: make([]float32, s.frames*s.bins)}
	for i := range n.amplitude {
		n.amplitude[i] = 1
	}
	var all, total float64
	for i, c := range s.count {
		all, total = all+s.sum[i], total+c
	}
	for l := range levels {
		// A bin with few values at this level is drawn towards the mean of all bins at the level, and that one towards
		// the mean of all levels.
		var sum, count float64
		for f := range s.bins {
			sum, count = sum+s.sum[l*s.bins+f], count+s.count[l*s.bins+f]
		}
		const doubt = 30 // pixels
		here := (sum + doubt*all/max(total, 1)) / (count + doubt)
		for f := range s.bins {
			v := (s.sum[l*s.bins+f] + doubt*here) / (s.count[l*s.bins+f] + doubt)
			n.deviation[l*s.bins+f] = float32(math.Sqrt(v))
		}
	}
	return n
}

// spectrum adds the power spectrum of a clip's residuals in units of n's deviations.
func (s *residualStatistics) spectrum(n *residualNoise, clip, mean []float32) {
	x := s.fft.values
	for i, m := range mean {
		x[i] = complex(float64(clip[i]-m)/max(n.at(i, m), 1e-6), 0)
	}
	s.fft.forward()
	for i, c := range x {
		s.power[i] += real(c)*real(c) + imag(c)*imag(c)
	}
}

// finish puts the spectrum into n.
func (s *residualStatistics) finish(n *residualNoise) {
	var sum float64
	for _, p := range s.power {
		sum += p
	}
	if sum == 0 {
		return
	}
	for i, p := range s.power {
		n.amplitude[i] = float32(math.Sqrt(p * float64(len(s.power)) / sum))
	}
}

// at returns the deviation at value i of a clip, where the mean is m.
func (r *residualNoise) at(i int, m float32) float64 {
	l, w := level(m)
	f := i % r.bins
	return (1-w)*float64(r.deviation[l*r.bins+f]) + w*float64(r.deviation[(l+1)*r.bins+f])
}

// add draws a field and adds it, times scale, to the clip [T, F].
func (r *residualNoise) add(clip []float32, rng *rand.Rand, scale float64, fft *transform2D) {
	x := fft.values
	for i := range x {
		x[i] = complex(rng.NormFloat64(), 0)
	}
	fft.forward()
	for i, a := range r.amplitude {
		x[i] *= complex(float64(a), 0)
	}
	fft.inverse()
	for i, m := range clip {
		clip[i] = m + float32(scale*r.at(i, m)*real(x[i]))
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

// Names of the tensors of the residual noise.
const (
	tensorDeviation = "texture/deviation" // [levels, F]
	tensorAmplitude = "texture/amplitude" // [T, F]
)

func (r *residualNoise) tensors() []models.Tensor {
	return []models.Tensor{
		{Name: tensorDeviation, Shape: []int{levels, r.bins}, Data: r.deviation},
		{Name: tensorAmplitude, Shape: []int{r.frames, r.bins}, Data: r.amplitude},
	}
}

func openResidualNoise(c models.Checkpoint, s shape.Shape) (*residualNoise, error) {
	deviation, err := c.Tensor(tensorDeviation)
	if err != nil {
		return nil, err
	}
	amplitude, err := c.Tensor(tensorAmplitude)
	if err != nil {
		return nil, err
	}
	if len(deviation.Data) != levels*s.Bins || len(amplitude.Data) != s.Frames*s.Bins {
		return nil, fmt.Errorf("vae: residual noise of shapes %v and %v does not fit clips [%d, %d]", deviation.Shape, amplitude.Shape, s.Frames, s.Bins)
	}
	return &residualNoise{frames: s.Frames, bins: s.Bins, deviation: deviation.Data, amplitude: amplitude.Data}, nil
}
