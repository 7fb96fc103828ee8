package stereo

import (
	"math"

	"wavemill/audio"
)

// mostGain is how much a mix of two channels is amplified at most where they cancel: 12 dB. Bands of opposite sign are
// not mixed but subtracted, so that little is left to amplify.
const mostGain = 4

// Downmix returns one channel with the mean power of both in each band: half of the sum of the channels, or of their
// difference in bands where the sum cancels, with a gain. Clips of one channel, and of two that are equal, become what
// audio.Clip.Mono makes of them; so do those of more than two channels. The result has the clip's length.
func Downmix(c audio.Clip) (audio.Clip, error) {
	if c.Channels != 2 || equal(c.Samples) {
		return c.Mono(), nil
	}
	x, err := newTiles(c.Rate)
	if err != nil {
		return audio.Clip{}, err
	}
	c.Samples, c.Channels = x.downmix(c.Samples), 1
	return c, nil
}

func equal(x []float32) bool {
	for i := 0; i+1 < len(x); i += 2 {
		if x[i] != x[i+1] {
			return false
		}
	}
	return true
}

func (x *tiles) downmix(samples []float32) []float32 {
	left, right := split(samples)
	l, r := x.t.STFT(nil, left), x.t.STFT(nil, right)
	all := x.powersOf(l, r)
	var whole bandPowers
	for _, t := range all {
		for b, p := range t {
			whole[b].plus(p, 1)
		}
	}
	var gain, sign [len(edges)]float32
	for b, p := range whole {
		sign[b] = 1
		if p.lr < 0 {
			sign[b] = -1
		}
	}
	for i := range all {
		for b := range gain {
			p := around(all, i, b)
			mixed := (p.sum() + 2*float64(sign[b])*p.lr) / 4
			gain[b] = 0.5 * mostGain
			if want := p.sum() / 2; want < mostGain*mostGain*mixed {
				gain[b] = float32(0.5 * math.Sqrt(want/mixed))
			}
		}
		for k, b := range x.band {
			j := i*x.bins + k
			l[j] = complex(gain[b]*(real(l[j])+sign[b]*real(r[j])), gain[b]*(imag(l[j])+sign[b]*imag(r[j])))
		}
	}
	return x.t.ISTFT(nil, l, len(left))
}
