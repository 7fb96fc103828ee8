package pipeline

import "time"

// Retry policy. Delays double from the first to the longest; a fifth of each is jitter, so that messages that
// failed together do not come back together.
const (
	firstDelay    = time.Second
	longestDelay  = 5 * time.Minute
	maxDeliveries = 100 // Of one message, whatever its errors: about eight hours of Transient ones.
)

// retryDelay is the wait before the attempt after the given one. Jitter in [0, 1) adds up to a fifth.
func retryDelay(attempt int, jitter float64) time.Duration {
	d := longestDelay
	if attempt < 10 {
		d = min(longestDelay, firstDelay<<(max(attempt, 1)-1))
	}
	return d + time.Duration(jitter*float64(d)/5)
}
