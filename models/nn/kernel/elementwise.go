package kernel

// vectorOp names an operation on vectors. The SIMD classes have an assembly
// routine for each, the portable class a loop in portable.go.
type vectorOp uint8

const (
	opAdd vectorOp = iota
	opSub
	opMul
	opScale
	opAxpy
	opAxpby
	opLeaky
	opTanh
	opSigmoid
	opSiLU
	opLeakyGrad
	opTanhGrad
	opSigmoidGrad
	opSiLUGrad
	opAdam
	opAdamEMA

	opSumSquares
	opDot
	opSumSquaredDiff
	opSumAbsDiff

	opColSum
	opColMoments
	opColScaleShift
	opColLeakyGrad
	opColNormSums
	opColNormGrad
)

// vec is the argument of the assembly routines, which know its layout.
type vec struct {
	streams [8]*float32
	n       int // elements, or rows of a column operation
	s       scalars
	stride  int      // floats between rows
	sums    *float32 // of a column operation
	result  float64  // of a reduction
}

// scalars are the numbers that go with an operation.
type scalars [10]float32

// elementwise is an operation under way on slices of equal length: the
// destination and its operands.
type elementwise struct {
	class class
	op    vectorOp
	s     scalars
	of    [5][]float32 // those beyond the operation's number are nil
}

const (
	vectorGrain = 1 << 14 // elements a worker takes at a time
	vectorAlone = 1 << 15 // elements up to which the caller works alone
)

var elementwises freelist[elementwise]

// each runs op over the slices; those it does not have are nil.
func (k class) each(op vectorOp, s scalars, of [5][]float32) {
	n := len(of[0])
	if n <= vectorAlone {
		e := elementwise{k, op, s, of}
		e.do(0, n)
		return
	}
	e := elementwises.get()
	defer elementwises.put(e)
	*e = elementwise{k, op, s, of}
	parallel(n, vectorGrain, e)
}

func (e *elementwise) do(lo, hi int) {
	if lo == hi {
		return
	}
	if e.class == classGo {
		portableEach(e.op, &e.s, e.cut(lo, hi))
		return
	}
	v := vec{n: hi - lo, s: e.s}
	for i, x := range e.of {
		if x != nil {
			v.streams[i] = &x[lo]
		}
	}
	e.class.vector(e.op, &v)
}

func (e *elementwise) cut(lo, hi int) (of [5][]float32) {
	for i, x := range e.of {
		if x != nil {
			of[i] = x[lo:hi]
		}
	}
	return of
}
