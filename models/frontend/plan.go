package frontend

import (
	"math"
	"slices"
	"time"

	"wavemill/audio"
	"wavemill/audio/spectrogram"
	"wavemill/models"
)

// Limits of a plan.
const (
	frameStep  = 16  // every architecture halves the frames four times
	minFrames  = 32  // half a second at 8 kHz
	maxFrames  = 512 // 8 s at 8 kHz; beyond, a training step is too slow on a laptop
	fewFrames  = 16  // clips of no more are better seen in shorter frames: half of the picture would be padding
	maxRate    = 48000
	coverage   = 0.98 // the share of clips that fit without being cut
	trimSilent = -40  // dB below the peak, below musicRate: recordings of speech have noise beneath
	trimDecay  = -60  // dB below the peak, from musicRate on: -40 cuts a third off the decay of a drum or a string
	trimLeast  = -15  // dB; a steady level above it is sound, not noise
	trimMargin = 3    // dB above the noise

	shortFrame = 20 * time.Millisecond  // frames are halved for short clips while they are longer than this
	longFrame  = 100 * time.Millisecond // frames are doubled for long clips while they stay shorter: longer ones smear speech
)

// Plan chooses a front end for clips of the given sample rates and durations, one entry each per clip: the most
// common rate (of equals the lowest; at most 48 kHz), the transform of spectrogram.Default for it, and as many frames
// as 98 % of the clips need, a multiple of 16 between 32 and 512. Where the clips fill no more than 16 frames, frames and
// hop are halved, down to 20 ms; where they need more than 512, doubled, up to 100 ms. Without clips it plans for one
// second at 8 kHz. It trims at -40 dB at every rate: it knows no recordings, and the spectrograms of a pipeline that is upgraded must
// stay those that its model learns from.
func Plan(rates []int, durations []time.Duration) models.FrontEnd {
	s := Survey{Rates: map[int]int{}, Durations: durations, Trim: trimSilent}
	for _, r := range rates {
		s.Rates[r]++
	}
	return s.Plan()
}

// Plan chooses a front end as the function Plan does, with more knowledge: where the upper part of the band is empty,
// as after resampling from a lower rate, the filters lie below that, as many as the lower rate would have; and where the
// clips begin and end in noise, the trimming's threshold lies above it.
func (s Survey) Plan() models.FrontEnd {
	c := spectrogram.Default(min(commonest(s.Rates), maxRate))
	if top := s.top(c.SampleRate); top < c.SampleRate {
		c.FMax = float64(top) / 2
		c.Mels = spectrogram.Default(top).Mels
	}
	frames := 64
	if len(s.Durations) > 0 {
		long := longest(s.Durations)
		for frames = framesFor(c, long); frames <= fewFrames && frameTime(c) > shortFrame && c.NFFT > 64; frames = framesFor(c, long) {
			c.NFFT, c.Hop = c.NFFT/2, c.Hop/2
		}
		for ; frames > maxFrames && 2*frameTime(c) <= longFrame; frames = framesFor(c, long) {
			c.NFFT, c.Hop = c.NFFT*2, c.Hop*2
		}
		frames = (frames + frameStep - 1) / frameStep * frameStep
	}
	c.Mels = min(c.Mels, resolvable(c))
	return models.FrontEnd{
		Spectrogram: c.Scaled(), Frames: min(max(frames, minFrames), maxFrames), TrimDB: s.Trim,
		Phase: spectrogram.Phase{Method: spectrogram.MethodMixed},
	}
}

// longest returns the duration that 98 % of clips do not exceed.
func longest(durations []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(durations))
	return sorted[min(len(sorted)-1, int(coverage*float64(len(sorted))))]
}

// framesFor is the number of frames of a clip.
func framesFor(c spectrogram.Config, d time.Duration) int {
	return c.Frames(int(d.Seconds() * float64(c.SampleRate)))
}

// frameTime is the length of a frame.
func frameTime(c spectrogram.Config) time.Duration {
	return audio.FramesDuration(int64(c.NFFT), c.SampleRate)
}

// top returns the lowest usual sample rate that would hold the data's band, at most the given one.
func (s Survey) top(rate int) int {
	if s.Band <= 0 {
		return rate
	}
	for _, r := range []int{8000, 11025, 12000, 16000, 22050, 24000, 32000} {
		// Two percent of play: a band's edge is found in steps of a bin, and resamplers let a little through.
		if float64(r)*1.02 >= 2*s.Band && r < rate*9/10 {
			return r
		}
	}
	return rate
}

// resolvable returns the most filters, a multiple of 16, that c's bins can tell apart: the narrowest, at the bottom, are
// 2/3 of a bin from each other or more, so that none is empty.
func resolvable(c spectrogram.Config) int {
	const hzPerMel = 200.0 / 3 // Slaney's scale, below 1 kHz
	n := int(slaneyMels(c.FMax)*hzPerMel*float64(c.NFFT)/float64(c.SampleRate)*3/2) / frameStep * frameStep
	return max(n, frameStep)
}

// slaneyMels is the mel scale of Slaney's Auditory Toolbox.
func slaneyMels(hz float64) float64 {
	if hz < 1000 {
		return hz * 3 / 200
	}
	return 15 + 27*math.Log(hz/1000)/math.Log(6.4)
}
