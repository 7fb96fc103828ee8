package nn

import "math"

// CrossEntropy returns the mean over the batch of the cross-entropy of the softmax of the logits [B, K]
// and the target probabilities [B, K], [1]. No gradient flows into the targets.
func (n *Graph) CrossEntropy(logits, targets *Tensor) *Tensor {
	if !n.sameShape("cross-entropy", logits, targets) {
		return &Tensor{}
	}
	if len(logits.shape) != 2 {
		return n.Fail(label("cross-entropy", logits), "want logits and targets [B, K], got %v", logits.shape)
	}
	return n.apply(label("cross-entropy", logits), crossEntropy{logits.shape[1]}, []int{1}, logits, targets)
}

// crossEntropy's inputs: logits, targets.
type crossEntropy struct{ classes int }

func (crossEntropy) kind() string { return "cross-entropy" }

// logSum returns the logarithm of the sum of the exponentials of a row.
func logSum(row []float32) float64 {
	top := float64(row[0])
	for _, v := range row {
		top = max(top, float64(v))
	}
	s := 0.0
	for _, v := range row {
		s += math.Exp(float64(v) - top)
	}
	return top + math.Log(s)
}

func (c crossEntropy) run(o *op) {
	total := 0.0
	for i := 0; i < len(o.x[0]); i += c.classes {
		row := o.x[0][i:][:c.classes]
		l := logSum(row)
		for j, t := range o.x[1][i:][:c.classes] {
			total += float64(t) * (l - float64(row[j]))
		}
	}
	o.y[0] = float32(total * float64(c.classes) / float64(len(o.x[0])))
}

func (c crossEntropy) gradient(n *Graph, o *op, dy *Tensor) []*Tensor {
	if o.in[1].needs {
		n.Fail(o.layer, "cross-entropy has no gradient with respect to its target; Detach it")
	}
	if !o.in[0].needs {
		return []*Tensor{nil, nil}
	}
	return []*Tensor{n.apply(o.layer, crossEntropyGradient(c), o.in[0].shape, dy, o.in[0], o.in[1]), nil}
}

// crossEntropyGradient's inputs: dy, logits, targets, which need not add up to 1.
type crossEntropyGradient crossEntropy

func (crossEntropyGradient) kind() string { return "cross-entropy gradient" }

func (c crossEntropyGradient) run(o *op) {
	k := float64(o.x[0][0]) * float64(c.classes) / float64(len(o.y))
	for i := 0; i < len(o.y); i += c.classes {
		row, target := o.x[1][i:][:c.classes], o.x[2][i:][:c.classes]
		l := logSum(row)
		mass := 0.0
		for _, t := range target {
			mass += float64(t)
		}
		for j, t := range target {
			o.y[i+j] = float32(k * (mass*math.Exp(float64(row[j])-l) - float64(t)))
		}
	}
}
