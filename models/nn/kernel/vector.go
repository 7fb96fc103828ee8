package kernel

import (
	"fmt"
	"math"
)

// The operations of this file work element by element on slices of equal length
// and panic where the lengths differ. A destination may be the same slice as an
// operand, but not overlap it otherwise.

// same panics unless every length equals the first.
func same(op string, n int, others ...int) {
	for _, o := range others {
		if o != n {
			panic(fmt.Errorf("kernel: %s: slices of %d and %d floats, want equal lengths", op, n, o))
		}
	}
}

const vectorGrain = 16384 // elements a chunk; fixed, so that chunks do not depend on the number of threads

// Add sets dst = a + b.
func Add(dst, a, b []float32) {
	same("Add", len(dst), len(a), len(b))
	for i := range dst {
		dst[i] = a[i] + b[i]
	}
}

// Sub sets dst = a - b.
func Sub(dst, a, b []float32) {
	same("Sub", len(dst), len(a), len(b))
	for i := range dst {
		dst[i] = a[i] - b[i]
	}
}

// Mul sets dst = a * b.
func Mul(dst, a, b []float32) {
	same("Mul", len(dst), len(a), len(b))
	for i := range dst {
		dst[i] = a[i] * b[i]
	}
}

// MulAdd sets dst += a * b.
func MulAdd(dst, a, b []float32) {
	same("MulAdd", len(dst), len(a), len(b))
	for i := range dst {
		dst[i] += a[i] * b[i]
	}
}

// Scale sets dst = alpha * x.
func Scale(dst []float32, alpha float32, x []float32) {
	same("Scale", len(dst), len(x))
	for i := range dst {
		dst[i] = alpha * x[i]
	}
}

// Axpy sets y += alpha * x.
func Axpy(alpha float32, x, y []float32) {
	same("Axpy", len(x), len(y))
	for i := range y {
		y[i] += alpha * x[i]
	}
}

// Axpby sets y = alpha*x + beta*y. With alpha = 1-d and beta = d it is one step
// of an exponential moving average.
func Axpby(alpha float32, x []float32, beta float32, y []float32) {
	same("Axpby", len(x), len(y))
	for i := range y {
		y[i] = alpha*x[i] + beta*y[i]
	}
}

// AddScalar sets dst = x + alpha.
func AddScalar(dst, x []float32, alpha float32) {
	same("AddScalar", len(dst), len(x))
	for i := range dst {
		dst[i] = x[i] + alpha
	}
}

// Clamp sets dst = min(max(x, lo), hi).
func Clamp(dst, x []float32, lo, hi float32) {
	same("Clamp", len(dst), len(x))
	for i := range dst {
		dst[i] = min(max(x[i], lo), hi)
	}
}

// Exp sets dst = e^x.
func Exp(dst, x []float32) {
	same("Exp", len(dst), len(x))
	for i := range dst {
		dst[i] = float32(math.Exp(float64(x[i])))
	}
}

// Tanh sets dst = tanh(x).
func Tanh(dst, x []float32) {
	same("Tanh", len(dst), len(x))
	for i := range dst {
		dst[i] = float32(math.Tanh(float64(x[i])))
	}
}

// Sigmoid sets dst = 1/(1+e^-x).
func Sigmoid(dst, x []float32) {
	same("Sigmoid", len(dst), len(x))
	for i := range dst {
		dst[i] = float32(1 / (1 + math.Exp(-float64(x[i]))))
	}
}

// SiLU sets dst = x/(1+e^-x).
func SiLU(dst, x []float32) {
	same("SiLU", len(dst), len(x))
	for i := range dst {
		dst[i] = float32(float64(x[i]) / (1 + math.Exp(-float64(x[i]))))
	}
}

// Softplus sets dst = ln(1+e^x), without overflow.
func Softplus(dst, x []float32) {
	same("Softplus", len(dst), len(x))
	for i := range dst {
		v := float64(x[i])
		dst[i] = float32(max(v, 0) + math.Log1p(math.Exp(-math.Abs(v))))
	}
}

// LeakyReLU sets dst = x for x > 0, else slope*x. Slope 0 is the ReLU.
func LeakyReLU(dst, x []float32, slope float32) {
	same("LeakyReLU", len(dst), len(x))
	for i, v := range x {
		if v < 0 {
			v *= slope
		}
		dst[i] = v
	}
}

// LeakyReLUGrad sets dx = dy where y > 0, else slope*dy. y is the output or,
// just as well, the input of LeakyReLU.
func LeakyReLUGrad(dx, dy, y []float32, slope float32) {
	same("LeakyReLUGrad", len(dx), len(dy), len(y))
	for i, v := range dy {
		if !(y[i] > 0) {
			v *= slope
		}
		dx[i] = v
	}
}

// TanhGrad sets dx = dy * (1-y²), where y is the output of Tanh.
func TanhGrad(dx, dy, y []float32) {
	same("TanhGrad", len(dx), len(dy), len(y))
	for i, v := range y {
		dx[i] = dy[i] * (1 - v*v)
	}
}

// SigmoidGrad sets dx = dy * y*(1-y), where y is the output of Sigmoid.
func SigmoidGrad(dx, dy, y []float32) {
	same("SigmoidGrad", len(dx), len(dy), len(y))
	for i, v := range y {
		dx[i] = dy[i] * v * (1 - v)
	}
}

// SiLUGrad sets dx to dy times the derivative of SiLU at its input x.
func SiLUGrad(dx, dy, x []float32) {
	same("SiLUGrad", len(dx), len(dy), len(x))
	for i, v := range x {
		s := 1 / (1 + math.Exp(-float64(v)))
		dx[i] = dy[i] * float32(s*(1+float64(v)*(1-s)))
	}
}

// Activate sets dst = act(x). For ActNone it copies.
func Activate(act Act, slope float32, dst, x []float32) {
	switch act {
	case ActNone:
		same("Activate", len(dst), len(x))
		copy(dst, x)
	case ActLeakyReLU:
		LeakyReLU(dst, x, slope)
	case ActReLU:
		LeakyReLU(dst, x, 0)
	case ActTanh:
		Tanh(dst, x)
	case ActSigmoid:
		Sigmoid(dst, x)
	case ActSiLU:
		SiLU(dst, x)
	default:
		panic(fmt.Errorf("kernel: Activate: unknown %v", act))
	}
}

// ActGrad sets dx = dy * act'(.), with the derivative taken from the output y
// of the activation. ActSiLU panics: its derivative needs the input, use
// SiLUGrad.
func ActGrad(act Act, slope float32, dx, dy, y []float32) {
	switch act {
	case ActNone:
		same("ActGrad", len(dx), len(dy), len(y))
		copy(dx, dy)
	case ActLeakyReLU:
		LeakyReLUGrad(dx, dy, y, slope)
	case ActReLU:
		LeakyReLUGrad(dx, dy, y, 0)
	case ActTanh:
		TanhGrad(dx, dy, y)
	case ActSigmoid:
		SigmoidGrad(dx, dy, y)
	default:
		panic(fmt.Errorf("kernel: ActGrad: the derivative of %v does not follow from its output", act))
	}
}
