package convert

import (
	"cmp"
	"context"
	"slices"

	"wavemill/audio/codec"
)

// commonRate is the sample rate that most recordings have. It reads at most 64 of them, spread over
// the list. A run that goes on keeps the earlier one's.
func (p *plan) commonRate(ctx context.Context) int {
	if p.old != nil && p.old.Rate > 0 {
		return p.old.Rate
	}
	const samples = 64
	count := map[int]int{}
	for i := range min(samples, len(p.jobs)) {
		r, err := codec.Open(ctx, p.jobs[i*len(p.jobs)/min(samples, len(p.jobs))].item.Path)
		if err != nil {
			continue // It will be skipped when its turn comes.
		}
		count[r.Info().SampleRate]++
		_ = r.Close() // Only its head was wanted.
	}
	return mostCommonRate(count)
}

// mostCommonRate chooses among rates with their numbers of recordings: the most common one, of two equally common ones the
// lower. A rate just beside a usual one, such as 44,101 Hz, comes from a broken clock or a wrong header: it is chosen only
// where there is no other.
func mostCommonRate(count map[int]int) int {
	const fallback = 16000 // Of no recordings; nothing is converted then.
	best := 0
	for rate, n := range count {
		odd, bestOdd := oddRate(rate), oddRate(best)
		if best == 0 || !odd && bestOdd || odd == bestOdd && (n > count[best] || n == count[best] && rate < best) {
			best = rate
		}
	}
	return cmp.Or(best, fallback)
}

// oddRate reports a rate in Hz that differs by less than half a percent from one that recorders and programs offer.
func oddRate(rate int) bool {
	usual := []int{8000, 11025, 12000, 16000, 22050, 24000, 32000, 37800, 44056, 44100, 47250, 48000, 50000, 64000, 88200, 96000, 176400, 192000}
	return !slices.Contains(usual, rate) && slices.ContainsFunc(usual, func(u int) bool { return 200*max(rate-u, u-rate) < u })
}
