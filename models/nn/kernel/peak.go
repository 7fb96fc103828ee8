package kernel

import "time"

// PeakGFLOPS measures what one core can do at most with the class in use: billions of
// float32 operations a second in a loop of nothing but multiply-adds on
// registers, the best of several runs of about a millisecond within d.
func PeakGFLOPS(d time.Duration) float64 { return current().peak(d) }

func (k class) peak(d time.Duration) float64 {
	const rounds = 1 << 17
	best := 0.0
	for end := time.Now().Add(d); best == 0 || time.Now().Before(end); {
		start := time.Now()
		flops := k.peakRounds(rounds) * rounds
		best = max(best, flops/float64(time.Since(start).Nanoseconds()))
	}
	return best
}
