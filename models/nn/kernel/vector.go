package kernel

import "fmt"

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

// Add sets dst = a + b.
func Add(dst, a, b []float32) {
	same("Add", len(dst), len(a), len(b))
	current().each(opAdd, scalars{}, [5][]float32{dst, a, b})
}

// Sub sets dst = a - b.
func Sub(dst, a, b []float32) {
	same("Sub", len(dst), len(a), len(b))
	current().each(opSub, scalars{}, [5][]float32{dst, a, b})
}

// Mul sets dst = a * b.
func Mul(dst, a, b []float32) {
	same("Mul", len(dst), len(a), len(b))
	current().each(opMul, scalars{}, [5][]float32{dst, a, b})
}

// Scale sets dst = alpha * x.
func Scale(dst []float32, alpha float32, x []float32) {
	same("Scale", len(dst), len(x))
	current().each(opScale, scalars{alpha}, [5][]float32{dst, x})
}

// Axpy sets y += alpha * x.
func Axpy(alpha float32, x, y []float32) {
	same("Axpy", len(x), len(y))
	current().each(opAxpy, scalars{alpha}, [5][]float32{y, x})
}

// Axpby sets y = alpha*x + beta*y. With alpha = 1-d and beta = d it is one step
// of an exponential moving average.
func Axpby(alpha float32, x []float32, beta float32, y []float32) {
	same("Axpby", len(x), len(y))
	current().each(opAxpby, scalars{alpha, beta}, [5][]float32{y, x})
}

// SiLUGrad sets dx to dy times the derivative of SiLU at its input x.
func SiLUGrad(dx, dy, x []float32) {
	same("SiLUGrad", len(dx), len(dy), len(x))
	current().each(opSiLUGrad, scalars{}, [5][]float32{dx, dy, x})
}

// Activate sets dst = act(x). For ActNone it copies.
func Activate(act Act, slope float32, dst, x []float32) {
	same("Activate", len(dst), len(x))
	if act > ActSiLU {
		panic(fmt.Errorf("kernel: Activate: unknown %v", act))
	}
	current().activate(act, slope, dst, x)
}

func (k class) activate(act Act, slope float32, dst, x []float32) {
	of := [5][]float32{dst, x}
	switch act {
	case ActNone:
		copy(dst, x)
	case ActLeakyReLU:
		k.each(opLeaky, scalars{slope}, of)
	case ActReLU:
		k.each(opLeaky, scalars{}, of)
	case ActTanh:
		k.each(opTanh, scalars{}, of)
	case ActSigmoid:
		k.each(opSigmoid, scalars{}, of)
	case ActSiLU:
		k.each(opSiLU, scalars{}, of)
	}
}

// ActGrad sets dx = dy * act'(.), with the derivative taken from the output y
// of the activation. ActSiLU panics: its derivative needs the input, use
// SiLUGrad.
func ActGrad(act Act, slope float32, dx, dy, y []float32) {
	same("ActGrad", len(dx), len(dy), len(y))
	current().actGrad(act, slope, dx, dy, y)
}

func (k class) actGrad(act Act, slope float32, dx, dy, y []float32) {
	of := [5][]float32{dx, dy, y}
	switch act {
	case ActNone:
		copy(dx, dy)
	case ActLeakyReLU:
		k.each(opLeakyGrad, scalars{slope}, of)
	case ActReLU:
		k.each(opLeakyGrad, scalars{}, of)
	case ActTanh:
		k.each(opTanhGrad, scalars{}, of)
	case ActSigmoid:
		k.each(opSigmoidGrad, scalars{}, of)
	default:
		panic(fmt.Errorf("kernel: ActGrad: the derivative of %v does not follow from its output", act))
	}
}
