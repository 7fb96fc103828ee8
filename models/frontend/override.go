package frontend

import "wavemill/models"

// Overrides are what a user decides instead of the plan. Zero fields leave the plan's.
type Overrides struct {
	NFFT, Hop, Mels, Frames int
	Mono                    bool // one channel, whatever the recordings have
}

// Apply returns fe with the fields of o, and the scaling of its logarithm for them. An n_fft without a hop keeps the ratio
// of the two. Whether the result is possible, New says.
func (o Overrides) Apply(fe models.FrontEnd) models.FrontEnd {
	c := &fe.Spectrogram
	if o.NFFT > 0 {
		c.NFFT, c.Hop = o.NFFT, max(1, c.Hop*o.NFFT/c.NFFT)
	}
	if o.Hop > 0 {
		c.Hop = o.Hop
	}
	if o.Mels > 0 {
		c.Mels = o.Mels
	}
	if o.Frames > 0 {
		fe.Frames = o.Frames
	}
	if o.Mono {
		c.Channels = 0
	}
	if o.NFFT > 0 || o.Mels > 0 {
		*c = c.Scaled()
	}
	return fe
}
