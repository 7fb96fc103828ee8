package nn

import (
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
)

// testGenerator is a small decoder with every kind of layer that differs between training and use.
func testGenerator(n *Graph, batch int) *Tensor {
	z := n.Input("z", batch, 6)
	y := n.Embedding("label", n.Input("label", batch), 5, 4)
	h := n.Dense("dense", n.Concat(z, y), 2*2*8, BatchNorm(), ReLU())
	h = n.Reshape(h, batch, 2, 2, 8)                                                            // [B, 2, 2, 8]
	h = n.ConvTranspose("up1", h, 6, Kernel(4), Stride(2), BatchNorm(), ReLU())                 // [B, 4, 4, 6]
	h = n.Conv("mix", h, 6, BatchNorm(), LeakyReLU(0.2))                                        // [B, 4, 4, 6]
	h = n.Conv("film", h, 6, BatchNorm(), FiLM(n.Dense("s", y, 6), n.Dense("t", y, 6)), ReLU()) // [B, 4, 4, 6]
	h = n.Dropout("drop", h, 0.3)
	return n.Output("out", n.ConvTranspose("up2", h, 1, Kernel(4), Stride(2), Tanh())) // [B, 8, 8, 1]
}

func fill(x []float32, seed int) []float32 {
	for i := range x {
		x[i] = float32(math.Sin(float64(i*i+seed)*0.7 + float64(seed)))
	}
	return x
}

// trained returns parameters whose running statistics and weights are not the initial ones.
func trained(t *testing.T) *Params {
	t.Helper()
	p := NewParams(1)
	n := NewGraph(Train, p)
	loss := n.Loss("loss", n.MSE(testGenerator(n, 4), n.Input("target", 4, 8, 8, 1)))
	m, err := n.Compile(Minimise(loss))
	if err != nil {
		t.Fatal(err)
	}
	opt := NewAdam(p, AdamConfig{Schedule: Schedule{Rate: 1e-2}})
	for i := range 5 {
		if err := m.Run(Values("z", fill(make([]float32, 24), i)), Labels("label", []int{0, 4, 2, 3}), Scalar("target", 0.5), Seed(uint64(i))); err != nil {
			t.Fatal(err)
		}
		if err := opt.Step(m); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// TestFold compares batch norms folded into their convolutions with the same network unfolded.
func TestFold(t *testing.T) {
	p := trained(t)
	run := func(unfolded bool) []float32 {
		n := NewGraph(Eval, p)
		n.unfolded = unfolded
		testGenerator(n, 4)
		folded := 0
		for _, o := range n.ops {
			if _, ok := o.c.(*foldedConv); ok {
				folded++
			}
		}
		if want := map[bool]int{true: 0, false: 2}[unfolded]; folded != want {
			t.Errorf("%d convolutions are folded, want %d", folded, want)
		}
		m, err := n.Compile()
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Run(Values("z", fill(make([]float32, 24), 9)), Labels("label", []int{0, 1, 2, 3})); err != nil {
			t.Fatal(err)
		}
		return slices.Clone(m.Output("out"))
	}
	a, b := run(false), run(true)
	for i := range a {
		if math.Abs(float64(a[i]-b[i])) > 1e-5 {
			t.Fatalf("value %d: folded %g, unfolded %g", i, a[i], b[i])
		}
	}
	// A change of the weights must reach the folded ones.
	m := p.Lookup("up1/gamma")
	for i := range m.data {
		m.data[i] *= 2
	}
	m.Touch()
	c := run(false)
	if slices.Equal(a, c) {
		t.Error("the folded weights did not follow a change of gamma")
	}
}

func TestPredictorConcurrent(t *testing.T) {
	p := trained(t)
	q, err := NewPredictor(p, func(n *Graph, batch int) { testGenerator(n, batch) }, 1, 3)
	if err != nil {
		t.Fatal(err)
	}
	const total = 8 // 3 + 3 + 1 + 1
	z := fill(make([]float32, total*6), 3)
	labels := []int{0, 1, 2, 3, 4, 0, 1, 2}
	generate := func() ([]float32, error) {
		out := make([]float32, total*64)
		return out, q.Each(total, func(m *Machine, lo, hi int) error {
			if err := m.Run(Values("z", z[lo*6:hi*6]), Labels("label", labels[lo:hi])); err != nil {
				return err
			}
			copy(out[lo*64:hi*64], m.Output("out"))
			return nil
		})
	}
	want, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	single := make([]float32, 64)
	for i := range total { // one at a time: the same values
		err := q.Run(1, func(m *Machine) error { copy(single, m.Output("out")); return nil },
			Values("z", z[i*6:(i+1)*6]), Labels("label", labels[i:i+1]))
		if err != nil {
			t.Fatal(err)
		}
		for j, v := range single {
			if v != want[i*64+j] {
				t.Fatalf("example %d alone: %g, in a batch %g", i, v, want[i*64+j])
			}
		}
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 3 {
				got, err := generate()
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("concurrent result differs (error %v)", err)
				}
			}
		})
	}
	wg.Wait()
}

func TestPredictorErrors(t *testing.T) {
	p := NewParams(1)
	if _, err := NewPredictor(p, func(n *Graph, batch int) { n.Input("x", batch, 3) }); err == nil || !strings.Contains(err.Error(), "no output") {
		t.Errorf("network without output: %v", err)
	}
	if _, err := NewPredictor(p, func(n *Graph, batch int) { n.Conv("c", n.Input("x", batch, 3), 4) }); err == nil || !strings.Contains(err.Error(), "layer c") {
		t.Errorf("faulty network: %v", err)
	}
	q, err := NewPredictor(p, func(n *Graph, batch int) { n.Output("y", n.Dense("d", n.Input("x", batch, 3), 2)) })
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Run(0, func(*Machine) error { return nil }); err == nil {
		t.Error("batch 0 is accepted")
	}
	if err := q.Run(2, func(*Machine) error { return nil }, Values("x", make([]float32, 3))); err == nil || !strings.Contains(err.Error(), "want 6 values [2 3], got 3") {
		t.Errorf("short input: %v", err)
	}
	boom := errors.New("boom")
	if err := q.Each(3, func(*Machine, int, int) error { return boom }); !errors.Is(err, boom) {
		t.Errorf("Each: %v", err)
	}
}
