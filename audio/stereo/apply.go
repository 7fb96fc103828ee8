package stereo

import (
	"math"
	"math/rand/v2"

	"wavemill/audio/spectrogram"
)

const (
	decorrelation = 0.03 // seconds that the impulse response of the decorrelated copy lasts
	impulseRate   = 1500 // impulses a second in it
	impulseDecay  = 30   // dB that it falls by
	mostBoost     = 4    // by which the copy is amplified at most, to be as loud as the sound
	opposite      = -0.25
)

// Apply makes two channels, interleaved, of one, with an image as Measure returns it for frames with the given middles.
// What the channels do not have in common comes from a copy of the sound that is convolved with sparse random impulses of
// 30 ms (velvet noise; Alary, Politis and Välimäki 2017), made orthogonal to the sound and as loud in each band. Same
// sound, image and seed: same samples.
func (m *imager) Apply(sound, image []float32, middles []int, seed uint64) []float32 {
	x := m.tiles
	s := x.t.STFT(nil, sound)
	d := x.t.STFT(nil, velvet(sound, x.rate, seed))
	all := x.powersOf(s, d)
	places := x.places(image, middles, len(all))
	narrow(places, all)
	signs := signsOf(places, all)
	var mix [len(edges)][4]float32 // of the sound and its copy in the left channel, and in the right one
	for i := range all {
		for b := range mix {
			p := around(all, i, b)
			mix[b] = places[i][b].mix(p, signs[b])
		}
		for k, b := range x.band {
			j, g := i*x.bins+k, mix[b]
			a, c := s[j], d[j]
			s[j] = complex(g[0]*real(a)+g[1]*real(c), g[0]*imag(a)+g[1]*imag(c))
			d[j] = complex(g[2]*real(a)+g[3]*real(c), g[2]*imag(a)+g[3]*imag(c))
		}
	}
	left, right := x.t.ISTFT(nil, s, len(sound)), x.t.ISTFT(nil, d, len(sound))
	out := make([]float32, 2*len(sound))
	for i, v := range left {
		out[2*i], out[2*i+1] = v, right[i]
	}
	return out
}

// velvet returns sound convolved with random impulses that decay.
func velvet(sound []float32, rate int, seed uint64) []float32 {
	rng := rand.New(rand.NewPCG(seed, 0x73746572656f))
	n := max(2, int(decorrelation*float64(rate)))
	step := max(1, rate/impulseRate)
	out := make([]float32, len(sound))
	for at := 0; at < n; at += step {
		delay := max(1, at+rng.IntN(step))
		g := float32(math.Pow(10, -impulseDecay/20.0*float64(delay)/float64(n)))
		if rng.IntN(2) == 0 {
			g = -g
		}
		if delay < len(out) {
			for i, v := range sound[:len(out)-delay] {
				out[delay+i] += g * v
			}
		}
	}
	return out
}

// places returns the placings of all tiles: images are interpolated between frames.
func (x *tiles) places(image []float32, middles []int, count int) [][len(edges)]placing {
	out := make([][len(edges)]placing, count)
	f := 0
	for i := range out {
		at := i * x.hop
		for f+1 < len(middles) && middles[f+1] <= at {
			f++
		}
		next, part := min(f+1, len(middles)-1), 0.0
		if middles[next] > middles[f] {
			part = min(max(float64(at-middles[f])/float64(middles[next]-middles[f]), 0), 1)
		}
		a, b := image[f*spectrogram.StereoBins:], image[next*spectrogram.StereoBins:]
		between := func(k int) float64 { return (1-part)*float64(a[k]) + part*float64(b[k]) }
		for k := range out[i] {
			out[i][k] = placingOf(between(k), between(len(edges)+k))
		}
	}
	return out
}

// narrow makes the channels of a band equal where its side, over the whole sound, is that of one channel. The images of a model
// waver: what it has learnt from equal channels is never quite in the middle.
func narrow(places [][len(edges)]placing, all []bandPowers) {
	for b := range edges {
		var side, mid float64
		for i := range places {
			s, m := places[i][b].sideAndMid()
			side, mid = side+all[i][b].ll*s, mid+all[i][b].ll*m
		}
		if !isOneChannel(side, mid) {
			continue
		}
		for i := range places {
			places[i][b] = placing{left: 1, right: 1, rho: 1}
		}
	}
}

// signsOf returns -1 for bands whose channels are opposite on the whole. One sign holds for all of a band: a change would
// be heard.
func signsOf(places [][len(edges)]placing, all []bandPowers) (signs [len(edges)]float64) {
	for b := range signs {
		var rho, sum float64
		for i, p := range places {
			rho += all[i][b].ll * p[b].rho
			sum += all[i][b].ll
		}
		signs[b] = 1
		if rho < opposite*sum {
			signs[b] = -1
		}
	}
	return signs
}

// mix returns the factors of the sound and of its copy in the left channel and in the right one; p are the powers of sound
// and copy.
func (g placing) mix(p powers, sign float64) [4]float32 {
	alpha := 0.5 * math.Acos(sign*g.rho)
	// The louder channel gets more of the sound, the other one more of its copy.
	beta := -alpha * (g.left*g.left - g.right*g.right) / 2
	var common, boost float64 // the copy less common times the sound, times boost, is orthogonal and as loud
	if p.ll > 0 && p.rr > 0 {
		common = p.lr / p.ll
		if rest := p.rr - common*p.lr; rest > p.ll/(mostBoost*mostBoost) {
			boost = math.Sqrt(p.ll / rest)
		} else {
			boost = mostBoost
		}
	}
	factors := func(gain, angle float64) (sound, copied float32) {
		c := math.Sin(angle) * boost
		return float32(gain * (math.Cos(angle) - c*common)), float32(gain * c)
	}
	var out [4]float32
	out[0], out[1] = factors(g.left, alpha+beta)
	out[2], out[3] = factors(sign*g.right, beta-alpha)
	return out
}
