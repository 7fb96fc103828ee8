package fft

import "math"

// goLanes is the lanes of the portable kernels: enough that loops over lanes are worth their set-up.
const goLanes = 8

// row is one float32 of every lane.
type row = [goLanes]float32

// rowAt is row i of z.
func rowAt(z []float32, i int) *row { return (*row)(z[i*goLanes:]) }

// portable is the kernels in Go, for machines without others and as the tests' reference.
var portable = kernels{
	class: "go", lanes: goLanes,
	load: loadGo, store: storeGo, overlap: overlapGo,
	first: firstOf, firstPass: firstPassGo, pass4: pass4Go,
	unpack: unpackGo, repack: repackGo,
	power: powerGo, magnitude: magnitudeGo, weigh: weighGo, project: projectGo, level: levelGo,
}

func loadGo(dst, src []float32, stride int, window []float32, order []uint32, n int) {
	for i := 0; i+1 < n; i += 2 {
		out := dst[order[i/2]/4:]
		re, im := rowAt(out, 0), rowAt(out, 1)
		a, b := window[i], window[i+1]
		for l := range re {
			re[l] = src[l*stride+i] * a
			im[l] = src[l*stride+i+1] * b
		}
	}
}

func storeGo(dst, src []float32, stride, n int) {
	for i := range n {
		for l, v := range rowAt(src, i) {
			dst[l*stride+i] = v
		}
	}
}

func overlapGo(dst, src []float32, stride int, window []float32, n int) {
	for l := range goLanes {
		out := dst[l*stride : l*stride+n]
		for i := range out {
			out[i] += window[i] * src[(i^1)*goLanes+l]
		}
	}
}

func firstPassGo(z []float32, radix, blocks int) {
	for b := range blocks {
		block := z[b*radix*2*goLanes:]
		if radix == 4 {
			butterfly4(block, 1, &[6]float32{1, 0, 1, 0, 1, 0})
			continue
		}
		ar, ai, br, bi := rowAt(block, 0), rowAt(block, 1), rowAt(block, 2), rowAt(block, 3)
		for l := range ar {
			ar[l], br[l] = ar[l]+br[l], ar[l]-br[l]
			ai[l], bi[l] = ai[l]+bi[l], ai[l]-bi[l]
		}
	}
}

func pass4Go(z []float32, span, blocks int, twiddles []float32) {
	for b := range blocks {
		for j := range span {
			butterfly4(z[(b*4*span+j)*2*goLanes:], span, (*[6]float32)(twiddles[6*j:]))
		}
	}
}

// butterfly4 does one butterfly of radix 4 on the values at 0, span, 2*span and 3*span of z.
func butterfly4(z []float32, span int, w *[6]float32) {
	ar, ai := rowAt(z, 0), rowAt(z, 1)
	br, bi := rowAt(z, 2*span), rowAt(z, 2*span+1)
	cr, ci := rowAt(z, 4*span), rowAt(z, 4*span+1)
	dr, di := rowAt(z, 6*span), rowAt(z, 6*span+1)
	for l := range ar {
		r1, i1 := br[l]*w[0]-bi[l]*w[1], bi[l]*w[0]+br[l]*w[1]
		r2, i2 := cr[l]*w[2]-ci[l]*w[3], ci[l]*w[2]+cr[l]*w[3]
		r3, i3 := dr[l]*w[4]-di[l]*w[5], di[l]*w[4]+dr[l]*w[5]
		r02, i02, r0m2, i0m2 := ar[l]+r2, ai[l]+i2, ar[l]-r2, ai[l]-i2
		r13, i13, r1m3, i1m3 := r1+r3, i1+i3, r1-r3, i1-i3
		ar[l], ai[l] = r02+r13, i02+i13
		br[l], bi[l] = r0m2+i1m3, i0m2-r1m3
		cr[l], ci[l] = r02-r13, i02-i13
		dr[l], di[l] = r0m2-i1m3, i0m2+r1m3
	}
}

func unpackGo(z []float32, half int, twiddles []float32) {
	re, im := rowAt(z, 0), rowAt(z, 1)
	nr, ni := rowAt(z, 2*half), rowAt(z, 2*half+1)
	for l := range re {
		re[l], nr[l] = 2*(re[l]+im[l]), 2*(re[l]-im[l])
		im[l], ni[l] = 0, 0
	}
	for k := 1; k <= half/2; k++ {
		c, s := twiddles[2*k-2], twiddles[2*k-1]
		ar, ai := rowAt(z, 2*k), rowAt(z, 2*k+1)
		br, bi := rowAt(z, 2*(half-k)), rowAt(z, 2*(half-k)+1)
		for l := range ar {
			er, ei, dr, di := ar[l]+br[l], ai[l]-bi[l], ar[l]-br[l], ai[l]+bi[l]
			t, u := c*di-s*dr, c*dr+s*di
			ar[l], ai[l] = er+t, ei-u
			br[l], bi[l] = er-t, -(ei + u)
		}
	}
}

func repackGo(dst, src []float32, half int, twiddles []float32, order []uint32) {
	out := func(k int) (re, im *row) {
		o := dst[order[k]/4:]
		return rowAt(o, 1), rowAt(o, 0)
	}
	re, im := out(0)
	first, last := rowAt(src, 0), rowAt(src, 2*half)
	for l := range re {
		re[l], im[l] = first[l]+last[l], first[l]-last[l]
	}
	for k := 1; k <= half/2; k++ {
		c, s := twiddles[2*k-2], twiddles[2*k-1]
		ar, ai := rowAt(src, 2*k), rowAt(src, 2*k+1)
		br, bi := rowAt(src, 2*(half-k)), rowAt(src, 2*(half-k)+1)
		xr, xi := out(k)
		yr, yi := out(half - k)
		for l := range ar {
			er, ei, p, q := ar[l]+br[l], ai[l]-bi[l], ar[l]-br[l], ai[l]+bi[l]
			or, oi := c*p-s*q, c*q+s*p
			xr[l], xi[l] = er-oi, ei+or
			yr[l], yi[l] = er+oi, or-ei
		}
	}
}

func powerGo(dst, src []float32, values int) {
	for k := range values {
		re, im, out := rowAt(src, 2*k), rowAt(src, 2*k+1), rowAt(dst, k)
		for l := range out {
			out[l] = re[l]*re[l] + im[l]*im[l]
		}
	}
}

func magnitudeGo(dst, src []float32, values int) {
	powerGo(dst, src, values)
	for i, v := range dst[:values*goLanes] {
		dst[i] = float32(math.Sqrt(float64(v)))
	}
}

func weighGo(dst, src, weights []float32, bands []uint32) {
	for m := 0; m < len(bands)/2; m++ {
		var sum row
		first, count := int(bands[2*m]/4/goLanes), int(bands[2*m+1])
		for i, w := range weights[:count] {
			in := rowAt(src, first+i)
			for l := range sum {
				sum[l] += w * in[l]
			}
		}
		weights = weights[count:]
		*rowAt(dst, m) = sum
	}
}

func projectGo(s, previous, magnitude []float32, values int, factors []float32) {
	momentum := factors[0]
	for k := range values {
		re, im := rowAt(s, 2*k), rowAt(s, 2*k+1)
		pr, pi := rowAt(previous, 2*k), rowAt(previous, 2*k+1)
		for l, m := range rowAt(magnitude, k) {
			r, i := re[l]-momentum*pr[l], im[l]-momentum*pi[l]
			pr[l], pi[l] = re[l], im[l]
			g := m / (float32(math.Sqrt(float64(r*r+i*i))) + factors[1])
			re[l], im[l] = r*g, i*g
		}
	}
}

func levelGo(dst, src []float32, rows int, table []float32) {
	constant := func(i int) float32 { return table[levelRow*i] }
	var poly [9]float32
	for i := range poly {
		poly[i] = constant(4 + i)
	}
	floor, half, ln2Low, ln2High := constant(0), constant(13), constant(14), constant(15)
	scale, offset, low, high := constant(16), constant(17), constant(18), constant(19)
	for i, v := range src[:rows*goLanes] {
		bits := int32(math.Float32bits(v+floor)) - sqrtHalf
		exp := float32(bits >> 23)
		f := math.Float32frombits(uint32(bits&mantissaBits+sqrtHalf)) - 1
		y := poly[0]
		for _, c := range poly[1:] {
			y = y*f + c
		}
		z := f * f
		y = y*f*z + exp*ln2Low - half*z
		dst[i] = min(max((f+y+exp*ln2High)*scale+offset, low), high)
	}
}
