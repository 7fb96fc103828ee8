package spectrogram

import "math"

// hannGamma is the ratio gamma / n^2 of the Gaussian exp(-pi i^2 / gamma) that lies closest to a Hann window of n
// samples (Průša, Balazs, Søndergaard, "A noniterative method for reconstruction of phase from STFT magnitude", 2017).
// The Hamming window's is from the same source.
const (
	hannGamma    = 0.25645
	hammingGamma = 0.29794
)

// window makes the analysis window of a Config, in float64.
func window(c Config) []float64 {
	n := c.NFFT
	w := make([]float64, n)
	for i := range w {
		a := 2 * math.Pi * float64(i) / float64(n)
		switch c.Window {
		case WindowHamming:
			w[i] = 0.54 - 0.46*math.Cos(a)
		case WindowGaussian:
			d := float64(i) - float64(n)/2
			w[i] = math.Exp(-math.Pi * d * d / (hannGamma * float64(n) * float64(n)))
		default:
			w[i] = 0.5 - 0.5*math.Cos(a)
		}
	}
	return w
}

// gamma is the window's time-frequency ratio in samples squared.
func gamma(c Config) float64 {
	n := float64(c.NFFT)
	if c.Window == WindowHamming {
		return hammingGamma * n * n
	}
	return hannGamma * n * n
}
