package nn

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"github.com/maruel/safetensors"
)

// The dumps are made by testdata/dump.py with PyTorch in double precision.

// reference reads a dump.
func reference(t *testing.T, name string) map[string]Array {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	m := make(map[string]Array)
	for _, x := range f.Tensors {
		a := Array{Name: x.Name, Data: make([]float32, len(x.Data)/4)}
		for _, d := range x.Shape {
			a.Shape = append(a.Shape, int(d))
		}
		copy(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(a.Data))), len(x.Data)), x.Data) // The file is little-endian, as are the machines this runs on.
		m[x.Name] = a
	}
	return m
}

// cut returns the arrays whose names begin with prefix, without it.
func cut(m map[string]Array, prefix string) []Array {
	var out []Array
	for name, a := range m {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			a.Name = rest
			out = append(out, a)
		}
	}
	return out
}

// relative returns the largest difference in units of the largest magnitude of want.
func relative(got, want []float32) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	d, m := 0.0, 0.0
	for i, w := range want {
		d = max(d, math.Abs(float64(got[i]-w)))
		m = max(m, math.Abs(float64(w)))
	}
	return d / (m + 1e-12)
}

func testEncoder(n *Graph, x *Tensor, outputs int, o ...Option) *Tensor {
	conv := append([]Option{Kernel(4), Stride(2), LeakyReLU(0.2)}, o...)
	h := n.Conv("conv1", x, 5, conv...) // [B, 8, 8, 5]
	h = n.Conv("conv2", h, 8, conv...)  // [B, 4, 4, 8]
	return n.Dense("dense", h, outputs) // [B, outputs]
}

func testDecoder(n *Graph, z, label *Tensor, film bool) *Tensor {
	e := n.Embedding("label", label, 5, 3)
	h := n.Dense("dense", n.Concat(z, e), 4*4*8, NoBias()) // [B, 128]
	h = n.Reshape(h, z.Dim(0), 4, 4, 8)                    // [B, 4, 4, 8]
	h = n.Reuse().BatchNorm("dense", h, ReLU())            // [B, 4, 4, 8]
	up := []Option{Kernel(4), Stride(2), BatchNorm(), ReLU()}
	if film {
		up = append(up, NoAffine(), FiLM(n.Dense("up1/scale", e, 5), n.Dense("up1/shift", e, 5)))
	}
	h = n.ConvTranspose("up1", h, 5, up...)                           // [B, 8, 8, 5]
	return n.ConvTranspose("up2", h, 1, Kernel(4), Stride(2), Tanh()) // [B, 16, 16, 1]
}

// TestAgainstPyTorch compares the forward pass, the loss, every gradient, the losses of ten steps of the
// optimiser, and the running statistics.
func TestAgainstPyTorch(t *testing.T) {
	const tolerance = 1e-4
	for _, c := range []struct {
		name   string
		build  func(n *Graph) (out, loss *Tensor)
		config AdamConfig
	}{
		{"discriminator", func(n *Graph) (*Tensor, *Tensor) {
			logit := testEncoder(n, n.Input("x", 4, 16, 16, 1), 1, SpectralNorm())
			return logit, n.BCEWithLogits(logit, n.Input("target", 4, 1))
		}, AdamConfig{Schedule: Schedule{Rate: 2e-3}, Beta1: 0.5}},
		{"generator", func(n *Graph) (*Tensor, *Tensor) {
			image := testDecoder(n.Scope("g"), n.Input("z", 4, 6), n.Input("label", 4), false)
			logit := testEncoder(n.Scope("d").Frozen(), image, 1)
			return image, n.BCEWithLogits(logit, n.Input("one", 1))
		}, AdamConfig{Schedule: Schedule{Rate: 2e-3}, Beta1: 0.5}},
		{"vae", func(n *Graph) (*Tensor, *Tensor) {
			x := n.Input("x", 4, 16, 16, 1)
			q := n.Split(testEncoder(n.Scope("enc"), x, 12), 2)
			z := n.Reparameterise(q[0], q[1], n.Input("eps", 4, 6))
			image := testDecoder(n.Scope("dec"), z, n.Input("label", 4), true)
			return image, n.Add(n.Scale(n.MSE(image, x), 128), n.Scale(n.KL(q[0], q[1], 0.05), 0.7))
		}, AdamConfig{Schedule: Schedule{Rate: 2e-3}, WeightDecay: 0.1, ClipNorm: 5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := reference(t, c.name)
			p := NewParams(1)
			n := NewGraph(Train, p)
			out, loss := c.build(n)
			n.Output("output", out)
			n.Loss("loss", loss)
			m, err := n.Compile(Minimise(loss))
			if err != nil {
				t.Fatal(err)
			}
			weights := cut(want, "w/")
			for _, q := range p.All() { // the running statistics begin at 0 and 1, which the dump leaves out
				if _, ok := want["w/"+q.name]; !ok && q.state {
					weights = append(weights, Array{q.name, q.shape, q.data})
				}
			}
			if err := p.Import("", weights); err != nil {
				t.Fatal(err)
			}
			feeds := []Feed{Scalar("one", 1)}
			if c.name != "generator" {
				feeds = nil
			}
			for _, a := range cut(want, "in/") {
				if a.Name == "label" {
					var ids []int
					for _, v := range a.Data {
						ids = append(ids, int(v))
					}
					feeds = append(feeds, Labels("label", ids))
					continue
				}
				feeds = append(feeds, Values(a.Name, a.Data))
			}
			opt := NewAdam(p, c.config)
			for step, l := range want["losses"].Data {
				if err := m.Run(feeds...); err != nil {
					t.Fatal(err)
				}
				if got := m.Loss("loss"); math.Abs(got-float64(l)) > tolerance*math.Abs(float64(l)) {
					t.Fatalf("step %d: loss %g, want %g", step+1, got, l)
				}
				if step == 0 {
					checkFirst(t, m, want, tolerance)
				}
				if err := opt.Step(m); err != nil {
					t.Fatal(err)
				}
			}
			for _, a := range cut(want, "s/") {
				if d := relative(p.Lookup(a.Name).data, a.Data); d > tolerance {
					t.Errorf("running statistics %s differ by %g", a.Name, d)
				}
			}
		})
	}
}

func checkFirst(t *testing.T, m *Machine, want map[string]Array, tolerance float64) {
	t.Helper()
	if d := relative(m.Output("output"), want["output"].Data); d > tolerance {
		t.Errorf("the output differs by %g", d)
	}
	grads := cut(want, "g/")
	if len(grads) != len(m.grads) {
		t.Errorf("%d gradients, want %d", len(m.grads), len(grads))
	}
	worst := ""
	largest := 0.0
	for _, a := range grads {
		d := relative(m.Gradient(a.Name), a.Data)
		if d > tolerance {
			t.Errorf("the gradient of %s differs by %g", a.Name, d)
		}
		if d > largest {
			largest, worst = d, fmt.Sprintf("%s by %.1e", a.Name, d)
		}
	}
	t.Log("of", len(grads), "gradients the one that differs most is that of", worst)
}
