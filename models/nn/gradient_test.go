package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// checkGradients compares the gradients of loss with finite differences along random directions, for
// every trainable parameter and differentiable input.
func checkGradients(t *testing.T, build func(n *Graph) *Tensor, feeds ...Feed) {
	t.Helper()
	p := NewParams(3)
	n := NewGraph(Train, p)
	loss := n.Loss("the loss", build(n))
	m, err := n.Compile(Minimise(loss))
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(5, 5))
	for _, in := range n.inputs {
		if in.limit == 0 && in.name != "the loss" {
			for i := range in.data() {
				in.data()[i] = float32(rng.NormFloat64())
			}
		}
	}
	for _, q := range p.All() {
		if !q.state {
			for i := range q.data {
				q.data[i] += 0.3 * float32(rng.NormFloat64())
			}
			q.Touch()
		}
	}
	for range 200 { // power iterations, so that the singular vectors are those of the weights
		if err := m.Run(feeds...); err != nil {
			t.Fatal(err)
		}
	}
	state := snapshot(p)
	run := func() float64 {
		t.Helper()
		restore(p, state)
		if err := m.Run(feeds...); err != nil {
			t.Fatal(err)
		}
		return m.Loss("the loss")
	}
	base := run()
	if math.IsNaN(base) || math.IsInf(base, 0) {
		t.Fatalf("loss %g", base)
	}
	type variable struct {
		name string
		data []float32
	}
	var vars []variable
	for _, g := range m.grads {
		vars = append(vars, variable{g.param.name, g.param.data})
	}
	for _, in := range n.inputs {
		if in.needs {
			vars = append(vars, variable{in.name, in.data()})
		}
	}
	if len(vars) == 0 {
		t.Fatal("nothing to check")
	}
	for _, v := range vars {
		run()
		g := append([]float32(nil), m.Gradient(v.name)...)
		if len(g) != len(v.data) {
			t.Fatalf("%s: gradient of %d values for %d", v.name, len(g), len(v.data))
		}
		norm := 0.0
		for _, x := range g {
			norm += float64(x) * float64(x)
		}
		norm = math.Sqrt(norm)
		for trial := range 3 {
			dir := make([]float64, len(g))
			want := 0.0
			length := 0.0
			for i := range dir {
				dir[i] = rng.NormFloat64()
				if trial == 0 && norm > 0 { // along the gradient itself, where the signal is strongest
					dir[i] = float64(g[i])
				}
				length += dir[i] * dir[i]
			}
			length = math.Sqrt(length)
			for i := range dir {
				dir[i] /= length
				want += dir[i] * float64(g[i])
			}
			saved := append([]float32(nil), v.data...)
			at := func(h float64) float64 {
				for i := range dir {
					v.data[i] = saved[i] + float32(h*dir[i])
				}
				l := run()
				copy(v.data, saved)
				return l
			}
			best := math.Inf(1)
			var got float64
			for _, h := range []float64{3e-2, 1e-2, 3e-3} { // truncation against rounding: take the best
				d := (at(h) - at(-h)) / (2 * h)
				if e := math.Abs(d - want); e < best {
					best, got = e, d
				}
			}
			if best > 1e-2*(math.Abs(want)+norm)+1e-4*math.Abs(base)+1e-5 {
				t.Errorf("%s, direction %d: gradient %g, finite difference %g (norm %g, loss %g)", v.name, trial, want, got, norm, base)
			}
		}
	}
}

// snapshot copies the state (not the weights) of p, restore brings it back.
func snapshot(p *Params) map[string][]float32 {
	s := make(map[string][]float32)
	for _, q := range p.All() {
		if q.state {
			s[q.name] = append([]float32(nil), q.data...)
		}
	}
	return s
}

func restore(p *Params, s map[string][]float32) {
	for _, q := range p.All() {
		if q.state {
			copy(q.data, s[q.name])
		}
	}
}

func TestGradients(t *testing.T) {
	if testing.Short() {
		t.Skip("it computes, on tensors that are too small to be divided among goroutines")
	}
	in := func(n *Graph, shape ...int) *Tensor { return n.Differentiable(n.Input("x", shape...)) }
	// A square makes every gradient depend on the output.
	square := func(n *Graph, h *Tensor) *Tensor {
		return n.MSE(h, n.Input("target", h.Shape()...))
	}
	cases := map[string]func(n *Graph) *Tensor{
		"dense":       func(n *Graph) *Tensor { return square(n, n.Dense("d", in(n, 3, 5), 4)) },
		"dense tanh":  func(n *Graph) *Tensor { return square(n, n.Dense("d", in(n, 3, 5), 4, Tanh())) },
		"dense silu":  func(n *Graph) *Tensor { return square(n, n.Dense("d", in(n, 3, 5), 4, SiLU())) },
		"dense image": func(n *Graph) *Tensor { return square(n, n.Dense("d", in(n, 3, 2, 2, 2), 4, Sigmoid(), NoBias())) },
		"reparameterise": func(n *Graph) *Tensor {
			x := in(n, 3, 4)
			return square(n, n.Reparameterise(n.Dense("m", x, 3), n.Dense("v", x, 3), n.Input("eps", 3, 3)))
		},
		"noise":            func(n *Graph) *Tensor { x := in(n, 3, 4); return square(n, n.Add(x, n.NormalNoise("e", 3, 4))) },
		"dropout":          func(n *Graph) *Tensor { return square(n, n.Dropout("drop", in(n, 6, 4), 0.3)) },
		"kl":               func(n *Graph) *Tensor { x := in(n, 4, 3); return n.KL(n.Dense("m", x, 3), n.Dense("v", x, 3), 0) },
		"kl free":          func(n *Graph) *Tensor { x := in(n, 4, 3); return n.KL(n.Dense("m", x, 3), n.Dense("v", x, 3), 0.5) },
		"minibatch stddev": func(n *Graph) *Tensor { return square(n, n.MinibatchStddev(in(n, 6, 2, 2, 3), 3)) },
		"embedding":        func(n *Graph) *Tensor { return square(n, n.Embedding("e", n.Input("label", 4), 5, 3)) },
		"embedding of sets": func(n *Graph) *Tensor {
			return square(n, n.Embedding("e", n.Input("label", 4), 5, 3, InSets(&Sets{Rows: 3, Of: [][]int{{0}, {1}, {0, 1}, {0, 1, 2}, {2}}})))
		},
		"row dot": func(n *Graph) *Tensor {
			x := in(n, 4, 3)
			return square(n, n.RowDot(n.Dense("a", x, 3), n.Dense("b", x, 3)))
		},
		"mul rows": func(n *Graph) *Tensor {
			x := in(n, 4, 3)
			return square(n, n.MulRows(n.Dense("a", x, 5), n.Dense("b", x, 1)))
		},
		"bce":           func(n *Graph) *Tensor { return n.BCEWithLogits(in(n, 4, 1), n.Input("t", 4, 1)) },
		"bce scalar":    func(n *Graph) *Tensor { return n.BCEWithLogits(in(n, 4, 1), n.Input("t", 1)) },
		"hinge":         func(n *Graph) *Tensor { x := in(n, 9, 1); return n.Add(n.HingeReal(x), n.Scale(n.HingeFake(x), 0.3)) },
		"least squares": func(n *Graph) *Tensor { return n.LeastSquares(in(n, 4, 1), n.Input("t", 1)) },
		"wasserstein":   func(n *Graph) *Tensor { x := in(n, 4, 2); return n.Sub(n.Mean(n.Mul(x, x)), n.Mean(x)) },
		"sum":           func(n *Graph) *Tensor { x := in(n, 4, 2); return n.Sum(n.Mul(x, x)) },
		"l1":            func(n *Graph) *Tensor { x := in(n, 4, 3); return n.L1(n.Dense("a", x, 3), n.Dense("b", x, 3)) },
		"mse both":      func(n *Graph) *Tensor { x := in(n, 4, 3); return n.MSE(n.Dense("a", x, 3), n.Dense("b", x, 3)) },
		"gaussian":      func(n *Graph) *Tensor { x := in(n, 4, 3); return n.GaussianNLL(n.Dense("a", x, 3), n.Dense("b", x, 3)) },
		"feature matching": func(n *Graph) *Tensor {
			x := in(n, 4, 3)
			r := n.Input("r", 4, 3)
			return n.FeatureMatching([]*Tensor{n.Dense("a", x, 3), x}, []*Tensor{r, r})
		},
		"loss times weight": func(n *Graph) *Tensor { return n.Mul(n.Mean(in(n, 3)), n.Differentiable(n.Input("beta", 1))) },
		"upsample":          func(n *Graph) *Tensor { return square(n, n.Upsample(in(n, 2, 3, 2, 3), 2)) },
		"pool":              func(n *Graph) *Tensor { return square(n, n.AvgPool(in(n, 2, 4, 2, 3), 2)) },
		"shuffle":           func(n *Graph) *Tensor { return square(n, n.PixelShuffle(in(n, 2, 3, 2, 8), 2)) },
		"unshuffle":         func(n *Graph) *Tensor { return square(n, n.PixelUnshuffle(in(n, 2, 4, 2, 2), 2)) },
		"global mean":       func(n *Graph) *Tensor { return square(n, n.GlobalMean(in(n, 2, 3, 2, 3))) },
		"global sum":        func(n *Graph) *Tensor { return square(n, n.GlobalSum(in(n, 2, 3, 2, 3))) },
		"concat": func(n *Graph) *Tensor {
			x := in(n, 3, 4)
			return square(n, n.Concat(n.Dense("a", x, 2), x, n.Dense("b", x, 3)))
		},
		"stack rows": func(n *Graph) *Tensor {
			x := in(n, 3, 4)
			return square(n, n.Rows(n.Stack(x, n.Dense("a", x, 4)), 2, 5))
		},
		"channels": func(n *Graph) *Tensor {
			s := n.Split(in(n, 3, 2, 6), 3)
			return square(n, n.Add(n.Mul(s[0], s[1]), s[2]))
		},
		"reshape":        func(n *Graph) *Tensor { return square(n, n.Reshape(in(n, 3, 4), 2, 6)) },
		"spectral dense": func(n *Graph) *Tensor { return square(n, n.Dense("d", in(n, 3, 5), 4, SpectralNorm())) },
	}
	for _, act := range []struct {
		name string
		o    Option
	}{{"none", func(*layerSpec) {}}, {"leaky", LeakyReLU(0.2)}, {"relu", ReLU()}, {"tanh", Tanh()}, {"silu", SiLU()}} {
		for k := 1; k <= 4; k++ {
			for stride := 1; stride <= 2; stride++ {
				name := fmt.Sprintf("%dx%d stride %d %s", k, k, stride, act.name)
				cases["conv "+name] = func(n *Graph) *Tensor {
					return square(n, n.Conv("c", in(n, 2, 5, 6, 3), 4, Kernel(k), Stride(stride), act.o))
				}
				if k >= stride && (k+stride)%2 == 0 {
					cases["transposed "+name] = func(n *Graph) *Tensor {
						return square(n, n.ConvTranspose("c", in(n, 2, 3, 4, 3), 4, Kernel(k), Stride(stride), act.o))
					}
				}
			}
		}
		for _, norm := range []struct {
			name string
			o    Option
		}{{"batch", BatchNorm()}, {"group", GroupNorm(2)}, {"layer", GroupNorm(1)}, {"instance", InstanceNorm()}} {
			cases[norm.name+" norm "+act.name] = func(n *Graph) *Tensor {
				return square(n, n.Conv("c", in(n, 4, 3, 3, 2), 6, norm.o, act.o))
			}
			cases[norm.name+" norm film "+act.name] = func(n *Graph) *Tensor {
				c := n.Input("condition", 4, 3)
				return square(n, n.Conv("c", in(n, 4, 3, 3, 2), 6, norm.o, act.o, FiLM(n.Dense("scale", c, 6), n.Dense("shift", c, 6))))
			}
			cases[norm.name+" norm film no affine "+act.name] = func(n *Graph) *Tensor {
				c := n.Input("condition", 4, 3)
				return square(n, n.Dense("c", in(n, 4, 5), 6, norm.o, act.o, NoAffine(), FiLM(n.Dense("scale", c, 6), n.Dense("shift", c, 6))))
			}
		}
		delete(cases, "instance norm film no affine "+act.name) // one pixel: no variance
		cases["modulate "+act.name] = func(n *Graph) *Tensor {
			c := n.Input("condition", 4, 3)
			return square(n, n.Modulate("m", in(n, 4, 3, 3, 6), n.Dense("scale", c, 6), n.Dense("shift", c, 6), act.o))
		}
		cases["frozen batch norm, evaluated "+act.name] = func(n *Graph) *Tensor {
			return square(n, n.InMode(Eval).BatchNorm("m", n.Conv("c", in(n, 4, 3, 3, 6), 2), act.o))
		}
	}
	cases["spectral conv, shared"] = func(n *Graph) *Tensor {
		x := in(n, 2, 4, 4, 3)
		a := n.Conv("c", x, 3, SpectralNorm(), Tanh())
		return square(n, n.Reuse().Conv("c", a, 3, SpectralNorm()))
	}
	for name, build := range cases {
		t.Run(name, func(t *testing.T) { checkGradients(t, build, Seed(11)) })
	}
}
