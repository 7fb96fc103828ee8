package kernel

import "math"

// portableEach is the portable form of the element-wise operations.
func portableEach(op vectorOp, s *scalars, of [5][]float32) {
	dst := of[0]
	n := len(dst)
	switch op {
	case opAdam, opAdamEMA:
		portableAdam(s, of, op == opAdamEMA)
	case opAdd, opSub, opMul, opMulAdd, opLeakyGrad, opTanhGrad, opSigmoidGrad, opSiLUGrad:
		portableBinary(op, s, dst, of[1][:n], of[2][:n])
	default:
		portableUnary(op, s, dst, of[1][:n])
	}
}

func portableBinary(op vectorOp, s *scalars, dst, x, y []float32) {
	switch op {
	case opAdd:
		for i := range dst {
			dst[i] = x[i] + y[i]
		}
	case opSub:
		for i := range dst {
			dst[i] = x[i] - y[i]
		}
	case opMul:
		for i := range dst {
			dst[i] = x[i] * y[i]
		}
	case opMulAdd:
		for i := range dst {
			dst[i] += x[i] * y[i]
		}
	case opLeakyGrad:
		for i, v := range x {
			if !(y[i] > 0) {
				v *= s[0]
			}
			dst[i] = v
		}
	case opTanhGrad:
		for i, v := range y {
			dst[i] = x[i] * (1 - v*v)
		}
	case opSigmoidGrad:
		for i, v := range y {
			dst[i] = x[i] * v * (1 - v)
		}
	case opSiLUGrad:
		for i, v := range y {
			p := sigmoid(v)
			dst[i] = x[i] * (p + p*v*(1-p))
		}
	}
}

func portableUnary(op vectorOp, s *scalars, dst, x []float32) {
	switch op {
	case opScale:
		for i, v := range x {
			dst[i] = s[0] * v
		}
	case opAddScalar:
		for i, v := range x {
			dst[i] = v + s[0]
		}
	case opClamp:
		for i, v := range x {
			dst[i] = min(max(v, s[0]), s[1])
		}
	case opAxpy:
		for i, v := range x {
			dst[i] += s[0] * v
		}
	case opAxpby:
		for i, v := range x {
			dst[i] = s[0]*v + s[1]*dst[i]
		}
	case opLeaky:
		for i, v := range x {
			if v < 0 {
				v *= s[0]
			}
			dst[i] = v
		}
	default:
		f := portableFunction(op)
		for i, v := range x {
			dst[i] = f(v)
		}
	}
}

func portableFunction(op vectorOp) func(float32) float32 {
	switch op {
	case opTanh:
		return func(v float32) float32 { return float32(math.Tanh(float64(v))) }
	case opSigmoid:
		return sigmoid
	case opSiLU:
		return func(v float32) float32 { return v * sigmoid(v) }
	}
	return func(v float32) float32 { return float32(math.Exp(float64(v))) }
}

func sigmoid(v float32) float32 { return float32(1 / (1 + math.Exp(-float64(v)))) }

func portableAdam(s *scalars, of [5][]float32, average bool) {
	p, g, m, v, ema := of[0], of[1], of[2], of[3], of[4]
	for i := range p {
		gi := g[i] * s[adamGradScale]
		mi := s[adamBeta1]*m[i] + s[adamOne1]*gi
		vi := s[adamBeta2]*v[i] + s[adamOne2]*gi*gi
		m[i], v[i] = mi, vi
		root := float32(math.Sqrt(float64(vi)))*s[adamRoot] + s[adamEpsilon]
		p[i] = p[i]*s[adamDecay] - s[adamRate]*(mi/root)
		if average {
			ema[i] += s[adamEMA] * (p[i] - ema[i])
		}
	}
}

// portableReduce is the portable form of the reductions.
func portableReduce(op vectorOp, x, y []float32) (sum float64) {
	switch op {
	case opSum:
		for _, v := range x {
			sum += float64(v)
		}
	case opSumSquares:
		for _, v := range x {
			sum += float64(v) * float64(v)
		}
	case opDot:
		for i, v := range x {
			sum += float64(v) * float64(y[i])
		}
	case opSumSquaredDiff:
		for i, v := range x {
			d := float64(v - y[i])
			sum += d * d
		}
	case opSumAbsDiff:
		for i, v := range x {
			sum += math.Abs(float64(v - y[i]))
		}
	}
	return sum
}
