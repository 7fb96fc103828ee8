package frontend

import (
	"cmp"
	"context"
	"math"

	"wavemill/audio"
	"wavemill/audio/spectrogram"
	"wavemill/audio/timbre"
	"wavemill/models"
)

// When a plan gives up Slaney's mel scale, whose filters are wider than a bin below 1 kHz, so that low tones lose their pitch.
const (
	pitchTested = 256     // clips that are searched for low tones
	pitchUsed   = 16      // clips with a low tone that are sent through both scales
	pitchLeast  = 3       // clips with a low tone, without which the mel scale stays
	offPitch    = 1.0 / 3 // share of these that may come back more than timbre.PitchLimit cents off
	farther     = 1.02    // how much greater the spectral distance of all clips may become
	moreFilters = 1.5     // how many more filters that may take
)

// inTune returns fe with filters that keep low tones at their pitch (lowTones), where its own do not. Narrow filters at the bottom
// leave fewer for the rest: where round trips of all sounds become worse by that, there are more filters, in steps of 16. Where
// that does not help either, it returns fe.
func inTune(fe models.FrontEnd, clips []audio.Clip) models.FrontEnd {
	if fe.Spectrogram.SampleRate < musicRate {
		return fe
	}
	pitched := lowPitched(clips)
	if len(pitched) < pitchLeast {
		return fe
	}
	before := shareOffPitch(fe, pitched)
	if !(before > offPitch) {
		return fe
	}
	limit := farther * distance(fe, clips)
	for mels := fe.Spectrogram.Mels; mels <= int(moreFilters*float64(fe.Spectrogram.Mels)); mels += frameStep {
		knee := fe
		knee.Spectrogram.Mels = mels
		knee.Spectrogram = lowTones(knee.Spectrogram)
		knee = Level(knee, clips)
		if !(distance(knee, clips) <= limit) { // NaN: it cannot be used.
			continue
		}
		if shareOffPitch(knee, pitched) < before/2 {
			return knee
		}
		break
	}
	return fe
}

// shareOffPitch returns how many of the clips with a low tone a round trip brings more than timbre.PitchLimit cents off; NaN where too
// few have one afterwards.
func shareOffPitch(fe models.FrontEnd, clips []audio.Clip) float64 {
	c, err := MeasureCeiling(context.Background(), fe, clips, 1) // some seconds at most
	if err != nil || c.Sound.Pairs.Pitched < pitchLeast {
		return math.NaN()
	}
	return c.Sound.Pairs.OffPitch
}

// lowTones returns c with filters as narrow as bins at the bottom (spectrogram.FormulaKnee) instead of those of its mel formula, as many.
func lowTones(c spectrogram.Config) spectrogram.Config {
	c.MelFormula, c.FMin = spectrogram.FormulaKnee, 0
	c.Knee = c.KneeFor(cmp.Or(c.FMax, float64(c.SampleRate)/2))
	return c.Scaled()
}

// lowPitched returns some of the clips that have a low tone, see timbre.Measures.Pitch.
func lowPitched(clips []audio.Clip) []audio.Clip {
	var some []audio.Clip
	meter := timbre.NewMeter(0)
	stride := max((len(clips)+pitchTested-1)/pitchTested, 1)
	for i := 0; i < len(clips) && len(some) < pitchUsed; i += stride {
		if Usable(clips[i]) == nil && !math.IsNaN(meter.Measure(clips[i]).Pitch) {
			some = append(some, clips[i])
		}
	}
	return some
}
