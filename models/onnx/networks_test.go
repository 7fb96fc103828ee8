package onnx

import (
	"math/rand/v2"
	"testing"

	"wavemill/models/nn"
)

// A network is a function of z [B, 6] and labels [B] below 5.
type network struct {
	name  string
	build func(n *nn.Graph, z, labels *nn.Tensor) *nn.Tensor
}

// pixels makes an image [B, 4, 6, c] of z.
func pixels(n *nn.Graph, name string, z *nn.Tensor, c int) *nn.Tensor {
	return n.Reshape(n.Dense(name, z, 4*6*c), z.Dim(0), 4, 6, c)
}

// group is the rule for the minibatch deviation: the largest divisor of the batch up to 4.
func group(batch int) int {
	g := 4
	for batch%g != 0 {
		g--
	}
	return g
}

// networks have every operation that a description can hold, in shapes that tell axes apart.
var networks = []network{
	{"dense", func(n *nn.Graph, z, _ *nn.Tensor) *nn.Tensor {
		return n.Dense("b", n.Dense("a", z, 5, nn.SiLU()), 3, nn.NoBias(), nn.Sigmoid())
	}},
	{"dense over an image", func(n *nn.Graph, z, _ *nn.Tensor) *nn.Tensor {
		return n.Dense("out", pixels(n, "p", z, 3), 4, nn.ReLU())
	}},
	{"labels", func(n *nn.Graph, z, labels *nn.Tensor) *nn.Tensor {
		e := n.Embedding("label", labels, 5, 7, nn.SpectralNorm())
		return n.Concat(z, e, n.RowDot(e, n.Dense("same", z, 7, nn.SpectralNorm())))
	}},
	{"stride 2, kernel 4, spectral norm", func(n *nn.Graph, z, _ *nn.Tensor) *nn.Tensor {
		return n.Conv("conv", pixels(n, "p", z, 3), 5, nn.Kernel(4), nn.Stride(2), nn.LeakyReLU(0.2), nn.SpectralNorm())
	}},
	{"kernel 5", func(n *nn.Graph, z, _ *nn.Tensor) *nn.Tensor {
		return n.Conv("conv", pixels(n, "p", z, 3), 2, nn.Kernel(5), nn.Tanh())
	}},
	{"kernel 3 by 1", func(n *nn.Graph, z, _ *nn.Tensor) *nn.Tensor {
		return n.Conv("conv", pixels(n, "p", z, 3), 2, nn.KernelSize(3, 1), nn.Pad(0), nn.NoBias(), nn.SiLU())
	}},
	{"batch norm folded", func(n *nn.Graph, z, _ *nn.Tensor) *nn.Tensor {
		h := n.Conv("a", pixels(n, "p", z, 3), 5, nn.BatchNorm(), nn.ReLU())
		return n.Conv("b", h, 2, nn.BatchNorm(), nn.NoAffine(), nn.Kernel(4), nn.Stride(2))
	}},
	{"transposed", func(n *nn.Graph, z, _ *nn.Tensor) *nn.Tensor {
		h := n.ConvTranspose("a", pixels(n, "p", z, 3), 5, nn.Kernel(4), nn.Stride(2), nn.BatchNorm(), nn.LeakyReLU(0.1))
		return n.ConvTranspose("b", h, 2, nn.Stride(2))
	}},
	{"batch norm on its own", func(n *nn.Graph, z, _ *nn.Tensor) *nn.Tensor {
		h := n.BatchNorm("a", pixels(n, "p", z, 3), nn.NoAffine(), nn.Tanh())
		return n.Dense("out", h, 4, nn.BatchNorm(), nn.ReLU())
	}},
	{"FiLM", func(n *nn.Graph, z, labels *nn.Tensor) *nn.Tensor {
		e := n.Embedding("label", labels, 5, 7)
		parts := n.Split(n.Dense("film", n.Concat(z, e), 2*3), 2)
		h := n.BatchNorm("norm", pixels(n, "p", z, 3), nn.FiLM(parts[0], parts[1]), nn.LeakyReLU(0.2))
		h = n.Modulate("again", h, parts[1], parts[0], nn.SiLU())
		return n.Modulate("flat", n.Dense("out", h, 3), parts[0], parts[1], nn.ReLU())
	}},
	{"group norm", func(n *nn.Graph, z, _ *nn.Tensor) *nn.Tensor {
		parts := n.Split(n.Dense("film", z, 2*6), 2)
		h := n.GroupNorm("a", pixels(n, "p", z, 6), 2, nn.LeakyReLU(0.2))
		h = n.InstanceNorm("b", n.Conv("c", h, 6), nn.NoAffine())
		h = n.GroupNorm("d", n.Conv("e", h, 6), 3, nn.FiLM(parts[0], parts[1]))
		return n.GroupNorm("f", n.Dense("g", h, 8), 4, nn.Tanh())
	}},
	{"shuffle", func(n *nn.Graph, z, _ *nn.Tensor) *nn.Tensor { return n.PixelShuffle(pixels(n, "p", z, 12), 2) }},
	{"unshuffle", func(n *nn.Graph, z, _ *nn.Tensor) *nn.Tensor { return n.PixelUnshuffle(pixels(n, "p", z, 3), 2) }},
	{"resample", func(n *nn.Graph, z, _ *nn.Tensor) *nn.Tensor {
		h := n.Upsample(pixels(n, "p", z, 3), 3)                                         // [B, 12, 18, 3]
		h = n.Concat(n.AvgPool(h, 2), n.Upsample(n.AvgPool(h, 6), 3))                    // [B, 6, 9, 6]
		return n.Concat(n.GlobalMean(h), n.GlobalSum(n.Channels(h, 1, 5)), n.Flatten(h)) // [B, 6 + 4 + 324]
	}},
	{"arithmetic", func(n *nn.Graph, z, _ *nn.Tensor) *nn.Tensor {
		a, b := pixels(n, "a", z, 3), n.Conv("b", pixels(n, "p", z, 2), 3)
		h := n.Sub(n.Mul(a, b), n.Scale(n.Add(a, b, a), 0.3))
		h = n.MulRows(h, n.Dense("k", z, 1))
		return n.Activate(n.Detach(h), nn.SiLU())
	}},
	{"minibatch deviation", func(n *nn.Graph, z, _ *nn.Tensor) *nn.Tensor {
		g := group(z.Dim(0))
		h := n.MinibatchStddev(n.Conv("conv", pixels(n, "p", z, 3), 3), g)
		return n.MinibatchStddev(n.Dense("out", h, 5), g)
	}},
	{"minibatch deviation of one", func(n *nn.Graph, z, _ *nn.Tensor) *nn.Tensor {
		h := n.MinibatchStddev(n.Conv("conv", pixels(n, "p", z, 3), 3), 1)
		return n.MinibatchStddev(n.Dense("out", h, 5), 1)
	}},
}

// asNetwork gives w random weights and statistics.
func (w network) asNetwork(t *testing.T) nn.Network {
	t.Helper()
	p := nn.NewParams(7)
	build := func(n *nn.Graph, batch int) {
		n.Output("out", w.build(n, n.Input("z", batch, 6), n.Input("label", batch)))
	}
	n := nn.NewGraph(nn.Train, p)
	build(n, 8)
	m, err := n.Compile()
	if err != nil {
		t.Fatalf("%s: %v", w.name, err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 3 { // for the running statistics and the singular vectors
		if err := m.Run(nn.Values("z", normal(rng, 8*6)), nn.Labels("label", []int{0, 1, 2, 3, 4, 0, 1, 2})); err != nil {
			t.Fatalf("%s: %v", w.name, err)
		}
	}
	for _, q := range p.All() {
		if q.Trainable() {
			for i := range q.Data() {
				q.Data()[i] += 0.2 * float32(rng.NormFloat64())
			}
		}
	}
	return nn.Network{
		Name: w.name, Doc: "A test.", Params: p, Build: build, Unit: 4,
		Inputs:  []nn.Port{{Graph: "z", Name: "latents"}, {Graph: "label", Name: "labels", Labels: true}},
		Outputs: []nn.Port{{Graph: "out", Name: "made"}},
	}
}

func normal(rng *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}
