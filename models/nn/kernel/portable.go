package kernel

import "math"

// portableEach is the portable form of the element-wise operations.
func portableEach(op vectorOp, s *scalars, of [5][]float32) {
	dst := of[0]
	n := len(dst)
	switch op {
	case opAdam, opAdamEMA:
		portableAdam(s, of, op == opAdamEMA)
	case opAdd, opSub, opMul, opLeakyGrad, opTanhGrad, opSigmoidGrad, opSiLUGrad:
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
	case opLeakyGrad:
		for i, v := range x {
			dst[i] = v * slopeAt(y[i], s[0])
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
			dst[i] = v * slopeAt(v, s[0])
		}
	case opTanh:
		for i, v := range x {
			dst[i] = tanh32(v)
		}
	case opSigmoid:
		for i, v := range x {
			dst[i] = sigmoid(v)
		}
	case opSiLU:
		for i, v := range x {
			dst[i] = v * sigmoid(v)
		}
	}
}

// slopeAt is 1 where z > 0, else slope. It picks bits, because a branch on data
// as good as random costs more than the rest of the loop.
func slopeAt(z, slope float32) float32 {
	b := math.Float32bits(slope)
	if z > 0 {
		b = 0x3f800000
	}
	return math.Float32frombits(b)
}

// expParts returns whole n and exp(r)-1 with x = n ln2 + r. The method and its
// constants are those of the assembly: S. Moshier, Cephes, expf.
func expParts(x float32) (n int, p float32) {
	const log2e, ln2Hi, ln2Lo = 1.44269504088896341, 0.693359375, -2.12194440e-4
	half := math.Float32frombits(0x3f000000 | math.Float32bits(x)&(1<<31))
	n = int(x*log2e + half)
	f := float32(n)
	r := x - f*ln2Hi - f*ln2Lo
	p = 1.9875691500e-4
	p = p*r + 1.3981999507e-3
	p = p*r + 8.3334519073e-3
	p = p*r + 4.1665795894e-2
	p = p*r + 1.6666665459e-1
	p = p*r + 5.0000001201e-1
	return n, p*r*r + r
}

func power32(n int) float32 { return math.Float32frombits(uint32(n+127) << 23) }

func exp32(x float32) float32 {
	x = min(max(x, -104), 89)
	if x != x {
		return x
	}
	n, p := expParts(x)
	h := n >> 1
	return (p + 1) * power32(h) * power32(n-h)
}

// tanh32 is e/(e+2) with e = exp(2x)-1.
func tanh32(x float32) float32 {
	x = min(max(2*x, -20), 20)
	if x != x {
		return x
	}
	n, p := expParts(x)
	s := power32(n)
	e := s*p + (s - 1)
	return e / (e + 2)
}

func sigmoid(v float32) float32 { return 1 / (1 + exp32(-v)) }

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
