package frontend

import (
	"context"
	"math"
	"time"

	"wavemill/audio"
	"wavemill/audio/spectrogram"
	"wavemill/audio/stereo"
	"wavemill/models"
)

// The front end for one-shots.
const (
	musicRate       = 22050 // Hz; below, recordings are of speech as a rule; such recordings have no noise band to model, and their pitch follows from harmonics
	oneShotCoverage = 0.9   // share of clips that fit without being cut; the longest are tails
	oneShotFrames   = 176   // at most: 8.7 s at 44.1 kHz
	compared        = 16    // clips whose round trips are compared
	shotDistance    = 1.45  // times the mel scale's spectral distance, which one-shots may have: noise that is drawn anew is far from itself, and sounds right
	prerollHops     = 2     // frames before the attack, at least
	prerollDB       = -40   // below the peak; what is louder before the attack is kept
	cutFade         = 250 * time.Millisecond
)

// PlanFor plans for clips in memory:
//
//  1. The front end for one-shots (spectrogram.OneShot), if at least two thirds of the clips are single strokes and its
//     spectral distance is below shotDistance times that of the mel scale, or if its distance is the smaller one. The distance
//     is that between some of the clips and their round trips.
//  2. Else a mel scale, planned as by Survey.Plan for the figures of the clips, with the scaling of its logarithm fitted to
//     their levels as by Level. From 22.05 kHz on it has narrower filters at the bottom (spectrogram.FormulaKnee), and up to
//     half as many filters more, where over a third of the low tones would be off by more than 50 cents.
//
// There are two channels if more than half of the clips have two and at least a tenth of these differ to the ear
// (stereo.Differs).
func PlanFor(clips []audio.Clip) models.FrontEnd {
	s := SurveyOf(clips)
	fe := Level(s.Plan(), clips)
	shot, ok := s.oneShot(fe.Spectrogram.SampleRate, clips)
	limit := 1.
	if ok && areStruck(clips) {
		limit = shotDistance
	}
	if ok && distance(shot, clips) < limit*distance(fe, clips) {
		fe = shot
	} else {
		fe = inTune(fe, clips)
	}
	fe.Spectrogram.Channels = s.channels()
	return fe
}

// oneShot returns the front end for clips as one-shots of a rate, and whether there is one.
func (s Survey) oneShot(rate int, clips []audio.Clip) (models.FrontEnd, bool) {
	var seconds []float64
	for _, c := range clips {
		if Usable(c) == nil {
			seconds = append(seconds, audio.TrimSilence(c, s.Trim).Duration().Seconds())
		}
	}
	if rate < musicRate || len(seconds) == 0 || s.Trim > trimSilent {
		return models.FrontEnd{}, false
	}
	c := spectrogram.OneShot(rate)
	frames := prerollHops + c.Frames(int(percentile(seconds, oneShotCoverage)*float64(rate)))
	frames = (frames + frameStep - 1) / frameStep * frameStep
	return models.FrontEnd{Spectrogram: c, Frames: min(max(frames, minFrames), oneShotFrames), TrimDB: s.Trim}, true
}

// distance returns the spectral distance between some of the clips and their round trips through a front end in dB, NaN where it
// cannot be used.
func distance(fe models.FrontEnd, clips []audio.Clip) float64 {
	var some []audio.Clip
	stride := (len(clips) + compared - 1) / compared
	for i := 0; i < len(clips); i += max(stride, 1) {
		if Usable(clips[i]) == nil {
			some = append(some, clips[i])
		}
	}
	c, err := MeasureCeiling(context.Background(), fe, some, 1) // some seconds at most
	if err != nil {
		return math.NaN()
	}
	return c.LogSpectral
}

// aligned returns where samples begin so that their attack lies in the middle of a frame: below 0, zeros are added to their
// beginning; above, what lies before the attack and is quieter than prerollDB is cut off. Attacks at equal places let a
// model see their slopes alike, and let the way back know where they are.
func aligned(x []float32, attack, hop int) int {
	limit := float32((audio.Clip{Samples: x, Channels: 1, Rate: 1}).Peak() * audio.Amplitude(prerollDB))
	quiet := 0
	for quiet < attack && x[quiet] <= limit && -x[quiet] <= limit {
		quiet++
	}
	return attack - max(prerollHops, (attack-quiet+hop-1)/hop)*hop
}

// from returns c from a frame on, or with silence before it where that is negative.
func from(c audio.Clip, frame int) audio.Clip {
	n := frame * c.Channels
	if n >= 0 {
		c.Samples = c.Samples[n:]
	} else {
		c.Samples = append(make([]float32, -n, len(c.Samples)-n), c.Samples...)
	}
	return c
}

// alignOneShot aligns a clip for the front end for one-shots, and fades its end where it is cut to so many frames.
func (f *FrontEnd) alignOneShot(c audio.Clip, samples int) (audio.Clip, error) {
	t, err := f.transform()
	if err != nil {
		return c, err
	}
	defer f.transforms.Put(t)
	one, err := stereo.Downmix(c)
	if err != nil {
		return c, err
	}
	c = from(c, aligned(one.Samples, t.mono.Attack(one.Samples), f.config.Spectrogram.Hop))
	if keep := samples * c.Channels; len(c.Samples) > keep {
		whole := c
		c.Samples = c.Samples[:keep]
		c = audio.Fade(c, 0, min(cutFade, c.Duration()/4))
		c.Samples = append(c.Samples, whole.Samples[keep:]...) // the caller reports what it cuts off
	}
	return c, nil
}
