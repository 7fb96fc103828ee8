package nn

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

func describedGenerator(t *testing.T, p *Params) *Description {
	t.Helper()
	w := Network{
		Name: "generator", Params: p, Build: func(n *Graph, batch int) { testGenerator(n, batch) },
		Inputs:  []Port{{Graph: "z", Name: "latents"}, {Graph: "label", Name: "labels", Labels: true}},
		Outputs: []Port{{Graph: "out", Name: "made"}},
	}
	d, err := w.Describe()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDescribe(t *testing.T) {
	p := trained(t)
	before := p.Export("")
	d := describedGenerator(t, p)
	var got []string
	for _, s := range d.Steps {
		got = append(got, fmt.Sprintf("%s %T %v", s.Layer, s.Op, s.Out.Shape))
	}
	want := []string{
		"label nn.LookupOp [-1 4]",
		"concat(z) nn.ConcatOp [-1 10]",
		"dense nn.DenseOp [-1 32]",
		"dense nn.AffineOp [-1 32]",
		"reshape(dense) nn.ReshapeOp [-1 2 2 8]",
		"up1 nn.ConvOp [-1 4 4 6]",
		"mix nn.ConvOp [-1 4 4 6]",
		"s nn.DenseOp [-1 6]",
		"t nn.DenseOp [-1 6]",
		"film nn.ConvOp [-1 4 4 6]",
		"film nn.AffineOp [-1 4 4 6]",
		"up2 nn.ConvOp [-1 8 8 1]",
	}
	if !slices.Equal(got, want) {
		t.Errorf("steps\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if d.Inputs[0].Name != "latents" || !slices.Equal(d.Outputs[0].Shape, []int{BatchAxis, 8, 8, 1}) {
		t.Errorf("inputs %v, outputs %v", d.Inputs, d.Outputs)
	}
	for i, a := range p.Export("") {
		if !slices.Equal(a.Data, before[i].Data) {
			t.Errorf("describing changed %s", a.Name)
		}
	}
}

// A described normalisation is the map that the running statistics make.
func TestDescribeNormalisation(t *testing.T) {
	p := trained(t)
	for _, s := range describedGenerator(t, p).Steps {
		op, ok := s.Op.(AffineOp)
		if !ok || s.Layer != "film" {
			continue
		}
		if !op.Fixed || !op.FiLM || len(s.In) != 5 {
			t.Fatalf("%+v of %d operands", op, len(s.In))
		}
		of := func(leaf string) []float32 { return p.Lookup("film/" + leaf).Data() }
		for c := range of("gamma") {
			a := float64(of("gamma")[c]) / math.Sqrt(float64(of("variance")[c])+1e-5)
			b := float64(of("beta")[c]) - float64(of("mean")[c])*a
			if math.Abs(float64(s.In[1].Data[c])-a) > 1e-6 || math.Abs(float64(s.In[2].Data[c])-b) > 1e-6 {
				t.Errorf("channel %d: %g x + %g, want %g x + %g", c, s.In[1].Data[c], s.In[2].Data[c], a, b)
			}
		}
		return
	}
	t.Error("no normalisation with FiLM")
}

// A described convolution has the normalisation after it in its weights, and the spectral norm of its weights.
func TestDescribeWeights(t *testing.T) {
	p := NewParams(3)
	w := Network{
		Name: "w", Params: p,
		Build: func(n *Graph, batch int) {
			h := n.Conv("a", n.Input("x", batch, 4, 4, 2), 3, SpectralNorm())
			n.Output("y", n.Conv("b", h, 5, BatchNorm()))
		},
		Inputs: []Port{{Graph: "x", Name: "x"}}, Outputs: []Port{{Graph: "y", Name: "y"}},
	}
	if _, err := w.Describe(); err != nil { // makes the parameters
		t.Fatal(err)
	}
	for c, v := range []float32{0.5, 2, 1, 4, 9} {
		p.Lookup("b/variance").Data()[c] = v
	}
	p.Lookup("b/mean").Data()[1] = 3
	d, err := w.Describe()
	if err != nil || len(d.Steps) != 2 {
		t.Fatalf("%d steps, %v", len(d.Steps), err)
	}
	first, second := d.Steps[0].In[1], d.Steps[1].In[1]
	u, v := p.Lookup("a/u").Data(), p.Lookup("a/v").Data()
	sigma := 0.0
	for i, x := range p.Lookup("a/w").Data() {
		sigma += float64(x) * float64(v[i/3]) * float64(u[i%3])
	}
	for i, x := range p.Lookup("a/w").Data() {
		if want := float64(x) / sigma; math.Abs(float64(first.Data[i])-want) > 1e-6 {
			t.Fatalf("weight %d of a: %g, want %g", i, first.Data[i], want)
		}
	}
	for i, x := range p.Lookup("b/w").Data() {
		want := float64(x) / math.Sqrt(float64(p.Lookup("b/variance").Data()[i%5])+1e-5)
		if math.Abs(float64(second.Data[i])-want) > 1e-6 {
			t.Fatalf("weight %d of b: %g, want %g", i, second.Data[i], want)
		}
	}
	if got, want := float64(d.Steps[1].In[2].Data[1]), -3/math.Sqrt(2+1e-5); math.Abs(got-want) > 1e-6 {
		t.Errorf("bias %g, want %g", got, want)
	}
	// The next description sees what has changed.
	p.Lookup("b/mean").Data()[1] = 0
	if d, err = w.Describe(); err != nil || d.Steps[1].In[2].Data[1] != 0 {
		t.Errorf("bias %g after a change, %v", d.Steps[1].In[2].Data[1], err)
	}
}
