package kernel

import (
	"math/bits"
	"sync"
)

// scratch lends buffers of floats. Unlike sync.Pool it keeps them through
// garbage collections, so that a training step in its steady state allocates
// none; what it keeps is bounded by what was in use at once.
var scratch pool

type pool struct {
	mu   sync.Mutex
	free [40][][]float32 // by the power of two of their size
}

const scratchMin = 10 // no buffer is smaller than 1<<scratchMin floats

// get returns a buffer of n floats of unspecified content.
func (p *pool) get(n int) []float32 {
	k := max(bits.Len(uint(max(n, 1)-1)), scratchMin)
	p.mu.Lock()
	defer p.mu.Unlock()
	if f := p.free[k]; len(f) > 0 {
		b := f[len(f)-1]
		f[len(f)-1] = nil
		p.free[k] = f[:len(f)-1]
		return b[:n]
	}
	return make([]float32, 1<<k)[:n]
}

// put gives back a buffer that get returned.
func (p *pool) put(b []float32) {
	if cap(b) == 0 {
		return
	}
	k := bits.Len(uint(cap(b) - 1))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free[k] = append(p.free[k], b)
}

// freelist recycles the records of operations, for the same reason.
type freelist[T any] struct {
	mu   sync.Mutex
	free []*T
}

func (f *freelist[T]) get() *T {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := len(f.free); n > 0 {
		t := f.free[n-1]
		f.free = f.free[:n-1]
		return t
	}
	return new(T)
}

// put clears t, so that it keeps nothing alive, and gives it back.
func (f *freelist[T]) put(t *T) {
	var zero T
	*t = zero
	f.keep(t)
}

// keep gives t back as it is.
func (f *freelist[T]) keep(t *T) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.free = append(f.free, t)
}
