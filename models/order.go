package models

import "math/rand/v2"

// An order is an endless shuffled sequence of the numbers 0 to n-1: pass after pass, each shuffled anew. It is a
// function of the position, so that there is no state to save. Another turn, as after a roll-back, is another order.
type order struct {
	n    int
	seed uint64
	turn uint64
	// clips are what the numbers stand for, n of them; nil: themselves.
	clips []int

	epoch       int64
	permutation []int
}

// next returns the clips of the given step.
func (o *order) next(step int64, size int) []int {
	indices := make([]int, size)
	for i := range indices {
		position := step*int64(size) + int64(i)
		epoch := position / int64(o.n)
		if o.permutation == nil || o.epoch != epoch {
			o.epoch = epoch
			o.permutation = rand.New(rand.NewPCG(o.seed, uint64(epoch)+0x6f72646572+o.turn<<48)).Perm(o.n)
		}
		indices[i] = o.permutation[position%int64(o.n)]
		if o.clips != nil {
			indices[i] = o.clips[indices[i]]
		}
	}
	return indices
}

func sequence(lo, hi int) []int {
	s := make([]int, hi-lo)
	for i := range s {
		s[i] = lo + i
	}
	return s
}

// newOrder returns the order of n clips, each of which occurs as often in a pass as repeats says; nil: once.
func newOrder(n int, repeats []int, seed, turn uint64) order {
	o := order{n: n, seed: seed, turn: turn}
	if repeats == nil {
		return o
	}
	for i, times := range repeats {
		for range times {
			o.clips = append(o.clips, i)
		}
	}
	o.n = len(o.clips)
	return o
}
