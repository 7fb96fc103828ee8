package kernel

// SumSquares returns the sum of x². Like the other reductions of this file it adds
// blocks of a few thousand values in float32 along the lanes, and the blocks in
// float64.
func SumSquares(x []float32) float64 { return current().reduce(opSumSquares, x, nil) }

// Dot returns the sum of x*y.
func Dot(x, y []float32) float64 {
	same("Dot", len(x), len(y))
	return current().reduce(opDot, x, y)
}

// SumSquaredDiff returns the sum of (x-y)².
func SumSquaredDiff(x, y []float32) float64 {
	same("SumSquaredDiff", len(x), len(y))
	return current().reduce(opSumSquaredDiff, x, y)
}

// SumAbsDiff returns the sum of |x-y|.
func SumAbsDiff(x, y []float32) float64 {
	same("SumAbsDiff", len(x), len(y))
	return current().reduce(opSumAbsDiff, x, y)
}

// reduction is a sum under way.
type reduction struct {
	class class
	op    vectorOp
	x, y  []float32
	parts []float64 // one per block
}

const reduceBlock = 1 << 12 // elements summed in float32: 64 additions to a lane of AVX-512

var reductions freelist[reduction]

func (k class) reduce(op vectorOp, x, y []float32) (sum float64) {
	blocks := (len(x) + reduceBlock - 1) / reduceBlock
	if len(x) <= vectorAlone {
		r := reduction{class: k, op: op, x: x, y: y}
		for i := range blocks {
			sum += r.block(i)
		}
		return sum
	}
	r := reductions.get()
	parts := r.parts
	if cap(parts) < blocks {
		parts = make([]float64, blocks)
	}
	*r = reduction{k, op, x, y, parts[:blocks]}
	parallel(blocks, 8, r)
	for _, p := range r.parts {
		sum += p
	}
	r.x, r.y = nil, nil
	reductions.keep(r)
	return sum
}

func (r *reduction) do(lo, hi int) {
	for i := lo; i < hi; i++ {
		r.parts[i] = r.block(i)
	}
}

func (r *reduction) block(i int) float64 {
	lo, hi := i*reduceBlock, min((i+1)*reduceBlock, len(r.x))
	if r.class == classGo {
		var y []float32
		if r.y != nil {
			y = r.y[lo:hi]
		}
		return portableReduce(r.op, r.x[lo:hi], y)
	}
	v := vec{n: hi - lo}
	v.streams[0] = &r.x[lo]
	if r.y != nil {
		v.streams[1] = &r.y[lo]
	}
	r.class.vector(r.op, &v)
	return v.result
}
