package spectrogram

import "math"

// A band is one mel filter: its weights on the bins first, first+1, ...; all other bins have weight zero.
type band struct {
	first   int
	weights []float32
}

const (
	slaneyStep  = 200.0 / 3 // Hz per mel below the knee
	slaneyKnee  = 1000.0    // Hz
	slaneyRatio = 6.4       // 27 mels above the knee span this ratio
)

// mel maps a frequency in Hz to the mel scale of c's formula.
func (c Config) mel(hz float64) float64 {
	switch c.MelFormula {
	case FormulaHTK:
		return 2595 * math.Log10(1+hz/700)
	case FormulaKnee:
		step := float64(c.SampleRate) / float64(c.NFFT)
		if hz < c.Knee {
			return hz / step
		}
		return c.Knee/step + math.Log(hz/c.Knee)/math.Log1p(step/c.Knee)
	}
	if hz < slaneyKnee {
		return hz / slaneyStep
	}
	return slaneyKnee/slaneyStep + math.Log(hz/slaneyKnee)*27/math.Log(slaneyRatio)
}

// hz is the inverse of mel.
func (c Config) hz(mel float64) float64 {
	switch c.MelFormula {
	case FormulaHTK:
		return 700 * (math.Pow(10, mel/2595) - 1)
	case FormulaKnee:
		step := float64(c.SampleRate) / float64(c.NFFT)
		if knee := c.Knee / step; mel >= knee {
			return c.Knee * math.Exp((mel-knee)*math.Log1p(step/c.Knee))
		}
		return mel * step
	}
	if mel < slaneyKnee/slaneyStep {
		return mel * slaneyStep
	}
	return slaneyKnee * math.Exp((mel-slaneyKnee/slaneyStep)*math.Log(slaneyRatio)/27)
}

// KneeFor returns the knee in Hz at which c's Mels filters of FormulaKnee end at the frequency top. More filters have a
// higher knee.
func (c Config) KneeFor(top float64) float64 {
	c.MelFormula = FormulaKnee
	step := float64(c.SampleRate) / float64(c.NFFT)
	low, high := step, top
	for range 60 {
		c.Knee = math.Sqrt(low * high)
		if c.hz(float64(c.Mels+1)) > top {
			low = c.Knee // with a higher knee, more filters lie below it, and the last one ends lower
		} else {
			high = c.Knee
		}
	}
	return high
}

// melBands makes the triangular filters of a Config, equally spaced on its mel scale, as librosa and torchaudio do.
func melBands(c Config) []band {
	edges := make([]float64, c.Mels+2)
	lo, hi := c.mel(c.FMin), c.mel(c.fMax())
	for i := range edges {
		edges[i] = c.hz(lo + (hi-lo)*float64(i)/float64(c.Mels+1))
	}
	bands := make([]band, c.Mels)
	perBin := float64(c.SampleRate) / float64(c.NFFT)
	for m := range bands {
		left, mid, right := edges[m], edges[m+1], edges[m+2]
		scale := 1.0
		if c.MelNorm != NormNone {
			scale = 2 / (right - left)
		}
		for k := 0; k <= c.NFFT/2; k++ {
			f := float64(k) * perBin
			w := math.Min((f-left)/(mid-left), (right-f)/(right-mid))
			if w <= 0 {
				continue
			}
			if len(bands[m].weights) == 0 {
				bands[m].first = k
			}
			bands[m].weights = append(bands[m].weights, float32(w*scale))
		}
	}
	return bands
}

// MelFilters returns the mel filters of a valid Config as a matrix [Mels, NFFT/2+1], row-major; nil for a linear scale.
// A mel spectrogram is the matrix times the magnitudes (or powers) of a frame.
func (c Config) MelFilters() []float32 {
	if c.Scale != ScaleMel {
		return nil
	}
	bins := c.NFFT/2 + 1
	m := make([]float32, c.Mels*bins)
	for i, b := range melBands(c) {
		copy(m[i*bins+b.first:], b.weights)
	}
	return m
}
