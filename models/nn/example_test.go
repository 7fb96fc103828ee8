package nn_test

import (
	"fmt"

	"wavemill/models/nn"
)

// A small classifier learns to tell which half of an image is bright.
func Example() {
	const batch = 8
	p := nn.NewParams(1)
	n := nn.NewGraph(nn.Train, p)
	x := n.Input("x", batch, 8, 8, 1)                                              // [B, 8, 8, 1]
	h := n.Conv("conv", x, 4, nn.Kernel(4), nn.Stride(2), nn.LeakyReLU(0.2))       // [B, 4, 4, 4]
	logit := n.Output("logit", n.Dense("logit", h, 1))                             // [B, 1]
	loss := n.Loss("loss", n.BCEWithLogits(logit, n.Input("bright below", batch))) // [1]
	if _, err := n.Compile(nn.Minimise(loss)); err != nil {
		fmt.Println(err)
	}

	// The targets should have the shape of the logits.
	n = nn.NewGraph(nn.Train, p)
	x = n.Input("x", batch, 8, 8, 1)
	h = n.Conv("conv", x, 4, nn.Kernel(4), nn.Stride(2), nn.LeakyReLU(0.2))
	logit = n.Output("out", n.Dense("logit", h, 1))
	loss = n.Loss("loss", n.BCEWithLogits(logit, n.Input("bright below", batch, 1)))
	m, err := n.Compile(nn.Minimise(loss))
	if err != nil {
		fmt.Println(err)
		return
	}
	data, target := make([]float32, batch*64), make([]float32, batch)
	for i := range batch {
		target[i] = float32(i % 2)
		half := data[i*64+i%2*32:]
		for j := range 32 {
			half[j] = 1
		}
	}
	opt := nn.NewAdam(p, nn.AdamConfig{Schedule: nn.Schedule{Rate: 0.02}})
	for range 50 {
		if err := m.Run(nn.Values("x", data), nn.Values("bright below", target)); err != nil {
			fmt.Println(err)
			return
		}
		if err := opt.Step(m); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println(p.Count(), "parameters, loss below 0.05:", m.Loss("loss") < 0.05)
	// Output:
	// nn: layer binary cross-entropy(logit): want equal shapes, got [8 1] and [8]
	// 133 parameters, loss below 0.05: true
}
