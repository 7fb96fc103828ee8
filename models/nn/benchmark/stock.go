package benchmark

import (
	"fmt"
	"runtime"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// StockDiscriminatorStep is DiscriminatorStep in Gorgonia's own operations and its own Adam, on its
// TapeMachine: what the operations of package nn are there for. Its layout is NCHW, the only one it has.
func StockDiscriminatorStep(s Size, batch int) (w *Work, err error) {
	if err := s.validate(); err != nil {
		return nil, err
	}
	defer func() { // Gorgonia's building functions panic on a mistake
		if r := recover(); r != nil {
			err = fmt.Errorf("reference: stock Gorgonia: %v", r)
		}
	}()
	g := gorgonia.NewGraph()
	x := gorgonia.NewTensor(g, tensor.Float32, 4, gorgonia.WithShape(batch, 1, s.Image, s.Image), gorgonia.WithName("x"))
	var weights gorgonia.Nodes
	h, in := x, 1
	for i, out := 0, s.Channels; i < 4; i, out = i+1, 2*out {
		kernel := gorgonia.NewTensor(g, tensor.Float32, 4, gorgonia.WithShape(out, in, 4, 4),
			gorgonia.WithName(fmt.Sprintf("conv%d", i+1)), gorgonia.WithInit(gorgonia.GlorotN(1)))
		weights = append(weights, kernel)
		h = gorgonia.Must(gorgonia.Conv2d(h, kernel, tensor.Shape{4, 4}, []int{1, 1}, []int{2, 2}, []int{1, 1}))
		h = gorgonia.Must(gorgonia.LeakyRelu(h, 0.2))
		in = out
	}
	h = gorgonia.Must(gorgonia.Reshape(h, tensor.Shape{batch, s.deepest()}))
	dense := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(s.deepest(), 1), gorgonia.WithName("dense"), gorgonia.WithInit(gorgonia.GlorotN(1)))
	weights = append(weights, dense)
	logit := gorgonia.Must(gorgonia.Mul(h, dense))
	// The cross-entropy with target 1 is softplus(-logit).
	loss := gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.Softplus(gorgonia.Must(gorgonia.Neg(logit))))))
	if _, err := gorgonia.Grad(loss, weights...); err != nil {
		return nil, err
	}
	m := gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(weights...))
	if err := gorgonia.Let(x, tensor.New(tensor.WithShape(batch, 1, s.Image, s.Image), tensor.WithBacking(random(batch*s.Image*s.Image)))); err != nil {
		return nil, err
	}
	solver := gorgonia.NewAdamSolver(gorgonia.WithLearnRate(2e-4), gorgonia.WithBeta1(0.5))
	return &Work{Name: "stock-gorgonia-discriminator-step", FLOPs: s.discriminator(batch, 1).step(), Step: func() error {
		defer runtime.KeepAlive(m)
		m.Reset()
		if err := m.RunAll(); err != nil {
			return err
		}
		return solver.Step(gorgonia.NodesToValueGrads(weights))
	}}, nil
}
