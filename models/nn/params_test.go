package nn

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func TestInitialValues(t *testing.T) {
	build := func(reverse bool) *Params {
		p := NewParams(4)
		n := NewGraph(Train, p)
		x := n.Input("x", 2, 8, 8, 16)
		layers := []func(){
			func() { n.Conv("he", x, 64, LeakyReLU(0.2)) },
			func() { n.Conv("glorot", x, 64, Tanh()) },
			func() { n.Dense("orthogonal", x, 32, Weight(Orthogonal(1.5))) },
			func() { n.Dense("wide", n.Dense("narrow", x, 4), 9, Weight(Orthogonal(1))) },
			func() { n.Dense("constant", x, 8, Weight(Constant(0.25)), Bias(Constant(-1))) },
		}
		if reverse {
			slices.Reverse(layers)
		}
		for _, f := range layers {
			f()
		}
		if n.Err() != nil {
			t.Fatal(n.Err())
		}
		return p
	}
	p, q := build(false), build(true)
	for _, a := range p.All() {
		if !slices.Equal(a.data, q.Lookup(a.name).data) {
			t.Errorf("%s depends on the order of construction", a.name)
		}
	}
	sd := func(name string) float64 {
		s := 0.0
		for _, v := range p.Lookup(name).data {
			s += float64(v) * float64(v)
		}
		return math.Sqrt(s / float64(len(p.Lookup(name).data)))
	}
	// 9216 values: the deviation of the estimated deviation is 0.7 %.
	if got, want := sd("he/w"), math.Sqrt(2/(1.04*144)); math.Abs(got/want-1) > 0.03 {
		t.Errorf("He: deviation %g, want %g", got, want)
	}
	if got, want := sd("glorot/w"), math.Sqrt(2.0/(144+576)); math.Abs(got/want-1) > 0.03 {
		t.Errorf("Glorot: deviation %g, want %g", got, want)
	}
	checkOrthogonal(t, p.Lookup("orthogonal/w"), 1.5, true)
	checkOrthogonal(t, p.Lookup("wide/w"), 1, false)
	if c := p.Lookup("constant/b").data; c[0] != -1 || p.Lookup("constant/w").data[3] != 0.25 {
		t.Errorf("constants are %v", c)
	}
}

func checkOrthogonal(t *testing.T, p *Param, gain float64, columns bool) {
	t.Helper()
	rows, cols := p.shape[0], p.shape[1]
	n, length := rows, cols
	at := func(v, i int) float64 { return float64(p.data[v*cols+i]) }
	if columns {
		n, length = cols, rows
		at = func(v, i int) float64 { return float64(p.data[i*cols+v]) }
	}
	for a := range n {
		for b := range n {
			dot, want := 0.0, 0.0
			if a == b {
				want = gain * gain
			}
			for i := range length {
				dot += at(a, i) * at(b, i)
			}
			if math.Abs(dot-want) > 1e-5 {
				t.Fatalf("%s: vectors %d and %d have product %g, want %g", p.name, a, b, dot, want)
			}
		}
	}
}

func TestExportImport(t *testing.T) {
	m, p := testMachine(t, 1)
	opt := NewAdam(p, AdamConfig{EMA: 0.9, EMAWarmup: true})
	step := func(m *Machine, o *Adam) {
		t.Helper()
		if err := m.Run(Seed(2)); err != nil {
			t.Fatal(err)
		}
		if err := o.Step(m); err != nil {
			t.Fatal(err)
		}
	}
	step(m, opt)
	arrays := append(p.Export("model/"), opt.Export("optimizer/")...)
	m2, p2 := testMachine(t, 99)
	opt2 := NewAdam(p2, AdamConfig{EMA: 0.9, EMAWarmup: true})
	if err := p2.Import("model/", arrays); err != nil {
		t.Fatal(err)
	}
	if err := opt2.Import("optimizer/", arrays); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		step(m, opt)
		step(m2, opt2)
	}
	same := func(a, b []Array) {
		t.Helper()
		for i := range a {
			if a[i].Name != b[i].Name || !slices.Equal(a[i].Data, b[i].Data) {
				t.Fatalf("%s differs after a restored run", a[i].Name)
			}
		}
	}
	same(p.Export(""), p2.Export(""))
	same(opt.Export(""), opt2.Export(""))
	if opt2.Steps() != 4 || opt2.Average() == nil {
		t.Errorf("%d steps", opt2.Steps())
	}

	// Faulty arrays are errors and change nothing.
	before := p2.Export("")
	model := p.Export("model/")
	edit := func(f func(a []Array) []Array) []Array { return f(slices.Clone(model)) }
	for what, c := range map[string]struct {
		arrays []Array
		want   string
	}{
		"nothing": {nil, `no tensor begins with "model/"`},
		"missing": {edit(func(a []Array) []Array { return a[1:] }), "model/c1/w [4 4 2 4] is missing"},
		"shape":   {edit(func(a []Array) []Array { a[0].Shape = []int{8, 16}; return a }), "[8 16]"},
		"short":   {edit(func(a []Array) []Array { a[0].Data = a[0].Data[1:]; return a }), "127 values"},
		"twice":   {edit(func(a []Array) []Array { return append(a, a[0]) }), "occurs twice"},
		"axis":    {edit(func(a []Array) []Array { a[0].Shape = []int{0}; return a }), "not positive"},
	} {
		if err := p2.Import("model/", c.arrays); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", what, err, c.want)
		}
	}
	same(before, p2.Export(""))
	optimizer := opt.Export("")
	for i := range optimizer {
		if err := opt2.Import("", slices.Delete(slices.Clone(optimizer), i, i+1)); err == nil {
			t.Errorf("without %s the optimiser is restored", optimizer[i].Name)
		}
	}
	same(before, p2.Export(""))
}

// TestSealed: after loading, a layer that wants what is not there is an error, and so is what no layer wants.
func TestSealed(t *testing.T) {
	_, p := testMachine(t, 1)
	arrays := p.Export("")
	q := NewParams(0)
	if err := q.Import("", append(arrays, Array{"extra/w", []int{1}, []float32{0}})); err != nil {
		t.Fatal(err)
	}
	n := NewGraph(Eval, q.Seal())
	testNetwork(n)
	if n.Err() != nil {
		t.Fatal(n.Err())
	}
	if err := q.Unused(); err == nil || !strings.Contains(err.Error(), "extra/w") {
		t.Errorf("unused: %v", err)
	}
	n.Dense("new", n.Input("v", 1, 2), 3)
	if err := n.Err(); err == nil || !strings.Contains(err.Error(), "new/w [2 3]") {
		t.Errorf("missing parameter: %v", err)
	}
	if err := q.Import("", []Array{{"other/w", []int{1}, []float32{0}}}); err == nil {
		t.Error("a sealed network takes a new tensor")
	}
}

func TestCloneAndCopy(t *testing.T) {
	_, p := testMachine(t, 1)
	c := p.Clone()
	c.All()[0].data[0] = 42
	if p.All()[0].data[0] == 42 {
		t.Error("a clone shares memory")
	}
	if err := p.CopyFrom(c); err != nil || p.All()[0].data[0] != 42 {
		t.Errorf("copy: %v", err)
	}
	if err := p.CopyFrom(NewParams(1)); err == nil {
		t.Error("copying another network succeeds")
	}
	if p.Count() == 0 || p.Seed() != 1 {
		t.Error("no parameters are counted")
	}
}
