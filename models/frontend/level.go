package frontend

import (
	"math"

	"wavemill/audio"
	"wavemill/audio/spectrogram"
	"wavemill/models"
)

// The levels that spectrogram.Default's scaling suits, in dB below its Max.
const (
	leastHeadroom = 3  // louder data would be clamped
	mostHeadroom  = 30 // quieter data would lie in the floor
	fitHeadroom   = 20 // what data outside gets: that of recorded speech at a usual level
	levelShare    = 0.999
)

// Level returns fe with the scaling of its logarithm fitted to clips. Where their level, the 99.9th percentile of the
// magnitudes of all filters and frames, lies 3 to 30 dB below Max, the scaling stays as it is: models of such data
// are then comparable, whatever the recordist's gain. Louder and quieter data move Floor, Min and Max together until it
// lies 20 dB below; the range between them, some 80 dB, stays. Clips without sound change nothing.
func Level(fe models.FrontEnd, clips []audio.Clip) models.FrontEnd {
	c := fe.Spectrogram
	if c.Scale == spectrogram.ScaleOneShot || c.Value != spectrogram.ValueLog || !(c.Min < c.Max) {
		return fe
	}
	level, ok := levelOf(fe, clips)
	if !ok {
		return fe
	}
	headroom := c.Max*decibelsPerNeper - level
	if headroom >= leastHeadroom && headroom <= mostHeadroom {
		return fe
	}
	gain := (headroom - fitHeadroom) / decibelsPerNeper // in nepers, down
	c.Floor *= math.Exp(-gain)
	c.Min = math.Log(c.Floor)
	c.Max -= gain
	fe.Spectrogram = c
	return fe
}

const decibelsPerNeper = 20 / math.Ln10

// levelOf returns the level of clips in dB, as Level defines it.
func levelOf(fe models.FrontEnd, clips []audio.Clip) (level float64, ok bool) {
	c := fe.Spectrogram.Mono()
	c.Value, c.Floor, c.Min, c.Max = spectrogram.ValueMagnitude, 0, 0, 0
	t, err := spectrogram.New(c)
	if err != nil {
		return 0, false
	}
	var (
		h          histogram
		resamplers audio.Resamplers
	)
	stride := (len(clips) + surveyed - 1) / surveyed
	for i := 0; i < len(clips); i += max(stride, 1) {
		x := clips[i]
		if x.Validate() != nil || !hasSound(x) {
			continue
		}
		x = mixed(x)
		if x.Rate != c.SampleRate {
			if x, err = resamplers.Resample(x, c.SampleRate); err != nil {
				continue
			}
		}
		x = audio.TrimSilence(x, fe.TrimDB)
		s, err := t.Forward(nil, x.Samples[:min(len(x.Samples), c.Samples(fe.Frames))])
		if err != nil {
			continue
		}
		for _, v := range s.Data {
			h.add(audio.Decibels(float64(v)))
		}
	}
	return h.percentile(levelShare)
}

// A histogram counts levels in tenths of a dB from -300 to 300 dB.
type histogram struct {
	counts [6000]int
	n      int
}

func (h *histogram) add(db float64) {
	h.counts[int(min(max((db+300)*10, 0), float64(len(h.counts)-1)))]++
	h.n++
}

// percentile returns the level that a share p does not exceed, and false for an empty histogram.
func (h *histogram) percentile(p float64) (db float64, ok bool) {
	want := int(p * float64(h.n))
	for i, n := range h.counts {
		if want -= n; want < 0 {
			return float64(i)/10 - 300, true
		}
	}
	return 0, false
}
