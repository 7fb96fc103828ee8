package frontend

import (
	"cmp"
	"maps"
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
	maxFrames  = 256 // beyond, a step takes longer than a laptop's owner waits
	maxRate    = 48000
	coverage   = 0.98 // the share of clips that fit without being cut
	trimSilent = -40  // dB below the peak
)

// Plan chooses a front end for clips of the given sample rates and durations, one entry each per clip: the most
// common rate (of equals the lowest; at most 48 kHz), the transform of spectrogram.Default for it, and as many frames
// as 98 % of the clips need, a multiple of 16 between 32 and 256. Without clips it plans for one second at 8 kHz.
func Plan(rates []int, durations []time.Duration) models.FrontEnd {
	config := spectrogram.Default(min(commonest(rates), maxRate))
	frames := 64
	if len(durations) > 0 {
		sorted := slices.Sorted(slices.Values(durations))
		long := sorted[min(len(sorted)-1, int(coverage*float64(len(sorted))))]
		frames = config.Frames(int(long.Seconds() * float64(config.SampleRate)))
		frames = (frames + frameStep - 1) / frameStep * frameStep
	}
	return models.FrontEnd{Spectrogram: config, Frames: min(max(frames, minFrames), maxFrames), TrimDB: trimSilent}
}

// PlanFor is Plan for clips in memory.
func PlanFor(clips []audio.Clip) models.FrontEnd {
	rates := make([]int, len(clips))
	durations := make([]time.Duration, len(clips))
	for i, c := range clips {
		rates[i], durations[i] = c.Rate, audio.TrimSilence(c, trimSilent).Duration()
	}
	return Plan(rates, durations)
}

func commonest(rates []int) int {
	count := map[int]int{}
	for _, r := range rates {
		if r > 0 {
			count[r]++
		}
	}
	if len(count) == 0 {
		return 8000
	}
	return slices.MaxFunc(slices.Collect(maps.Keys(count)), func(a, b int) int {
		return cmp.Or(cmp.Compare(count[a], count[b]), cmp.Compare(b, a))
	})
}
