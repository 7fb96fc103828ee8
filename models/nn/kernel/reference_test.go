package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"wavemill/internal/cpu"
)

// supported lists the classes this processor can run, the best first.
func supported() []class {
	var have []class
	for _, c := range cpu.Supported() {
		have = append(have, class(c))
	}
	return have
}

// eachClass runs f as a subtest for every class the processor has.
func eachClass(t *testing.T, f func(t *testing.T, k class)) {
	t.Helper()
	for _, k := range supported() {
		t.Run(k.String(), func(t *testing.T) { f(t, k) })
	}
}

func randoms(rng *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}

// naive holds sums in float64, and beside each the sum of absolute values, which
// bounds its rounding error.
type naive struct{ sum, abs []float64 }

func newNaive(n int) naive { return naive{make([]float64, n), make([]float64, n)} }

func (v naive) add(i int, x, y float32) {
	p := float64(x) * float64(y)
	v.sum[i] += p
	v.abs[i] += math.Abs(p)
}

// finish applies an epilogue to columns of the given number; c is what the
// destination held.
func (v naive) finish(c []float32, columns int, ep Epilogue) {
	for i := range v.sum {
		if ep.Accumulate {
			v.sum[i] += float64(c[i])
		}
		if ep.Bias != nil {
			v.sum[i] += float64(ep.Bias[i%columns])
		}
		v.abs[i] += math.Abs(v.sum[i])
		v.sum[i] = activate64(ep.Act, ep.Slope, v.sum[i])
		v.abs[i] += math.Abs(v.sum[i])
	}
}

func activate64(act Act, slope float32, z float64) float64 {
	switch act {
	case ActLeakyReLU:
		if z < 0 {
			z *= float64(slope)
		}
	case ActReLU:
		z = max(z, 0)
	case ActTanh:
		z = math.Tanh(z)
	case ActSigmoid:
		z = 1 / (1 + math.Exp(-z))
	case ActSiLU:
		z /= 1 + math.Exp(-z)
	}
	return z
}

// tolerance is the error allowed relative to the sum of absolute products. The
// worst case of a sum of n rounded products is n*2^-24; 4e-6 is what 64 give.
const tolerance = 4e-6

func (v naive) check(got []float32) error {
	for i, want := range v.sum {
		if e := math.Abs(float64(got[i]) - want); !(e <= tolerance*(v.abs[i]+1e-3)) {
			return fmt.Errorf("element %d is %v, want %v", i, got[i], want)
		}
	}
	return nil
}

func naiveForward(s Conv, x, w []float32) naive {
	v := newNaive(s.OutSize())
	naiveTaps(s, func(xi, wi, yi int) { v.add(yi, x[xi], w[wi]) })
	return v
}

func naiveBackData(s Conv, dy, w []float32) naive {
	v := newNaive(s.InSize())
	naiveTaps(s, func(xi, wi, yi int) { v.add(xi, dy[yi], w[wi]) })
	return v
}

func naiveBackWeights(s Conv, x, dy []float32) naive {
	v := newNaive(s.WeightSize())
	naiveTaps(s, func(xi, wi, yi int) { v.add(wi, x[xi], dy[yi]) })
	return v
}

// naiveTaps calls f for every product of the convolution, by its definition.
func naiveTaps(s Conv, f func(xi, wi, yi int)) {
	oh, ow := s.OutH(), s.OutW()
	for n := range s.N {
		for i := range oh {
			for j := range ow {
				for kh := range s.KH {
					for kw := range s.KW {
						h, w := i*s.Stride+kh-s.Pad, j*s.Stride+kw-s.Pad
						if h < 0 || h >= s.H || w < 0 || w >= s.W {
							continue
						}
						for c := range s.C {
							for o := range s.Co {
								f(((n*s.H+h)*s.W+w)*s.C+c, ((kh*s.KW+kw)*s.C+c)*s.Co+o, ((n*oh+i)*ow+j)*s.Co+o)
							}
						}
					}
				}
			}
		}
	}
}

// level lets the mean of the sums of absolute products bound all errors: the fast
// algorithms add and subtract neighbouring values first, so that an error depends
// on those too.
func (v naive) level() {
	var mean float64
	for _, a := range v.abs {
		mean += a / float64(len(v.abs))
	}
	for i, a := range v.abs {
		v.abs[i] = max(a, mean)
	}
}
