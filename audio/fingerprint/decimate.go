package fingerprint

import (
	"github.com/tphakala/simd/f32"

	"wavemill/internal/cpu"
)

// decimate filters x with the symmetric filter h and keeps every second sample. The result covers x and the tails of
// the filter; the filter's delay is constant and stays.
//
// Each sample is the sum of its products in the order of the taps, each product and each sum rounded, so that it has the same bits
// on every machine.
func (w *scratch) decimate(x, h []float32, class cpu.Class) []float32 {
	const tail = tapsHalf / 2 // samples at printRate
	length := (len(x)+1)/2 + 2*tail
	whole := (length + sumsAtOnce - 1) / sumsAtOnce * sumsAtOnce
	y := grown(&w.y, whole)
	// Under tap j of sample i lies sample 2*i+j of x between zeros: with j even a sample of even, else one of odd.
	const before = (tapsHalf + 2*tail) / 2
	n, half := whole+len(h)/2+1, len(x)/2
	even, odd := grown(&w.even, n), grown(&w.odd, n)
	for _, part := range [][]float32{even, odd} {
		clear(part[:before])
		clear(part[before+half:])
	}
	f32.Deinterleave2(even[before:before+half], odd[before:before+half], x[:2*half])
	if len(x)%2 == 1 {
		even[before+half] = x[len(x)-1]
	}
	sumsOf(class)(y, even, odd, h)
	return y[:length]
}

// halves arranges an odd number of taps for filter: those of the first half and of the second by turns, with a zero at the end.
func halves(h []float32) []float32 {
	out := make([]float32, len(h)+1)
	for i, v := range h {
		if n := len(out) / 2; i < n {
			out[2*i] = v
		} else {
			out[2*(i-n)+1] = v
		}
	}
	return out
}

// filter filters x, at printRate, with a filter of tapsHalf+1 taps arranged by halves. The result has the length and the delay that
// decimate gives the same sound at twice the rate. It has the same bits on every machine: the sum of a sample takes taps of the
// first and of the second half by turns.
func (w *scratch) filter(x, h []float32, class cpu.Class) []float32 {
	const tail = tapsHalf / 2
	length := len(x) + 2*tail
	whole := (length + sumsAtOnce - 1) / sumsAtOnce * sumsAtOnce
	y, padded := grown(&w.y, whole), grown(&w.even, whole+len(h)+2*tail)
	clear(padded[:2*tail])
	clear(padded[copy(padded[2*tail:], x)+2*tail:])
	sumsOf(class)(y, padded, padded[len(h)/2:], h)
	return y[:length]
}

// sumsAtOnce is how many samples a kernel sums side by side, in registers.
const sumsAtOnce = 64

// sumsBlock is how many samples sumInOrder sums side by side: 8 KiB of sums and products stay in the fastest cache.
const sumsBlock = 1024

// sumInOrder sets y[i] to the sum over j of h[j] times sample i+j/2 of even, where j is even, or of odd. The sums of a block of
// samples grow side by side, one tap after the other.
func sumInOrder(y, even, odd, h []float32) {
	clear(y)
	var products [sumsBlock]float32
	for first := 0; first < len(y); first += sumsBlock {
		sums := y[first:min(first+sumsBlock, len(y))]
		for j, tap := range h {
			part := even
			if j%2 == 1 {
				part = odd
			}
			at := first + j/2
			f32.Scale(products[:len(sums)], part[at:at+len(sums)], tap)
			f32.Add(sums, sums, products[:len(sums)])
		}
	}
}
