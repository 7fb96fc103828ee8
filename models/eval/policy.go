package eval

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat/distuv"
)

// A Policy says how far a training example may be changed each time that it is drawn. Every amount is drawn anew for each
// example, evenly between the two ends; 0 leaves a change out. Levels are those of the classifier's input, in which -1 is
// silence and 1 the loudest: 0.15 is about 6 dB.
//
// Sources: Ko et al., Audio Augmentation for Speech Recognition, 2015 (speed); Jaitly and Hinton, Vocal Tract Length
// Perturbation, 2013 (warp); Park et al., SpecAugment, 2019 (masks); Zhang et al., mixup, 2018.
type Policy struct {
	Name       string  `json:"name"`
	Shift      float64 `json:"shift,omitempty"`       // in time, at most this share of the frames either way
	Speed      float64 `json:"speed,omitempty"`       // time is stretched by e^-Speed to e^Speed
	Pitch      float64 `json:"pitch,omitempty"`       // along the bins, at most this share of them either way
	Warp       float64 `json:"warp,omitempty"`        // the bins are stretched by e^-Warp to e^Warp, as a vocal tract of another length does
	Gain       float64 `json:"gain,omitempty"`        // added to what is not silent, or taken from it
	Tilt       float64 `json:"tilt,omitempty"`        // added to the highest bin and taken from the lowest, or the reverse
	Noise      float64 `json:"noise,omitempty"`       // largest standard deviation of normal noise
	Masks      int     `json:"masks,omitempty"`       // so many stretches of frames and so many bands are silenced
	MaskFrames float64 `json:"mask_frames,omitempty"` // each at most this share of the frames
	MaskBins   float64 `json:"mask_bins,omitempty"`   // each at most this share of the bins
	Mixup      float64 `json:"mixup,omitempty"`       // parameter of the beta distribution by which two examples and their labels are mixed
}

// Policies are those from which a classifier's is chosen by default, the gentlest first.
func Policies() []Policy {
	return []Policy{
		{Name: "none"},
		{Name: "light", Shift: 0.05, Speed: 0.1, Warp: 0.04, Gain: 0.15, Tilt: 0.1, Noise: 0.05, Masks: 1, MaskFrames: 0.1, MaskBins: 0.1},
		{Name: "medium", Shift: 0.1, Speed: 0.2, Pitch: 0.03, Warp: 0.08, Gain: 0.25, Tilt: 0.3, Noise: 0.1, Masks: 1, MaskFrames: 0.15, MaskBins: 0.15, Mixup: 0.3},
		{Name: "strong", Shift: 0.1, Speed: 0.3, Pitch: 0.03, Warp: 0.12, Gain: 0.3, Tilt: 0.4, Noise: 0.15, Masks: 2, MaskFrames: 0.15, MaskBins: 0.15, Mixup: 0.3},
	}
}

// PoliciesNamed returns the policies of Policies with the given names, in the order of Policies; of no names, all.
func PoliciesNamed(names []string) ([]Policy, error) {
	var out []Policy
	known := Policies()
	for _, p := range known {
		if len(names) == 0 || slices.Contains(names, p.Name) {
			out = append(out, p)
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(known, func(p Policy) bool { return p.Name == name }) {
			return nil, fmt.Errorf("augmentation %q is unknown; there are: %s", name, strings.Join(policyNames(known), ", "))
		}
	}
	return out, nil
}

func policyNames(policies []Policy) []string {
	names := make([]string, len(policies))
	for i, p := range policies {
		names[i] = p.Name
	}
	return names
}

// mix draws which part of two examples is the first; 1: there is no second.
func (p Policy) mix(rng *rand.Rand) float64 {
	if p.Mixup == 0 {
		return 1
	}
	return distuv.Beta{Alpha: p.Mixup, Beta: p.Mixup, Src: rng}.Rand()
}

// NoAugmentation is the policy that changes nothing.
func NoAugmentation() Policy { return Policy{Name: "none"} }

// alter writes a changed copy of x [T, F] to dst.
func (p Policy) alter(dst, x []float32, frames, bins int, rng *rand.Rand) {
	p.move(dst, x, frames, bins, rng)
	gain, tilt := between(p.Gain, rng), between(p.Tilt, rng)
	noise := p.Noise * rng.Float64()
	for i, v := range dst {
		if v > silence {
			v += float32(gain + tilt*(2*float64(i%bins)/float64(max(bins-1, 1))-1))
		}
		if noise > 0 {
			v += float32(noise * rng.NormFloat64())
		}
		dst[i] = max(v, silence)
	}
	for range p.Masks {
		lo, hi := stretch(frames, p.MaskFrames, rng)
		quieten(dst[lo*bins : hi*bins])
		lo, hi = stretch(bins, p.MaskBins, rng)
		for row := range slices.Chunk(dst, bins) {
			quieten(row[lo:hi])
		}
	}
}

// between draws a number between -most and most.
func between(most float64, rng *rand.Rand) float64 { return most * (2*rng.Float64() - 1) }

// stretch draws a stretch of n points that is at most a share of them.
func stretch(n int, share float64, rng *rand.Rand) (lo, hi int) {
	width := rng.IntN(int(share*float64(n)) + 1)
	lo = rng.IntN(n - width + 1)
	return lo, lo + width
}

func quieten(x []float32) {
	for i := range x {
		x[i] = silence
	}
}

// move writes x shifted and stretched in time and along the bins to dst, by linear interpolation. What lies outside of x
// is silence.
func (p Policy) move(dst, x []float32, frames, bins int, rng *rand.Rand) {
	rows, columns := axis(frames, p.Shift, p.Speed, rng), axis(bins, p.Pitch, p.Warp, rng)
	outside := make([]float32, bins+2) // with a silent bin at either end
	quieten(outside)
	padded := [2][]float32{slices.Clone(outside), slices.Clone(outside)}
	row := func(t int, buffer []float32) []float32 {
		if t < 0 || t >= frames {
			return outside
		}
		copy(buffer[1:], x[t*bins:(t+1)*bins])
		return buffer
	}
	for t, at := range rows {
		a, b := row(at.point, padded[0]), row(at.point+1, padded[1])
		out := dst[t*bins : (t+1)*bins]
		for f, k := range columns {
			i := min(max(k.point+1, 0), bins) // before and behind the bins, all taps are silent
			lo := a[i] + k.part*(a[i+1]-a[i])
			hi := b[i] + k.part*(b[i+1]-b[i])
			if k.point < -1 || k.point >= bins {
				lo, hi = silence, silence
			}
			out[f] = lo + at.part*(hi-lo)
		}
	}
}

// A tap is a place between two points of an axis.
type tap struct {
	point int // the lower one
	part  float32
}

// axis draws where each of n points is read from.
func axis(n int, shift, scale float64, rng *rand.Rand) []tap {
	by := math.Exp(between(scale, rng))
	from := between(shift*float64(n), rng) + float64(n-1)/2*(1-by)
	taps := make([]tap, n)
	for i := range taps {
		at := from + by*float64(i)
		point := math.Floor(at)
		taps[i] = tap{int(point), float32(at - point)}
	}
	return taps
}
