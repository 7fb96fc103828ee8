package pipeline

import (
	"testing"
	"time"
)

// A choice finds the faster way, also where single commits are delayed a lot, and leaves it when it becomes the slower one.
func TestChoice(t *testing.T) {
	const messages = 100
	cost := func(c *choice, singly, atomically time.Duration, commits int) (atomic int) {
		for i := range commits {
			took := singly
			if c.atomic(messages) {
				took = atomically
				atomic++
				if i%3 == 0 {
					took *= 20 // Another process has the processor.
				}
				c.observe(true, messages, took)
				continue
			}
			c.observe(false, messages, took)
		}
		return atomic
	}
	var c choice
	if n := cost(&c, 200*time.Millisecond, 20*time.Millisecond, 300); n < 280 {
		t.Errorf("the server syncs every message: %d of 300 commits are atomic", n)
	}
	if n := cost(&c, time.Millisecond, 20*time.Millisecond, 300); n > 100 {
		t.Errorf("the server does not sync any more: %d of 300 commits are atomic", n)
	}
	if n := cost(&choice{syncs: true}, time.Millisecond, 20*time.Millisecond, 10); n != 10 {
		t.Errorf("the server is known to sync: %d of 10 commits are atomic", n)
	}
	if n := cost(&choice{syncs: true, impossible: true}, time.Millisecond, time.Millisecond, 10); n != 0 {
		t.Errorf("the stream takes no atomic batches: %d commits are atomic", n)
	}
	if (&choice{syncs: true}).atomic(leastAtomic - 1) {
		t.Error("a few messages are committed atomically")
	}
}
