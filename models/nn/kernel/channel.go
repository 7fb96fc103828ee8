package kernel

import "fmt"

// The operations of this file see their operands as [rows, C] matrices, for
// images in NHWC one row per pixel, and treat each column, a channel, on its
// own. C is the length of the per-channel slices; the number of rows follows.

// rowsOf returns the number of rows of a [rows, c] matrix of n floats.
func rowsOf(op string, n, c int) int {
	if c < 1 || n%c != 0 {
		panic(fmt.Errorf("kernel: %s: %d floats are no [rows, %d] matrix", op, n, c))
	}
	return n / c
}

// SumColumns sets dst[c] to the sum of column c of x [rows, C], C = len(dst); it
// is the gradient of a bias. With accumulate it adds to dst.
func SumColumns(dst, x []float32, accumulate bool) {
	c := len(dst)
	rows := rowsOf("SumColumns", len(x), c)
	sums := make([]float64, c)
	for r := range rows {
		for j, v := range x[r*c:][:c] {
			sums[j] += float64(v)
		}
	}
	store(dst, sums, accumulate)
}

func store(dst []float32, sums []float64, accumulate bool) {
	for j, s := range sums {
		if accumulate {
			s += float64(dst[j])
		}
		dst[j] = float32(s)
	}
}

// ActGradSums is ActGrad and SumColumns in one pass: dx = dy * act'(y), and
// db[c] = the sum of column c of dx, C = len(db). dx may be dy.
func ActGradSums(act Act, slope float32, dx, dy, y, db []float32, accumulate bool) {
	ActGrad(act, slope, dx, dy, y)
	SumColumns(db, dx, accumulate)
}

// Moments sets mean[c] and variance[c] (biased: divided by the number of rows)
// of every column of x [rows, C], C = len(mean). It is exact to float32 rounding
// whatever the ratio of mean to deviation: the sums are taken about a value of
// the column itself and merged in float64 (Chan, Golub and LeVeque, 1983).
func Moments(mean, variance, x []float32) {
	c := len(mean)
	same("Moments", c, len(variance))
	rows := rowsOf("Moments", len(x), c)
	for j := range c {
		var s, q float64
		for r := range rows {
			s += float64(x[r*c+j])
		}
		m := s / float64(max(rows, 1))
		for r := range rows {
			d := float64(x[r*c+j]) - m
			q += d * d
		}
		mean[j], variance[j] = float32(m), float32(q/float64(max(rows, 1)))
	}
}

// ScaleShift sets y[r,c] = act(x[r,c]*scale[c] + shift[c]). With
// scale = gamma/sqrt(var+eps) and shift = beta - mean*scale it is a normalisation
// with its affine part and activation. y may be x. len(scale) is C.
func ScaleShift(y, x, scale, shift []float32, act Act, slope float32) {
	c := len(scale)
	same("ScaleShift", c, len(shift))
	same("ScaleShift", len(y), len(x))
	rows := rowsOf("ScaleShift", len(x), c)
	for r := range rows {
		row := y[r*c:][:c]
		for j, v := range x[r*c:][:c] {
			row[j] = v*scale[j] + shift[j]
		}
		Activate(act, slope, row, row)
	}
}

// NormGradSums is the first half of the backward pass of ScaleShift used as a
// normalisation. With z = x*scale + shift, y = act(z) and g = dy * act'(z) it
// sets, per column,
//
//	sumG[c]  = Σ g
//	sumGX[c] = Σ g * (x - mean[c]) * invStd[c]
//
// which are the gradients of beta and of gamma. act must be ActNone,
// ActLeakyReLU or ActReLU, whose derivative is had from z; y is not read.
func NormGradSums(sumG, sumGX, dy, x, mean, invStd, scale, shift []float32, act Act, slope float32) {
	c := len(sumG)
	same("NormGradSums", c, len(sumGX), len(mean), len(invStd), len(scale), len(shift))
	same("NormGradSums", len(dy), len(x))
	rows := rowsOf("NormGradSums", len(x), c)
	below := slopeBelow("NormGradSums", act, slope)
	sg, sx := make([]float64, c), make([]float64, c)
	for r := range rows {
		for j, v := range x[r*c:][:c] {
			g := dy[r*c+j]
			if !(v*scale[j]+shift[j] > 0) {
				g *= below
			}
			sg[j] += float64(g)
			sx[j] += float64(g * (v - mean[j]) * invStd[j])
		}
	}
	store(sumG, sg, false)
	store(sumGX, sx, false)
}

// slopeBelow is the derivative of a piecewise linear activation below zero.
func slopeBelow(op string, act Act, slope float32) float32 {
	switch act {
	case ActNone:
		return 1
	case ActLeakyReLU:
		return slope
	case ActReLU:
		return 0
	}
	panic(fmt.Errorf("kernel: %s: activation %v is not piecewise linear", op, act))
}

// NormGrad is the second half: with z and g as in NormGradSums it sets
//
//	dx = scale[c]*g + k1[c]*x + k0[c]
//
// For batch normalisation in training k1 = -scale*invStd*sumGX/rows and
// k0 = -scale*sumG/rows - k1*mean; in evaluation both are zero (nil is taken as
// zeros). dx may be dy.
func NormGrad(dx, dy, x, scale, shift, k1, k0 []float32, act Act, slope float32) {
	c := len(scale)
	same("NormGrad", c, len(shift))
	same("NormGrad", len(dx), len(dy), len(x))
	if k1 == nil {
		k1 = make([]float32, c)
	}
	if k0 == nil {
		k0 = make([]float32, c)
	}
	same("NormGrad", c, len(k1), len(k0))
	rows := rowsOf("NormGrad", len(x), c)
	below := slopeBelow("NormGrad", act, slope)
	for r := range rows {
		for j, v := range x[r*c:][:c] {
			g := dy[r*c+j]
			if !(v*scale[j]+shift[j] > 0) {
				g *= below
			}
			dx[r*c+j] = scale[j]*g + k1[j]*v + k0[j]
		}
	}
}
