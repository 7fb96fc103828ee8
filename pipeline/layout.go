package pipeline

import (
	"slices"
	"strings"
	"time"
)

// Retry policy. Delays double from the first to the longest; a fifth of each is jitter, so that messages that
// failed together do not come back together.
const (
	firstDelay    = time.Second
	longestDelay  = 5 * time.Minute
	maxDeliveries = 100 // Of one message, whatever its errors: about eight hours of Transient ones.
)

// streamTypes are the message types that a stream keeps and an operator can read.
func streamTypes() []string {
	return []string{TypeAudio, TypeSpectrogram, TypeQuarantine, TypeClip, TypeDLQ}
}

func isStreamType(t string) bool { return slices.Contains(streamTypes(), t) }

// Subject returns <pipeline>.<type>.<slug of label>.
func (s Spec) Subject(messageType, label string) string {
	return s.name() + "." + messageType + "." + Slug(label)
}

// StreamName returns the name of the stream of a message type, <PIPELINE>_<TYPE>.
func (s Spec) StreamName(messageType string) string {
	return strings.ToUpper(s.name()) + "_" + strings.ToUpper(messageType)
}

// ConsumerName returns the name of a stage's durable consumer, <pipeline>-<operator>.
func (s Spec) ConsumerName(stage string) string { return s.name() + "-" + stage }

// ModelBucket is the name of the key-value bucket and of the object store that keep models.
func (s Spec) ModelBucket() string { return strings.ToUpper(s.name()) + "_MODEL" }

// objectBucket is the name of the object store for bodies above the server's max payload.
func (s Spec) objectBucket() string { return strings.ToUpper(s.name()) + "_OBJECT" }

func (s Spec) name() string {
	if s.Name == "" {
		return DefaultName
	}
	return s.Name
}

// duplicateWindow is how long streams remember message ids. It exceeds the longest time between two attempts at
// one message that ends in a dead letter by errors of kind Other, plus the outage the spec wants covered.
func (s Spec) duplicateWindow() time.Duration {
	longest := time.Duration(0)
	for _, o := range s.withDefaults().Operators {
		horizon := time.Duration(o.MaxAttempts) * o.AckWait
		for attempt := 1; attempt < o.MaxAttempts; attempt++ {
			horizon += retryDelay(attempt, 0)
		}
		longest = max(longest, horizon)
	}
	return longest + s.withDefaults().Streams.Outage
}

// retryDelay is the wait before the attempt after the given one. Jitter in [0, 1) adds up to a fifth.
func retryDelay(attempt int, jitter float64) time.Duration {
	d := longestDelay
	if attempt < 10 {
		d = min(longestDelay, firstDelay<<(max(attempt, 1)-1))
	}
	return d + time.Duration(jitter*float64(d)/5)
}
