package stereo

import (
	"math"

	"wavemill/audio/spectrogram"
)

// An imager measures images and applies them, at one sample rate. It is not safe for concurrent use.
type imager struct{ tiles *tiles }

// newImager returns an imager for a sample rate in Hz.
func newImager(rate int) (*imager, error) {
	x, err := newTiles(rate)
	if err != nil {
		return nil, err
	}
	return &imager{x}, nil
}

const (
	// smoothing is the time in seconds over which an image is averaged, either way: directions that change faster are not
	// heard as movement (Blauert 1997), and short averages of noise are noise.
	smoothing = 0.06
	// bandDoubt and clipDoubt are the powers, relative to the loudest frame of the band and of the clip, below which a
	// frame takes the image of its whole band, and a band that of the whole clip.
	bandDoubt = 1e-5
	clipDoubt = 1e-7
	// weakest is the least power of a channel relative to the other. What is missing is taken to be the same sound.
	weakest = 4e-4
	// narrowest is added to the ratio of side to mid, so that its logarithm has a floor: Limit, -1 as a value.
	narrowest = 1e-3
)

// Measure returns the image of interleaved samples of two channels at frames with the given middles, which ascend:
// StereoBins values a frame in [-1, 1], for each band its pan in units of Limit, then for each band its width. The middle
// is 0; no width is -1. Silent samples are in the middle without width.
func (m *imager) Measure(samples []float32, middles []int) []float32 {
	x := m.tiles
	left, right := split(samples)
	all := x.powersOf(x.t.STFT(nil, left), x.t.STFT(nil, right))
	whole, doubt := prior(all)
	out := make([]float32, len(middles)*spectrogram.StereoBins)
	for f, at := range middles {
		reach := smoothing * float64(x.rate)
		if f > 0 {
			reach = max(reach, float64(at-middles[f-1]))
		}
		row := out[f*spectrogram.StereoBins:][:spectrogram.StereoBins]
		near := x.near(all, float64(at), reach)
		for b, p := range near {
			p.plus(whole[b], doubt[b])
			row[b], row[len(edges)+b] = p.values()
		}
	}
	return out
}

// near returns the mean powers around a sample, weighted by a raised cosine that ends at reach.
func (x *tiles) near(all []bandPowers, at, reach float64) bandPowers {
	var out bandPowers
	var n float64
	hop := float64(x.hop)
	for i := max(0, int((at-reach)/hop)); i <= min(int((at+reach)/hop)+1, len(all)-1); i++ {
		d := math.Abs(float64(i)*hop-at) / reach
		if d >= 1 {
			continue
		}
		w := 0.5 + 0.5*math.Cos(math.Pi*d)
		n += w
		for b, p := range all[i] {
			out[b].plus(p, w)
		}
	}
	for b := range out {
		if n > 0 {
			out[b] = powers{out[b].ll / n, out[b].rr / n, out[b].lr / n}
		}
	}
	return out
}

// prior returns what a frame with little sound takes for its bands, of sum 1 each, and its weight.
func prior(all []bandPowers) (whole bandPowers, doubt [len(edges)]float64) {
	var clip powers
	var loudest float64
	var peak [len(edges)]float64
	for _, t := range all {
		var sum float64
		for b, p := range t {
			whole[b].plus(p, 1)
			peak[b] = max(peak[b], p.sum())
			sum += p.sum()
		}
		loudest = max(loudest, sum)
	}
	for _, p := range whole {
		clip.plus(p, 1)
	}
	clip = clip.unit(powers{0.5, 0.5, 0.5})
	for b := range whole {
		own := whole[b].unit(clip)
		of, rest := bandDoubt*peak[b], clipDoubt*loudest
		doubt[b] = max(of+rest, math.SmallestNonzeroFloat32)
		whole[b] = powers{}
		if of+rest == 0 {
			rest = 1
		}
		whole[b].plus(own, of/(of+rest))
		whole[b].plus(clip, rest/(of+rest))
	}
	return whole, doubt
}

// values are pan and width.
func (p powers) values() (pan, width float32) {
	for _, side := range [][2]*float64{{&p.ll, &p.rr}, {&p.rr, &p.ll}} {
		if missing := weakest**side[0] - *side[1]; missing > 0 {
			*side[1] += missing
			p.lr += math.Sqrt(missing * *side[0])
		}
	}
	rho := min(max(p.lr/math.Sqrt(p.ll*p.rr), -1), 1)
	w := 10 * math.Log10((1-rho)/(1+rho+1e-12)+narrowest)
	return float32(ratio(p.rr, p.ll) / Limit), float32(min(max(w/Limit, -1), 1))
}

// A placing is what a tile of a band is distributed by.
type placing struct {
	left, right float64 // gains; their squares add up to 2
	rho         float64 // the correlation of the channels
}

func placingOf(pan, width float64) placing {
	r := math.Pow(10, pan*Limit/10)
	q := max(math.Pow(10, width*Limit/10)-narrowest, 0)
	return placing{left: math.Sqrt(2 / (1 + r)), right: math.Sqrt(2 * r / (1 + r)), rho: (1 - q) / (1 + q)}
}

// sideAndMid are the powers of side and mid of a tile with power 1.
func (g placing) sideAndMid() (side, mid float64) {
	cross := 2 * g.rho * g.left * g.right
	return (2 - cross) / 4, (2 + cross) / 4
}

// isOneChannel reports whether a side is so weak that its sound is one channel, see [Place].
func isOneChannel(side, mid float64) bool { return ratio(side, mid) <= -Limit }
