package nn

import (
	"slices"
	"sync"
)

// A buffer is the memory of one or more tensors (views share it).
type buffer struct {
	size        int
	data        []float32
	kept        bool // has memory of its own, for as long as the graph lives
	first, last int  // the first and last operation that touch it
	off         int
}

// An Arena is memory for intermediate values that several machines share. Machines with the same
// arena take turns: a run of one overwrites the intermediate values and outputs of the others (not
// their inputs, losses or parameter gradients), so read what you need before the next runs. They
// must not run concurrently; Run serialises them. The zero value is ready for use.
type Arena struct {
	mu     sync.Mutex
	chunks [][]float32
}

const (
	arenaChunk = 1 << 20 // elements: 4 MiB, large beside most buffers, small beside a training step
	lineFloats = 16      // a cache line
)

// Bytes returns the arena's size.
func (a *Arena) Bytes() int {
	n := 0
	for _, c := range a.chunks {
		n += 4 * len(c)
	}
	return n
}

// reserve returns slices of the given sizes, disjoint from each other but shared with what earlier
// calls returned.
func (a *Arena) reserve(total int) []float32 {
	for _, c := range a.chunks {
		if len(c) >= total {
			return c[:total]
		}
	}
	c := make([]float32, max(total, arenaChunk))
	a.chunks = append(a.chunks, c)
	return c[:total]
}

// plan gives every buffer that is not kept an offset, so that buffers whose lives overlap do not
// overlap in memory, and returns the size of the whole. Longest-lived and largest first would pack a
// little tighter; first-fit in the order of birth keeps neighbours in time near in memory.
func plan(buffers []*buffer) int {
	slices.SortStableFunc(buffers, func(a, b *buffer) int { return a.first - b.first })
	var live []*buffer // by offset
	total := 0
	for _, b := range buffers {
		live = slices.DeleteFunc(live, func(l *buffer) bool { return l.last < b.first })
		need := (b.size + lineFloats - 1) / lineFloats * lineFloats
		best, at, end := -1, 0, 0
		for i := 0; i <= len(live); i++ {
			start := total
			if i < len(live) {
				start = live[i].off
			}
			gap := start - end
			if i == len(live) {
				gap = need // the end of the arena can grow
			}
			if gap >= need && (best < 0 || i < len(live) && gap < best) {
				best, at = gap, end
				if i == len(live) {
					break
				}
			}
			if i < len(live) {
				end = max(end, live[i].off+(live[i].size+lineFloats-1)/lineFloats*lineFloats)
			}
		}
		b.off = at
		total = max(total, at+need)
		i, _ := slices.BinarySearchFunc(live, at, func(l *buffer, off int) int { return l.off - off })
		live = slices.Insert(live, i, b)
	}
	return total
}
