package kernel

import "math"

// AdamStep holds the constants of one step of Adam (Kingma and Ba, 2015), or of
// AdamW (Loshchilov and Hutter, 2019) where WeightDecay is not zero.
type AdamStep struct {
	LearningRate float32
	Beta1, Beta2 float32
	Epsilon      float32 // added to the root of the second moment, as PyTorch does; usually 1e-8
	WeightDecay  float32 // decoupled: p -= LearningRate*WeightDecay*p
	Step         int64   // from 1; for the correction of the bias
	GradScale    float32 // multiplies the gradients first, for clipping by norm; 0 is taken as 1
	EMADecay     float32 // of the moving average of the weights
}

// Adam updates the parameters p with the gradients g and the running moments m
// and v, all of one length, in one pass:
//
//	g' = GradScale*g
//	m  = Beta1*m + (1-Beta1)*g'
//	v  = Beta2*v + (1-Beta2)*g'²
//	p -= LearningRate * (WeightDecay*p + m/(1-Beta1^Step) / (sqrt(v/(1-Beta2^Step)) + Epsilon))
//
// and, unless ema is nil, ema = EMADecay*ema + (1-EMADecay)*p with the new p.
func Adam(o AdamStep, p, g, m, v, ema []float32) {
	same("Adam", len(p), len(g), len(m), len(v))
	if ema != nil {
		same("Adam", len(p), len(ema))
	}
	current().adam(o, p, g, m, v, ema)
}

// The places of the constants among the scalars of the operation.
const (
	adamGradScale = iota
	adamBeta1
	adamOne1 // 1 - Beta1
	adamBeta2
	adamOne2
	adamDecay // 1 - LearningRate*WeightDecay
	adamRate  // LearningRate/(1-Beta1^Step)
	adamRoot  // 1/sqrt(1-Beta2^Step)
	adamEpsilon
	adamEMA // 1 - EMADecay
)

func (k class) adam(o AdamStep, p, g, m, v, ema []float32) {
	op := opAdam
	if ema != nil {
		op = opAdamEMA
	}
	k.each(op, o.scalars(), [5][]float32{p, g, m, v, ema})
}

func (o AdamStep) scalars() (s scalars) {
	if o.Step < 1 {
		panic("kernel: Adam: Step counts from 1")
	}
	s[adamGradScale] = o.GradScale
	if o.GradScale == 0 {
		s[adamGradScale] = 1
	}
	t := float64(o.Step)
	s[adamBeta1], s[adamOne1] = o.Beta1, 1-o.Beta1
	s[adamBeta2], s[adamOne2] = o.Beta2, 1-o.Beta2
	s[adamDecay] = float32(1 - float64(o.LearningRate)*float64(o.WeightDecay))
	s[adamRate] = float32(float64(o.LearningRate) / (1 - math.Pow(float64(o.Beta1), t)))
	s[adamRoot] = float32(1 / math.Sqrt(1-math.Pow(float64(o.Beta2), t)))
	s[adamEpsilon] = o.Epsilon
	s[adamEMA] = 1 - o.EMADecay
	return s
}
