package fft

import (
	"fmt"
	"math"
	"math/bits"
	"unsafe"

	"gonum.org/v1/gonum/dsp/fourier"

	"wavemill/internal/cpu"
)

// MaxLen is the longest transform: beyond it a row's offset would not fit a kernel's table.
const MaxLen = 1 << 22

// A Batch transforms Lanes() signals of n real samples side by side. Its data lies in rows: row i holds one float32 of
// every lane, so element l of row i is at [i*Lanes()+l], and a complex value is two rows, real then imaginary. A
// spectrum is Bins() values.
//
// A Batch owns its scratch and allocates nothing after New: it is not safe for concurrent use.
type Batch struct {
	k        kernels
	n, half  int
	fast     bool      // n has kernels of its own; else plan does the work lane by lane
	z        []float32 // Forward's rows, half+1 values
	work     []float32 // Inverse's rows
	analysis []float32 // window of Forward, n samples; halved where fast
	synth    []float32 // window of Inverse, divided by n
	ones     []float32
	order    []uint32 // byte offset of value j before the first pass
	natural  []uint32 // byte offset of value j in natural order
	first    int      // radix of the first pass
	passes   [][]float32
	twiddles []float32 // of unpack and repack
	factors  [2]float32
	plan     *fourier.FFT
	wide     []float64
	coeff    []complex128
}

// NewBatch plans transforms of n samples, 2 <= n <= MaxLen. The windows, n samples each or nil for ones, are multiplied
// onto the samples before Forward and after Inverse. Powers of two from 32 on run on the vector kernels of this machine,
// other lengths on gonum's float64 transform. It is an error if WAVEMILL_KERNEL names kernels that do not exist or that
// this processor cannot run.
func NewBatch(n int, analysis, synthesis []float64) (*Batch, error) {
	if err := cpu.Check(); err != nil {
		return nil, fmt.Errorf("fft: %w", err)
	}
	return newBatch(current(), n, analysis, synthesis)
}

func newBatch(k kernels, n int, analysis, synthesis []float64) (*Batch, error) {
	if n < 2 || n > MaxLen {
		return nil, fmt.Errorf("fft: a transform has 2 to %d samples, not %d", MaxLen, n)
	}
	for _, w := range [][]float64{analysis, synthesis} {
		if w != nil && len(w) != n {
			return nil, fmt.Errorf("fft: a window of %d samples for transforms of %d", len(w), n)
		}
	}
	b := &Batch{k: k, n: n, half: n / 2, fast: n >= 32 && n&(n-1) == 0}
	b.z = aligned(2 * (b.half + 1) * k.lanes)
	b.work = aligned(2 * b.half * k.lanes)
	b.factors[1] = tiny
	b.synth = scaled(synthesis, n, 1/float64(n))
	b.ones = scaled(nil, 2*(b.half+1), 1)
	b.natural = make([]uint32, b.half+1)
	for j := range b.natural {
		b.natural[j] = b.offset(j)
	}
	if !b.fast {
		b.analysis = scaled(analysis, n, 1)
		b.plan = fourier.NewFFT(n)
		b.wide, b.coeff = make([]float64, n), make([]complex128, n/2+1)
		return b, nil
	}
	b.analysis = scaled(analysis, n, 0.5)
	b.planPasses()
	return b, nil
}

// offset is the byte offset of value j.
func (b *Batch) offset(j int) uint32 { return uint32(4 * 2 * b.k.lanes * j) }

// planPasses makes the tables of the fast transform: one first pass and passes of radix 4, decimated in time.
func (b *Batch) planPasses() {
	logN := bits.TrailingZeros(uint(b.half))
	b.first = b.k.first(logN)
	b.order = make([]uint32, b.half)
	for pos := range b.half {
		b.order[inputAt(pos, b.half, b.first)] = b.offset(pos)
	}
	for span := b.first; span < b.half; span *= 4 {
		tw := make([]float32, 0, 6*span)
		for j := range span {
			for i := 1; i < 4; i++ {
				sin, cos := math.Sincos(-2 * math.Pi * float64(i*j) / float64(4*span))
				tw = append(tw, float32(cos), float32(sin))
			}
		}
		b.passes = append(b.passes, tw)
	}
	for k := 1; k <= b.half/2; k++ {
		sin, cos := math.Sincos(2 * math.Pi * float64(k) / float64(b.n))
		b.twiddles = append(b.twiddles, float32(cos), float32(sin))
	}
}

// inputAt is the input index that a transform of n values by passes of radix 4 after a first of radix first expects at
// a position: part r of the n/4 values from r*n/4 on is the transform of the inputs 4i+r.
func inputAt(pos, n, first int) int {
	index, step := 0, 1
	for n > first {
		n /= 4
		index += pos / n * step
		pos %= n
		step *= 4
	}
	return index + pos*step
}

// scaled is w (nil: ones) of n samples times a factor.
func scaled(w []float64, n int, factor float64) []float32 {
	out := make([]float32, n)
	for i := range out {
		v := 1.0
		if w != nil {
			v = w[i]
		}
		out[i] = float32(v * factor)
	}
	return out
}

// aligned makes n float32 that start at a multiple of 64 bytes, so that no row straddles two cache lines.
func aligned(n int) []float32 {
	const line = 16
	s := make([]float32, n+line)
	skip := -int(uintptr(unsafe.Pointer(&s[0]))/4) & (line - 1)
	return s[skip : skip+n : skip+n]
}

// Len is the samples of one transform, Bins its values, Lanes the transforms done side by side.
func (b *Batch) Len() int { return b.n }

// Bins is the number of values of a spectrum, Len()/2 + 1.
func (b *Batch) Bins() int { return b.half + 1 }

// Lanes is the number of transforms that are done side by side.
func (b *Batch) Lanes() int { return b.k.lanes }

// Rows makes room for n rows, aligned for the kernels.
func (b *Batch) Rows(n int) []float32 { return aligned(n * b.k.lanes) }

// Forward transforms the windowed signals x[l*stride : l*stride+Len()] of all lanes l, without scaling, and returns
// their spectra: rows that belong to b and hold until its next call.
func (b *Batch) Forward(x []float32, stride int) []float32 {
	if !b.fast {
		b.forwardAny(x, stride)
		return b.z
	}
	b.k.load(b.z, x, stride, b.analysis, b.order, b.n)
	b.transform(b.z)
	b.k.unpack(b.z, b.half, b.twiddles)
	return b.z
}

// transform is the complex transform of half values, from the order of planPasses to the natural one.
func (b *Batch) transform(z []float32) { b.join(z, b.half, len(b.passes)) }

// nearCache is the bytes of rows that a transform may have before its quarters are finished one after the other, so
// that all but the last passes find their rows in the first-level cache.
const nearCache = 1 << 15

// join does the first pass and the passes before the given one on values values.
func (b *Batch) join(z []float32, values, passes int) {
	if passes > 0 && values*8*b.k.lanes > nearCache {
		quarter := values / 4
		for i := range 4 {
			b.join(z[i*quarter*2*b.k.lanes:], quarter, passes-1)
		}
		b.k.pass4(z, quarter, 1, b.passes[passes-1])
		return
	}
	b.k.firstPass(z, b.first, values/b.first)
	span := b.first
	for _, tw := range b.passes[:passes] {
		b.k.pass4(z, span, values/(4*span), tw)
		span *= 4
	}
}

// Inverse adds the windowed signals whose spectra are s to dst[l*stride : l*stride+Len()] for all lanes l, one lane
// after the other: strides shorter than Len() overlap and add. It undoes Forward, scale included. As for any transform
// of real samples, the imaginary parts of bin 0 and (n even) bin n/2 count as zero. s may
// be the rows that Forward returned.
func (b *Batch) Inverse(dst []float32, stride int, s []float32) {
	if !b.fast {
		b.inverseAny(dst, stride, s)
		return
	}
	b.k.repack(b.work, s, b.half, b.twiddles, b.order)
	b.transform(b.work)
	b.k.overlap(dst, b.work, stride, b.synth, b.n)
}

// forwardAny is Forward for any length.
func (b *Batch) forwardAny(x []float32, stride int) {
	lanes := b.k.lanes
	for l := range lanes {
		for i, v := range x[l*stride : l*stride+b.n] {
			b.wide[i] = float64(v * b.analysis[i])
		}
		b.plan.Coefficients(b.coeff, b.wide)
		for k, c := range b.coeff {
			b.z[2*k*lanes+l], b.z[(2*k+1)*lanes+l] = float32(real(c)), float32(imag(c))
		}
	}
}

// inverseAny is Inverse for any length.
func (b *Batch) inverseAny(dst []float32, stride int, s []float32) {
	lanes := b.k.lanes
	for l := range lanes {
		for k := range b.coeff {
			b.coeff[k] = complex(float64(s[2*k*lanes+l]), float64(s[(2*k+1)*lanes+l]))
		}
		b.coeff[0] = complex(real(b.coeff[0]), 0)
		if b.n%2 == 0 {
			b.coeff[b.half] = complex(real(b.coeff[b.half]), 0)
		}
		b.plan.Sequence(b.wide, b.coeff)
		out := dst[l*stride : l*stride+b.n]
		for i, v := range b.wide {
			out[i] += float32(v * float64(b.synth[i]))
		}
	}
}

// Power writes the squared absolute value of each of the spectra's values to dst, Bins() rows.
func (b *Batch) Power(dst, s []float32) { b.k.power(dst, s, b.Bins()) }

// Magnitude writes the absolute value of each of the spectra's values to dst, Bins() rows.
func (b *Batch) Magnitude(dst, s []float32) { b.k.magnitude(dst, s, b.Bins()) }

// Project is the step of fast Griffin-Lim on spectra: with t = s - momentum*previous, previous becomes s, and s becomes
// magnitude * t/|t|.
func (b *Batch) Project(s, previous, magnitude []float32, momentum float32) {
	b.factors[0] = momentum
	b.k.project(s, previous, magnitude, b.Bins(), b.factors[:])
}

// Gather transposes n values of each lane l, src[l*stride : l*stride+n], into n rows. n must be even, at least 2.
func (b *Batch) Gather(dst, src []float32, stride, n int) {
	if n >= b.k.lanes && n <= len(b.ones) {
		b.k.load(dst, src, stride, b.ones, b.natural, n)
		return
	}
	for l := range b.k.lanes {
		for i, v := range src[l*stride : l*stride+n] {
			dst[i*b.k.lanes+l] = v
		}
	}
}

// Scatter transposes n rows into lanes: dst[l*stride : l*stride+n] for each lane l.
func (b *Batch) Scatter(dst []float32, stride int, src []float32, n int) {
	b.k.store(dst, src, stride, n)
}
