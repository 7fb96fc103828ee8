package audio

// TrimSilence cuts the frames before the first and after the last one in which any channel exceeds
// thresholdDB relative to the clip's peak. The threshold is negative decibels: -40 keeps what is
// within 40 dB of the loudest sample. A clip of zeros has no loudest sample and becomes empty; a
// threshold of 0 or more leaves the clip as it is. The result shares the clip's samples.
func TrimSilence(c Clip, thresholdDB float64) Clip {
	lo, hi := SilenceBounds(c, thresholdDB)
	c.Samples = c.Samples[lo*c.Channels : hi*c.Channels]
	return c
}

// SilenceBounds gives the half-open range of frames that TrimSilence keeps.
func SilenceBounds(c Clip, thresholdDB float64) (lo, hi int) {
	n := c.Frames()
	if thresholdDB >= 0 || n == 0 {
		return 0, n
	}
	peak := c.Peak()
	if peak == 0 {
		return 0, 0
	}
	threshold := float32(peak * Amplitude(thresholdDB))
	first, last := 0, len(c.Samples)-1
	for first < last && !exceeds(c.Samples[first], threshold) {
		first++
	}
	for last > first && !exceeds(c.Samples[last], threshold) {
		last--
	}
	return first / c.Channels, last/c.Channels + 1
}

func exceeds(v, threshold float32) bool {
	return v > threshold || -v > threshold
}
