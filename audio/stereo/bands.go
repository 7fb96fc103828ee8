package stereo

import (
	"fmt"
	"math"

	"wavemill/audio/spectrogram"
)

// edges are the lower edges of the bands in Hz. An octave each: the ear tells directions of sounds apart that are about a
// third of an octave from each other, but models have to learn each band, and sounds that are struck once have one place.
var edges = [spectrogram.StereoBands]float64{0, 200, 400, 800, 1600, 3200, 6400, 12800}

// tileTime is the length in seconds of the frames in which images are measured and applied.
const tileTime = 0.023

// tiles are short-time spectra in which images are measured and applied.
type tiles struct {
	t    *spectrogram.Transform
	hop  int
	bins int
	band []int // of each bin
	rate int
}

func newTiles(rate int) (*tiles, error) {
	n := 64
	for float64(n)*math.Sqrt2 < tileTime*float64(rate) {
		n *= 2
	}
	t, err := spectrogram.New(spectrogram.Config{
		SampleRate: rate, NFFT: n, Hop: n / 4, Window: spectrogram.WindowHann, Scale: spectrogram.ScaleLinear, Value: spectrogram.ValueMagnitude,
	})
	if err != nil {
		return nil, fmt.Errorf("stereo: %w", err)
	}
	x := &tiles{t: t, hop: n / 4, bins: n/2 + 1, rate: rate}
	x.band = make([]int, x.bins)
	for k := range x.band {
		hz := float64(k) * float64(rate) / float64(n)
		for x.band[k]+1 < len(edges) && hz >= edges[x.band[k]+1] {
			x.band[k]++
		}
	}
	return x, nil
}

// A bandPowers holds the powers of the bands of one tile.
type bandPowers [spectrogram.StereoBands]powers

// powersOf returns those of each tile of two spectra.
func (x *tiles) powersOf(left, right []complex64) []bandPowers {
	out := make([]bandPowers, len(left)/x.bins)
	for i := range out {
		l, r := left[i*x.bins:(i+1)*x.bins], right[i*x.bins:(i+1)*x.bins]
		for k, b := range x.band {
			p := &out[i][b]
			lr, li, rr, ri := float64(real(l[k])), float64(imag(l[k])), float64(real(r[k])), float64(imag(r[k]))
			p.ll += lr*lr + li*li
			p.rr += rr*rr + ri*ri
			p.lr += lr*rr + li*ri
		}
	}
	return out
}

// around returns the sum of the powers of a band in tile i and its neighbours.
func around(all []bandPowers, i, band int) powers {
	var p powers
	for j := max(0, i-1); j <= min(i+1, len(all)-1); j++ {
		p.plus(all[j][band], 1)
	}
	return p
}

// split returns the two channels of interleaved samples.
func split(x []float32) (left, right []float32) {
	left, right = make([]float32, len(x)/2), make([]float32, len(x)/2)
	for i := range left {
		left[i], right[i] = x[2*i], x[2*i+1]
	}
	return left, right
}
