package vae

import (
	"math"
	"math/rand/v2"
	"slices"

	"wavemill/models"
)

// The largest changes of a variation of strength 1.
const (
	varyStretch = 0.15 // share by which a clip is longer or shorter: another pace
	varyBins    = 2.5  // bins by which formants are higher or lower: another vocal tract, approximately, on a mel scale
	varyTilt    = 0.15 // added at one end of the frequency axis and subtracted at the other: another microphone
)

// Vary writes a varied copy of every clip of x to dst, which it returns, grown as needed: stretched in time, shifted along
// the bins and tilted, each by a random amount up to strength times a limit. Of the bins of a frame, those from levels on
// stay: marks and stereo image. Where clips are aligned, their attacks stay, and nothing is shifted: one of their lowest
// bins is 21 Hz, five semitones at 60 Hz. It prevents overfitting to a few clips a label (vocal tract length perturbation, Jaitly and Hinton 2013; speed perturbation, Ko et al. 2015).
func Vary(dst []float32, x models.Batch, levels int, aligned bool, strength float64, rng *rand.Rand) []float32 {
	dst = append(dst[:0], x.Data...)
	uniform := func(most float64) float64 { return strength * most * (2*rng.Float64() - 1) }
	bins, fixed := varyBins, 0.0
	if aligned {
		bins, fixed = 0, alignedFrame
	}
	for i := range x.B {
		by := change{stretch: 1 + uniform(varyStretch), fixed: fixed, shift: uniform(bins), tilt: uniform(varyTilt)}
		vary(dst[i*x.T*x.F:(i+1)*x.T*x.F], x.Clip(i), x.F, levels, by)
	}
	return dst
}

// alignedFrame is the frame of aligned attacks; see package frontend.
const alignedFrame = 2

// A change is what is done to a clip.
type change struct {
	stretch float64 // factor
	fixed   float64 // the frame that stays where it is
	shift   float64 // bins
	tilt    float64
}

// vary writes x [T, F], changed, to dst. Frames beyond the end are silence; bins beyond the edges repeat the edge. Of the
// bins of a frame, those from levels on stay.
func vary(dst, x []float32, bins, levels int, by change) {
	frames := len(x) / bins
	for t := range frames {
		at := max(by.fixed+(float64(t)-by.fixed)/by.stretch, 0)
		before, late := int(at), float32(at-math.Floor(at))
		copy(dst[t*bins+levels:(t+1)*bins], x[t*bins+levels:])
		for f := range levels {
			v := (1-late)*valueAt(x, before, f, bins, levels, by.shift) + late*valueAt(x, before+1, f, bins, levels, by.shift)
			if v > silence {
				v = max(silence, v+float32(by.tilt*(2*float64(f)/float64(levels-1)-1)))
			}
			dst[t*bins+f] = v
		}
	}
}

// silence is the front end's lowest value.
const silence = -1

// valueAt returns the value of x [T, F] at frame t, shift bins below bin f.
func valueAt(x []float32, t, f, bins, levels int, shift float64) float32 {
	if t >= len(x)/bins {
		return silence
	}
	at := min(max(float64(f)-shift, 0), float64(levels-1))
	low, part := int(at), float32(at-math.Floor(at))
	high := min(low+1, levels-1)
	return (1-part)*x[t*bins+low] + part*x[t*bins+high]
}

// vary is Vary as the learner's configuration and front end say.
func (l *Learner) vary(dst []float32, x models.Batch, rng *rand.Rand) []float32 {
	c := l.header.FrontEnd.Spectrogram
	return Vary(dst, x, c.Levels(), c.Marks() > 0, l.config.Vary, rng)
}

// variedClips is the least number of clips of each label that the prior is fitted on, varied copies included, if the
// configuration varies clips.
const variedClips = 64

// withVariations returns the chosen clips of train and, where training varied them, as many varied copies of each as the
// prior of a label needs.
func (l *Learner) withVariations(train models.Batch, chosen []int) models.Batch {
	all := train
	if len(chosen) < train.B {
		all = train.Select(models.Batch{}, chosen)
	}
	if l.config.Vary == 0 {
		return all
	}
	count := make([]int, l.shape.Labels)
	least := len(chosen)
	for _, label := range all.Labels {
		count[label]++
	}
	for _, n := range count {
		if n > 0 {
			least = min(least, n)
		}
	}
	rng := rand.New(rand.NewPCG(l.header.Seed, 0x76617279))
	plain := all
	var varied []float32
	all.Data, all.Labels = slices.Clip(all.Data), slices.Clip(all.Labels) // not to be written behind
	for range variedClips/max(least, 1) - 1 {
		varied = l.vary(varied, plain, rng)
		all.B += plain.B
		all.Data, all.Labels = append(all.Data, varied...), append(all.Labels, plain.Labels...)
	}
	return all
}
