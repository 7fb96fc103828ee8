package fft

import "unsafe"

// A Real is a plan for the discrete Fourier transform of n real samples, singly or many at a time. It owns its scratch:
// it allocates nothing per transform and is not safe for concurrent use.
type Real struct {
	batch *Batch
	few   []float32 // input and output of a batch that is not full
}

// NewReal makes a plan for transforms of n samples; see [NewBatch] for the lengths that are fast.
func NewReal(n int) (*Real, error) {
	b, err := NewBatch(n, nil, nil)
	if err != nil {
		return nil, err
	}
	return newReal(b), nil
}

func newReal(b *Batch) *Real {
	return &Real{batch: b, few: aligned(b.Lanes() * 2 * b.Bins())}
}

// Len is the number of samples of one transform.
func (r *Real) Len() int { return r.batch.Len() }

// Bins is the number of coefficients of one transform, Len()/2 + 1.
func (r *Real) Bins() int { return r.batch.Bins() }

// Forward writes the first Bins() coefficients of the unscaled transform of each signal in x to dst: len(x)/Len()
// signals, one after the other. Many signals at a time are several times as fast as one at a time.
func (r *Real) Forward(dst []complex64, x []float32) {
	b, n, bins := r.batch, r.Len(), r.Bins()
	lanes, count := b.Lanes(), len(x)/n
	out := floats(dst[:count*bins])
	for ; count >= lanes; count -= lanes {
		b.Scatter(out, 2*bins, b.Forward(x, n), 2*bins)
		x, out = x[lanes*n:], out[lanes*2*bins:]
	}
	if count == 0 {
		return
	}
	clear(r.few[copy(r.few, x[:count*n]):])
	b.Scatter(r.few, 2*bins, b.Forward(r.few, n), 2*bins)
	copy(out, r.few[:count*2*bins])
}

// floats sees complex values as pairs of real and imaginary parts.
func floats(s []complex64) []float32 {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&s[0])), 2*len(s))
}
