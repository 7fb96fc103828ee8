package audio

// cancelled is the share of the mean power of two channels below which their mean is rounding noise, or sounds hollow.
const cancelled = 0.1

// MixedDown is Mono for sound that is kept in one channel. Where two channels cancel, so that less than a tenth of their mean
// power is left in their mean, it takes half of their difference instead and reports it. In all other cases it is Mono.
func (c Clip) MixedDown() (mono Clip, inverted bool) {
	if c.Channels != 2 {
		return c.Mono(), false
	}
	var left, right, both float64
	for i := 0; i+1 < len(c.Samples); i += 2 {
		l, r := float64(c.Samples[i]), float64(c.Samples[i+1])
		left += float64(l * l) // the conversions forbid fused operations: the same result on every machine
		right += float64(r * r)
		both += float64(l * r)
	}
	if !(left+right+2*both < 2*cancelled*(left+right)) {
		return c.Mono(), false
	}
	out := make([]float32, c.Frames())
	for i := range out {
		out[i] = 0.5*c.Samples[2*i] - 0.5*c.Samples[2*i+1]
	}
	c.Samples, c.Channels = out, 1
	return c, true
}
