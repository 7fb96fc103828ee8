package slice

import (
	"math"

	"gonum.org/v1/gonum/dsp/fourier"
)

// Constants of the analysis. Times are in hops of 10 ms.
const (
	hopsPerSecond = 100
	window        = 0.02 // Seconds: the shortest window; its length in samples is the next power of two.
	lowest        = 30.0 // Hz: below it there is no sound but DC, rumble and handling.
	highest       = 16000.0
	mostBands     = 32
)

// spectrum turns windows of interleaved samples into the power of bands. Its arithmetic is float64 without vector kernels, so
// that the cuts do not depend on the kernel class of the processor.
type spectrum struct {
	fft      *fourier.FFT
	window   []float64
	scale    float64 // From squared magnitudes to mean squares.
	channels int
	hop      int   // Frames.
	edges    []int // Bins: band b is [edges[b], edges[b+1]).
	speech   [2]int
	frame    []float64
	coeff    []complex128
}

func newSpectrum(rate, channels int) *spectrum {
	n := 64
	for float64(n) < window*float64(rate) {
		n *= 2
	}
	s := &spectrum{fft: fourier.NewFFT(n), window: make([]float64, n), channels: channels, hop: max(1, (rate+hopsPerSecond/2)/hopsPerSecond)}
	var sum float64
	for i := range s.window {
		s.window[i] = 0.5 - 0.5*math.Cos(2*math.Pi*(float64(i)+0.5)/float64(n))
		sum += s.window[i] * s.window[i]
	}
	s.scale = 2 / (float64(n) * sum * float64(channels))
	s.frame, s.coeff = make([]float64, n), make([]complex128, n/2+1)
	bin := func(hz float64) int { return int(math.Round(hz * float64(n) / float64(rate))) }
	top := min(highest, float64(rate)/2)
	mel := func(hz float64) float64 { return 2595 * math.Log10(1+hz/700) }
	last := 0
	for b := range mostBands + 1 {
		hz := 700 * (math.Pow(10, (mel(lowest)+(mel(top)-mel(lowest))*float64(b)/mostBands)/2595) - 1)
		if k := min(max(1, bin(hz)), n/2); k > last {
			s.edges = append(s.edges, k)
			last = k
		}
	}
	s.speech = [2]int{0, len(s.edges) - 1}
	for b := range s.bands() {
		if s.edges[b] <= bin(200) {
			s.speech[0] = b
		}
		if s.edges[b] < bin(4000) {
			s.speech[1] = b + 1
		}
	}
	return s
}

func (s *spectrum) bands() int { return len(s.edges) - 1 }

// bins is the number of coefficients in a band.
func (s *spectrum) bins(b int) int { return s.edges[b+1] - s.edges[b] }

// powers writes the mean squares of the bands to dst. x holds the frames up to the end of the window, interleaved; frames
// before its beginning are zero.
func (s *spectrum) powers(dst []float64, x []float32) {
	clear(dst)
	n := len(s.frame)
	for c := range s.channels {
		at := len(x)/s.channels - n
		for i := range s.frame {
			s.frame[i] = 0
			if t := at + i; t >= 0 {
				s.frame[i] = s.window[i] * float64(x[t*s.channels+c])
			}
		}
		s.fft.Coefficients(s.coeff, s.frame)
		for b := range dst {
			var sum float64
			for _, v := range s.coeff[s.edges[b]:s.edges[b+1]] {
				sum += real(v)*real(v) + imag(v)*imag(v)
			}
			dst[b] += sum * s.scale
		}
	}
}

// decibels of a mean square.
func decibels(power float64) float64 { return 10 * math.Log10(power) }

// power of decibels.
func power(db float64) float64 { return math.Pow(10, db/10) }
