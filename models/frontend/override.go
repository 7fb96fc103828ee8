package frontend

import (
	"cmp"

	"wavemill/audio/spectrogram"
	"wavemill/models"
)

// Overrides are what a user decides instead of the plan. Zero fields leave the plan's.
type Overrides struct {
	NFFT, Hop, Mels, Frames  int
	MelFormula, MelNorm, Pad string // see spectrogram.Config
	Mono                     bool   // one channel, whatever the recordings have
}

// transforms reports whether o decides anything about the transform, which then is one with a mel scale.
func (o Overrides) transforms() bool {
	return o.NFFT > 0 || o.Hop > 0 || o.Mels > 0 || o.MelFormula != "" || o.MelNorm != "" || o.Pad != ""
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
	switch c.MelFormula = cmp.Or(o.MelFormula, c.MelFormula); {
	case c.MelFormula != spectrogram.FormulaKnee:
		c.Knee = 0
	case c.Scale == spectrogram.ScaleMel && (o.NFFT > 0 || o.Mels > 0 || o.MelFormula != ""):
		*c = lowTones(*c)
	}
	c.MelNorm = cmp.Or(o.MelNorm, c.MelNorm)
	c.Pad = cmp.Or(o.Pad, c.Pad)
	if o.NFFT > 0 || o.Mels > 0 || o.MelFormula != "" || o.MelNorm != "" {
		*c = c.Scaled()
	}
	return fe
}

// matches reports whether fe has the values of o.
func (o Overrides) matches(fe models.FrontEnd) bool {
	s := fe.Spectrogram
	same := func(wanted, is, zero string) bool { return wanted == "" || wanted == cmp.Or(is, zero) }
	return (!o.Mono || s.Channels == 0) && cmp.Or(o.NFFT, s.NFFT) == s.NFFT && cmp.Or(o.Hop, s.Hop) == s.Hop && cmp.Or(o.Mels, s.Mels) == s.Mels && cmp.Or(o.Frames, fe.Frames) == fe.Frames &&
		same(o.MelFormula, s.MelFormula, spectrogram.FormulaSlaney) && same(o.MelNorm, s.MelNorm, spectrogram.NormSlaney) && same(o.Pad, s.Pad, spectrogram.PadZero)
}
