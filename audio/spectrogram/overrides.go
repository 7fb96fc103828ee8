package spectrogram

import (
	"cmp"
	"strings"
)

// Overrides replace fields of a Config, and the fields that follow from them. A zero field changes nothing.
type Overrides struct {
	NFFT       int      // NFFT also sets Hop to a quarter of it.
	Hop        int      // Hop replaces Config.Hop.
	Scale      string   // Scale, where it differs, also resets Mels, FMin and FMax.
	Mels       int      // Mels replaces Config.Mels.
	FMin       *float64 // FMin replaces Config.FMin; it is a pointer because 0 Hz is a usual edge.
	FMax       float64  // FMax replaces Config.FMax.
	MelFormula string   // MelFormula replaces Config.MelFormula, and fits Min and Max to it, as Config.Scaled does.
	MelNorm    string   // MelNorm replaces Config.MelNorm, and fits Min and Max to it.
	Pad        string   // Pad replaces Config.Pad.
	Two        bool     // Two sets Channels to 2.
	Value      string   // Value, where it differs, also resets Min and Max, and Floor for values that are no logarithm.
}

// Apply returns c with the overrides. The result may be invalid; [New] reports that.
func (o Overrides) Apply(c Config) Config {
	if o.NFFT != 0 {
		c.NFFT, c.Hop = o.NFFT, max(1, o.NFFT/4)
	}
	if o.Hop != 0 {
		c.Hop = o.Hop
	}
	if o.Scale != "" && o.Scale != c.Scale {
		c.Scale, c.Mels, c.FMin, c.FMax = o.Scale, 0, 0, 0
	}
	if o.Mels != 0 {
		c.Mels = o.Mels
	}
	if o.FMin != nil {
		c.FMin = *o.FMin
	}
	if o.FMax != 0 {
		c.FMax = o.FMax
	}
	if o.Two {
		c.Channels = 2
	}
	if o.Pad != "" {
		c.Pad = o.Pad
	}
	if o.Value != "" && o.Value != c.Value {
		c.Value, c.Min, c.Max = o.Value, 0, 0
		if !strings.HasPrefix(o.Value, "log") {
			c.Floor = 0
		}
	}
	if o.MelFormula != "" || o.MelNorm != "" {
		c.MelFormula, c.MelNorm = cmp.Or(o.MelFormula, c.MelFormula), cmp.Or(o.MelNorm, c.MelNorm)
		if c.isScaled() {
			c = c.Scaled()
		}
	}
	return c
}
