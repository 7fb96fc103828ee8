package spectrogram

// mostDoublings bounds how often the hop of a one-shot grid doubles: to 32 times Hop.
const mostDoublings = 5

// Frames is the number of frames that a number of samples makes: 1 + samples/Hop, less where the hop grows.
func (c Config) Frames(samples int) int {
	if c.HopGrowth < 1 {
		return 1 + samples/c.Hop
	}
	frames, hop := 1, c.Hop
	for doubled := 0; doubled < mostDoublings && samples >= c.HopGrowth*hop; doubled++ {
		frames, samples, hop = frames+c.HopGrowth, samples-c.HopGrowth*hop, 2*hop
	}
	return frames + samples/hop
}

// Samples is the natural length of a number of frames, the shortest that makes so many: (frames-1) * Hop, more where the
// hop grows. It is also the position of the middle of the last frame.
func (c Config) Samples(frames int) int {
	left := max(0, frames-1)
	if c.HopGrowth < 1 {
		return left * c.Hop
	}
	samples, hop := 0, c.Hop
	for doubled := 0; doubled < mostDoublings && left >= c.HopGrowth; doubled++ {
		left, samples, hop = left-c.HopGrowth, samples+c.HopGrowth*hop, 2*hop
	}
	return samples + left*hop
}

// doublings is how often the hop has doubled at the given multiple of the first hop.
func (c Config) doublings(hops int) int {
	doubled := 0
	for n := c.HopGrowth; n > 0 && doubled < mostDoublings && hops >= n; n *= 2 {
		doubled, hops = doubled+1, hops-n
	}
	return doubled
}
