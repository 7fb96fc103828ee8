package eval

import "math/rand/v2"

// What augmentation does to a training clip, in values of [-1, 1] between silence and the loudest.
const (
	maxShift    = 0.1  // of the frames, either way
	maxGain     = 0.15 // added to all values: about 6 dB
	maxNoise    = 0.03 // standard deviation of normal noise
	maxTimeMask = 0.1  // of the frames, silenced
	maxBinMask  = 0.1  // of the bins, silenced
)

// augment writes a changed copy of x [T, F] to dst: shifted in time, louder or softer, noisier, and with a stretch of
// frames and a band silenced, each by a random amount.
//
// Source of the masks: Park et al., SpecAugment, 2019.
func augment(dst, x []float32, frames, bins int, rng *rand.Rand) {
	most := int(maxShift * float64(frames))
	shift := rng.IntN(2*most+1) - most
	gain := float32(maxGain * (2*rng.Float64() - 1))
	noise := float32(maxNoise * rng.Float64())
	for t := range frames {
		row := dst[t*bins : (t+1)*bins]
		from := t - shift
		for f := range row {
			v := float32(silence)
			if from >= 0 && from < frames {
				v = x[from*bins+f]
			}
			if v > silence {
				v += gain
			}
			row[f] = max(silence, v+noise*float32(rng.NormFloat64()))
		}
	}
	mask := func(n int, share float64) (lo, hi int) {
		width := rng.IntN(int(share*float64(n)) + 1)
		lo = rng.IntN(n - width + 1)
		return lo, lo + width
	}
	lo, hi := mask(frames, maxTimeMask)
	for i := lo * bins; i < hi*bins; i++ {
		dst[i] = silence
	}
	lo, hi = mask(bins, maxBinMask)
	for t := range frames {
		for f := lo; f < hi; f++ {
			dst[t*bins+f] = silence
		}
	}
}
