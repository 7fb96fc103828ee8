package frontend

import (
	"slices"

	"wavemill/audio"
	"wavemill/audio/spectrogram"
	"wavemill/audio/stereo"
	"wavemill/models"
)

// A transform makes spectrograms of interleaved samples and samples of spectrograms, in one channel or two.
type transform struct {
	mono   *spectrogram.Transform
	stereo *stereo.Transform // nil: one channel
}

func newTransform(c spectrogram.Config) (*transform, error) {
	if c.Channels == 0 {
		t, err := spectrogram.New(c)
		return &transform{mono: t}, err
	}
	t, err := stereo.New(c)
	if err != nil {
		return nil, err
	}
	return &transform{t.Mono(), t}, nil
}

func (t *transform) forward(x []float32) (*spectrogram.Spectrogram, error) {
	if t.stereo == nil {
		return t.mono.Forward(nil, x)
	}
	return t.stereo.Forward(x)
}

// reconstruct makes n samples of each channel.
func (t *transform) reconstruct(s *spectrogram.Spectrogram, n int, ph spectrogram.Phase) ([]float32, error) {
	if t.stereo == nil {
		return t.mono.Reconstruct(s, n, ph)
	}
	return t.stereo.Reconstruct(s, n, ph)
}

// Channels is the number of channels of the clips that Synthesize makes: 1 or 2.
func (f *FrontEnd) Channels() int { return max(1, f.config.Spectrogram.Channels) }

// arrange returns a clip in the front end's channels, from how many it was mixed down (0: not at all), and whether one of
// them was inverted for it. In a front end of two channels, one channel stands in the middle, and more than two are mixed
// down to stand there.
func (f *FrontEnd) arrange(c audio.Clip) (out audio.Clip, from int, inverted bool) {
	if f.Channels() == 2 && c.Channels == 2 {
		return c, 0, false
	}
	if c.Channels > 1 {
		from = c.Channels
		c, inverted = c.MixedDown()
	}
	if f.Channels() == 1 {
		return c, from, inverted
	}
	both := make([]float32, 2*len(c.Samples))
	for i, v := range c.Samples {
		both[2*i], both[2*i+1] = v, v
	}
	c.Samples, c.Channels = both, 2
	return c, from, inverted
}

// mixed is what is measured of a clip for a plan: one channel, as arrange makes it.
func mixed(c audio.Clip) audio.Clip {
	c, _ = c.MixedDown()
	return c
}

// InChannelsOf returns clips in the channels of these front ends: as they are where one of the models has two channels, or no
// clip has; otherwise mixed down. Whoever compares clips of models with recordings, as an evaluator does, should hear both
// like that: a model of one channel cannot know where a sound was.
func InChannelsOf(clips []audio.Clip, by ...models.FrontEnd) []audio.Clip {
	two := func(fe models.FrontEnd) bool { return fe.Spectrogram.Channels == 2 }
	more := func(c audio.Clip) bool { return c.Channels > 1 }
	if slices.ContainsFunc(by, two) || !slices.ContainsFunc(clips, more) {
		return clips
	}
	out := make([]audio.Clip, len(clips))
	for i, c := range clips {
		out[i] = mixed(c)
	}
	return out
}

const (
	mostlyStereo = 0.5 // share of the recordings that have two channels, from which a model of two is planned
	oftenDiffers = 0.1 // and the share of these whose channels differ to the ear
)

// channels is the number of channels of a plan, as in spectrogram.Config: 2 where more than half of the clips have two
// channels, and these differ to the ear (stereo.Differs) in a tenth of them or more; 0 where they do not, or are equal.
func (s Survey) channels() int {
	two := float64(s.Channels[2])
	if s.Clips == 0 || two <= mostlyStereo*float64(s.Clips) || float64(s.Stereo) < oftenDiffers*two || s.Stereo == 0 {
		return 0
	}
	return 2
}
