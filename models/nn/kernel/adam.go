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
	k := o.constants()
	for i := range p {
		gi := g[i] * k.gradScale
		mi := o.Beta1*m[i] + k.one1*gi
		vi := o.Beta2*v[i] + k.one2*gi*gi
		m[i], v[i] = mi, vi
		pi := p[i]*k.decay - k.rate*mi/(float32(math.Sqrt(float64(vi)))*k.root+o.Epsilon)
		p[i] = pi
		if ema != nil {
			ema[i] = o.EMADecay*ema[i] + (1-o.EMADecay)*pi
		}
	}
}

// adamConstants are the factors that are the same for every parameter.
type adamConstants struct {
	gradScale, one1, one2 float32
	decay                 float32 // 1 - LearningRate*WeightDecay
	rate                  float32 // LearningRate/(1-Beta1^Step)
	root                  float32 // 1/sqrt(1-Beta2^Step)
}

func (o AdamStep) constants() adamConstants {
	if o.Step < 1 {
		panic("kernel: Adam: Step counts from 1")
	}
	scale := o.GradScale
	if scale == 0 {
		scale = 1
	}
	t := float64(o.Step)
	return adamConstants{
		gradScale: scale,
		one1:      1 - o.Beta1,
		one2:      1 - o.Beta2,
		decay:     float32(1 - float64(o.LearningRate)*float64(o.WeightDecay)),
		rate:      float32(float64(o.LearningRate) / (1 - math.Pow(float64(o.Beta1), t))),
		root:      float32(1 / math.Sqrt(1-math.Pow(float64(o.Beta2), t))),
	}
}
