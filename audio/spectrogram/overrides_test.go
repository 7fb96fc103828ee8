package spectrogram

import "testing"

func TestOverrides(t *testing.T) {
	base := Default(16000)
	zero := 0.0
	change := func(f func(*Config)) Config {
		c := base
		f(&c)
		return c
	}
	for name, c := range map[string]struct {
		o    Overrides
		want Config
	}{
		"nothing":       {Overrides{}, base},
		"frame":         {Overrides{NFFT: 512}, change(func(c *Config) { c.NFFT, c.Hop = 512, 128 })},
		"frame of 1":    {Overrides{NFFT: 1}, change(func(c *Config) { c.NFFT, c.Hop = 1, 1 })},
		"frame and hop": {Overrides{NFFT: 512, Hop: 100}, change(func(c *Config) { c.NFFT, c.Hop = 512, 100 })},
		"same scale":    {Overrides{Scale: base.Scale, Value: base.Value}, base},
		"linear":        {Overrides{Scale: ScaleLinear}, change(func(c *Config) { c.Scale, c.Mels, c.FMin, c.FMax = ScaleLinear, 0, 0, 0 })},
		"filters":       {Overrides{Mels: 20, FMin: &zero, FMax: 4000}, change(func(c *Config) { c.Mels, c.FMin, c.FMax = 20, 0, 4000 })},
		"reflection":    {Overrides{Pad: PadReflect}, change(func(c *Config) { c.Pad = PadReflect })},
		"HTK": {Overrides{MelFormula: FormulaHTK, MelNorm: NormNone}, change(func(c *Config) {
			c.MelFormula, c.MelNorm = FormulaHTK, NormNone
			*c = c.Scaled()
		})},
		"power":           {Overrides{Value: ValuePower}, change(func(c *Config) { c.Value, c.Min, c.Max, c.Floor = ValuePower, 0, 0, 0 })},
		"log-power":       {Overrides{Value: ValueLogPower}, change(func(c *Config) { c.Value, c.Min, c.Max = ValueLogPower, 0, 0 })},
		"unknown is kept": {Overrides{Value: "loud", Hop: -1}, change(func(c *Config) { c.Value, c.Min, c.Max, c.Floor, c.Hop = "loud", 0, 0, 0, -1 })},
	} {
		if got := c.o.Apply(base); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
