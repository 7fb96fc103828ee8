package frontend

import (
	"fmt"
	"math"

	"wavemill/audio/spectrogram"
)

// Margin is how far a scaled value may lie outside [-1, 1], the range to which the transforms of this program limit levels,
// marks and the stereo image. Other programs do not limit levels: samples may be 40 dB above full scale, see Usable, which is
// about half of the usual range of 80 to 90 dB. Networks, whose outputs have no limits, overshoot by far less.
const Margin = 1

// raised is what resampling and mixing down can do to a peak.
const raised = 2

// A span is a range of values, both ends included.
type span struct{ low, high float32 }

// scaledSpan is where scaled levels, marks and the stereo image lie.
func scaledSpan() span { return span{-1 - Margin, 1 + Margin} }

// levelSpan is where the levels of a valid configuration lie: scaled, or what the loudest clip that Usable admits can give.
// Norms and windows are taken at their most, so that no recording lies outside.
func levelSpan(c spectrogram.Config) span {
	logarithm := c.Value == spectrogram.ValueLog || c.Value == spectrogram.ValueLogPower
	if logarithm && c.Min < c.Max {
		return scaledSpan()
	}
	most := raised * loudestPeak * float64(c.NFFT) // No bin is larger than the sum of the samples of a frame.
	switch power := c.Value == spectrogram.ValuePower || c.Value == spectrogram.ValueLogPower; {
	case power:
		most *= most // Nor is the sum of the powers of all bins, by Parseval's theorem.
	case c.Scale != spectrogram.ScaleLinear && c.MelNorm == spectrogram.NormNone:
		most *= math.Sqrt(float64(c.NFFT/2 + 1)) // For the sum of the magnitudes this follows by Cauchy's inequality.
	}
	if logarithm {
		return span{float32(math.Log(c.Floor) - Margin), float32(math.Log(most+c.Floor) + Margin)}
	}
	return span{-Margin, float32(most)}
}

// checkValues returns an error that names the first value of a spectrogram [frames, bins] that no front end of the
// configuration gives, or nil. One such value is enough to end a training, or to spoil its model.
func checkValues(c spectrogram.Config, data []float32) error {
	bins, own := c.Bins(), c.Levels()
	levels, others := levelSpan(c), scaledSpan()
	for i, v := range data {
		s, what := levels, "levels"
		if i%bins >= own {
			s, what = others, "marks and the stereo image"
		}
		if v >= s.low && v <= s.high { // Never so for NaN.
			continue
		}
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return fmt.Errorf("frame %d, bin %d has the value %v; values are finite numbers", i/bins, i%bins, v)
		}
		return fmt.Errorf("frame %d, bin %d has the value %g, which no front end of this configuration gives: its %s lie between %.4g and %.4g; send the values of the transform that the header describes",
			i/bins, i%bins, v, what, s.low, s.high)
	}
	return nil
}
