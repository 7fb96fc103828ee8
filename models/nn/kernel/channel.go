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
	rowsOf("SumColumns", len(x), c)
	current().sumColumns(dst, x, accumulate)
}

func (k class) sumColumns(dst, x []float32, accumulate bool) {
	o := k.startColumns(opColSum, 1, len(dst), [3][]float32{x}, [4][]float32{}, 0)
	defer o.end()
	o.storeTotals(dst, accumulate)
}

func (o *columns) storeTotals(dst []float32, accumulate bool) {
	for j := range dst {
		sum := o.total(0, j)
		if accumulate {
			sum += float64(dst[j])
		}
		dst[j] = float32(sum)
	}
}

// ActGradSums is ActGrad and SumColumns in one pass: dx = dy * act'(y), and
// db[c] = the sum of column c of dx, C = len(db). dx may be dy.
func ActGradSums(act Act, slope float32, dx, dy, y, db []float32, accumulate bool) {
	same("ActGradSums", len(dx), len(dy), len(y))
	rowsOf("ActGradSums", len(dx), len(db))
	current().actGradSums(act, slope, dx, dy, y, db, accumulate)
}

func (k class) actGradSums(act Act, slope float32, dx, dy, y, db []float32, accumulate bool) {
	switch act {
	case ActLeakyReLU, ActReLU:
		if act == ActReLU {
			slope = 0
		}
		o := k.startColumns(opColLeakyGrad, 1, len(db), [3][]float32{dx, dy, y}, [4][]float32{}, slope)
		defer o.end()
		o.storeTotals(db, accumulate)
	default:
		k.actGrad(act, slope, dx, dy, y)
		k.sumColumns(db, dx, accumulate)
	}
}

// Moments sets mean[c] and variance[c] (biased: divided by the number of rows)
// of every column of x [rows, C], C = len(mean). It is exact to float32 rounding
// whatever the ratio of mean to deviation: the sums are taken about a value of
// the column itself and merged in float64 (Chan, Golub and LeVeque, 1983).
func Moments(mean, variance, x []float32) {
	c := len(mean)
	same("Moments", c, len(variance))
	rowsOf("Moments", len(x), c)
	current().moments(mean, variance, x)
}

func (k class) moments(mean, variance, x []float32) {
	o := k.startColumns(opColMoments, 2, len(mean), [3][]float32{x}, [4][]float32{}, 0)
	defer o.end()
	for c := range mean {
		var count, m, m2 float64
		o.moments(c, func(n int, shift, sum, squares float32) {
			nn, d := float64(n), float64(sum)/float64(n)
			delta := float64(shift) + d - m
			count += nn
			m += delta * nn / count
			m2 += float64(squares) - d*float64(sum) + delta*delta*nn*(count-nn)/count
		})
		mean[c], variance[c] = float32(m), float32(max(m2, 0)/max(count, 1))
	}
}

// ScaleShift sets y[r,c] = act(x[r,c]*scale[c] + shift[c]). With
// scale = gamma/sqrt(var+eps) and shift = beta - mean*scale it is a normalisation
// with its affine part and activation. y may be x. len(scale) is C.
func ScaleShift(y, x, scale, shift []float32, act Act, slope float32) {
	c := len(scale)
	same("ScaleShift", c, len(shift))
	same("ScaleShift", len(y), len(x))
	rowsOf("ScaleShift", len(x), c)
	current().scaleShift(y, x, scale, shift, act, slope)
}

func (k class) scaleShift(y, x, scale, shift []float32, act Act, slope float32) {
	below := float32(1)
	switch act {
	case ActLeakyReLU:
		below = slope
	case ActReLU:
		below = 0
	}
	k.startColumns(opColScaleShift, 0, len(scale), [3][]float32{y, x}, [4][]float32{scale, shift}, below).end()
	if act != ActNone && act != ActLeakyReLU && act != ActReLU {
		k.activate(act, slope, y, y)
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
	rowsOf("NormGradSums", len(x), c)
	below := slopeBelow("NormGradSums", act, slope)
	current().normGradSums(sumG, sumGX, dy, x, mean, invStd, scale, shift, below)
}

func (k class) normGradSums(sumG, sumGX, dy, x, mean, invStd, scale, shift []float32, below float32) {
	o := k.startColumns(opColNormSums, 2, len(sumG), [3][]float32{dy, x}, [4][]float32{scale, shift, mean}, below)
	defer o.end()
	for j := range sumG {
		sumG[j], sumGX[j] = float32(o.total(0, j)), float32(o.total(1, j)*float64(invStd[j]))
	}
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
	if k1 != nil {
		same("NormGrad", c, len(k1))
	}
	if k0 != nil {
		same("NormGrad", c, len(k0))
	}
	rowsOf("NormGrad", len(x), c)
	current().normGrad(dx, dy, x, scale, shift, k1, k0, slopeBelow("NormGrad", act, slope))
}

func (k class) normGrad(dx, dy, x, scale, shift, k1, k0 []float32, below float32) {
	if k1 == nil || k0 == nil {
		zeros := scratch.get(len(scale))
		defer scratch.put(zeros)
		clear(zeros)
		if k1 == nil {
			k1 = zeros
		}
		if k0 == nil {
			k0 = zeros
		}
	}
	k.startColumns(opColNormGrad, 0, len(scale), [3][]float32{dx, dy, x}, [4][]float32{scale, shift, k1, k0}, below).end()
}
