package nn

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"wavemill/models/nn/kernel"

	"gorgonia.org/gorgonia"
)

// TestMistakes checks that what cannot be built is an error that names the layer and the shapes.
func TestMistakes(t *testing.T) {
	image := func(n *Graph) *Tensor { return n.Input("x", 2, 8, 8, 3) }
	flat := func(n *Graph) *Tensor { return n.Input("v", 2, 5) }
	for name, c := range map[string]struct {
		build func(n *Graph)
		want  []string
	}{
		"conv of a vector":       {func(n *Graph) { n.Conv("c1", flat(n), 4) }, []string{"layer c1", "[2 5]"}},
		"kernel above the image": {func(n *Graph) { n.Scope("enc").Conv("c1", image(n), 4, Kernel(16), Pad(0)) }, []string{"layer enc/c1", "16x16", "[2 8 8 3]"}},
		"no channels":            {func(n *Graph) { n.Conv("c1", image(n), 0) }, []string{"layer c1", "0 channels"}},
		"misfit transposed conv": {func(n *Graph) { n.ConvTranspose("up", image(n), 4, Kernel(2), Stride(1), Pad(1)) }, []string{"layer up", "[2 8 8 3]"}},
		"dense of nothing":       {func(n *Graph) { n.Dense("d", flat(n), 0) }, []string{"layer d", "0 units"}},
		"taken name":             {func(n *Graph) { x := flat(n); n.Dense("d", x, 3); n.Dense("d", x, 3) }, []string{"layer d", "taken", "Reuse"}},
		"reuse at other shapes":  {func(n *Graph) { x := flat(n); n.Dense("d", x, 3); n.Reuse().Dense("d", x, 4) }, []string{"layer d", "[5 3]", "[5 4]"}},
		"taken input":            {func(n *Graph) { flat(n); n.Input("v", 3) }, []string{"v", "taken"}},
		"empty input":            {func(n *Graph) { n.Input("v", 2, 0) }, []string{"v", "[2 0]"}},
		"huge input":             {func(n *Graph) { n.Input("v", 1<<20, 1<<20) }, []string{"v", "too large"}},
		"unequal sum":            {func(n *Graph) { n.Add(flat(n), image(n)) }, []string{"add", "[2 5] and [2 8 8 3]"}},
		"unequal product":        {func(n *Graph) { n.Mul(flat(n), image(n)) }, []string{"mul", "[2 5]", "[2 8 8 3]"}},
		"concat":                 {func(n *Graph) { n.Concat(n.Input("a", 2, 3), n.Input("b", 3, 3)) }, []string{"concat", "[2 3] and [3 3]", "axis 0"}},
		"concat of ranks":        {func(n *Graph) { n.Concat(flat(n), image(n)) }, []string{"rank"}},
		"reshape":                {func(n *Graph) { n.Reshape(flat(n), 3, 3) }, []string{"[2 5]", "[3 3]"}},
		"groups":                 {func(n *Graph) { n.GroupNorm("gn", image(n), 2) }, []string{"layer gn", "3 channels", "2 groups"}},
		"film":                   {func(n *Graph) { v := flat(n); n.BatchNorm("bn", image(n), FiLM(v, v)) }, []string{"layer bn", "[2 3]", "[2 5]"}},
		"batch norm of one":      {func(n *Graph) { n.BatchNorm("bn", n.Input("x", 1, 4)) }, []string{"layer bn", "[1 4]"}},
		"embedding of a value":   {func(n *Graph) { n.Embedding("e", n.Scale(n.Input("l", 3), 1), 4, 2) }, []string{"layer e", "input"}},
		"pool":                   {func(n *Graph) { n.AvgPool(image(n), 3) }, []string{"[2 8 8 3]", "3x3"}},
		"shuffle":                {func(n *Graph) { n.PixelShuffle(image(n), 2) }, []string{"3 channels"}},
		"split":                  {func(n *Graph) { n.Split(flat(n), 2) }, []string{"5 channels", "2 parts"}},
		"rows":                   {func(n *Graph) { n.Rows(flat(n), 1, 3) }, []string{"[2 5]", "1 to 3"}},
		"dropout":                {func(n *Graph) { n.Dropout("drop", flat(n), 1) }, []string{"layer drop", "probability 1"}},
		"reparameterise":         {func(n *Graph) { x := flat(n); n.Reparameterise(x, x, n.Input("e", 2, 4)) }, []string{"[2 4]"}},
		"loss shapes":            {func(n *Graph) { n.MSE(flat(n), n.Input("t", 2, 4)) }, []string{"mse", "[2 5] and [2 4]"}},
		"loss of many values":    {func(n *Graph) { n.Loss("l", flat(n)) }, []string{"[2 5]"}},
		"matching":               {func(n *Graph) { n.FeatureMatching([]*Tensor{flat(n)}, nil) }, []string{"feature matching"}},
		"stddev groups":          {func(n *Graph) { n.MinibatchStddev(image(n), 3) }, []string{"[2 8 8 3]", "groups of 3"}},
		"row dot":                {func(n *Graph) { n.RowDot(flat(n), n.Input("w", 2, 4)) }, []string{"[2 5]", "[2 4]"}},
		"mul rows":               {func(n *Graph) { n.MulRows(flat(n), n.Input("w", 3)) }, []string{"[2 5]", "[3]"}},
		"foreign value":          {func(n *Graph) { n.Dense("d", NewGraph(Train, NewParams(1)).Input("x", 2, 3), 3) }, []string{"not a value of this graph"}},
		"nil":                    {func(n *Graph) { n.Add(flat(n), nil) }, []string{"not a value of this graph"}},
		"own condition":          {func(n *Graph) { n.Scope("net").Fail("body", "no %s", "depth") }, []string{"layer net/body: no depth"}},
	} {
		t.Run(name, func(t *testing.T) {
			n := NewGraph(Train, NewParams(1))
			c.build(n)
			// Building on must not panic, nor hide the first mistake.
			h := n.Conv("later", n.Input("later", 1, 4, 4, 1), 2)
			n.Output("out", n.Dense("later still", n.Concat(h, h), 3))
			_, err := n.Compile()
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q does not contain %q", err, w)
				}
			}
		})
	}
}

func TestCompileErrors(t *testing.T) {
	n := NewGraph(Train, NewParams(1))
	n.Dense("d", n.Input("x", 2, 3), 1)
	if _, err := n.Compile(); err == nil || !strings.Contains(err.Error(), "neither a loss nor an output") {
		t.Errorf("graph without results: %v", err)
	}
	n = NewGraph(Eval, NewParams(1))
	if _, err := n.Compile(Minimise(n.Mean(n.Dense("d", n.Input("x", 2, 3), 1)))); err == nil || !strings.Contains(err.Error(), "no trainable parameter") {
		t.Errorf("loss of an evaluation: %v", err)
	}
	n = NewGraph(Train, NewParams(1))
	if _, err := n.Compile(Minimise(n.Dense("d", n.Input("x", 2, 3), 1))); err == nil || !strings.Contains(err.Error(), "one value") {
		t.Errorf("loss of two values: %v", err)
	}
	n = NewGraph(Train, NewParams(1))
	n.Output("y", n.Dense("d", n.Input("x", 2, 3), 1))
	if _, err := n.Compile(); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Compile(); err == nil || !strings.Contains(err.Error(), "before") {
		t.Errorf("compiling twice: %v", err)
	}
}

func TestFeedErrors(t *testing.T) {
	n := NewGraph(Eval, NewParams(1))
	label := n.Input("label", 2)
	n.Output("y", n.Concat(n.Input("x", 2, 3), n.Embedding("e", label, 4, 2), n.Reuse().Embedding("e", label, 4, 2)))
	m, err := n.Compile()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		feed Feed
		want string
	}{
		{Values("z", nil), `no input "z"`},
		{Values("y", make([]float32, 14)), `no input "y"`},
		{Values("x", make([]float32, 5)), "want 6 values [2 3], got 5"},
		{Values("label", make([]float32, 2)), "Labels"},
		{Labels("label", []int{0, 4}), "label 4 of item 1 is not in [0, 4)"},
		{Labels("label", []int{-1, 0}), "label -1"},
		{Labels("label", []int{1}), "want 2 labels"},
	} {
		if err := m.Run(c.feed); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want an error with %q", err, c.want)
		}
	}
	if err := m.Run(Values("x", make([]float32, 6)), Labels("label", []int{3, 0})); err != nil {
		t.Error(err)
	}
	if got := m.Output("nothing"); got != nil {
		t.Errorf("an output of no name has values %v", got)
	}
}

// network is a small convolutional network that uses one value twice, so that gradients add up.
func testNetwork(n *Graph) *Tensor {
	x := n.Input("x", 4, 8, 8, 2)
	h := n.Conv("c1", x, 4, Kernel(4), Stride(2), BatchNorm(), LeakyReLU(0.2))
	h = n.Add(h, n.Conv("c2", h, 4, Tanh()))
	h = n.Dropout("drop", n.ConvTranspose("c3", h, 2, Kernel(4), Stride(2), SiLU()), 0.2)
	return n.Loss("loss", n.MSE(h, x))
}

func testMachine(t testing.TB, seed uint64, options ...CompileOption) (*Machine, *Params) {
	t.Helper()
	p := NewParams(seed)
	n := NewGraph(Train, p)
	m, err := n.Compile(append(options, Minimise(testNetwork(n)))...)
	if err != nil {
		t.Fatal(err)
	}
	fill(m.Input("x"), 1)
	return m, p
}

// gradients returns a copy of all gradients of m, the loss first.
func gradients(m *Machine) []float32 {
	g := []float32{float32(m.Loss("loss"))}
	for _, x := range m.grads {
		g = append(g, x.data...)
	}
	return g
}

// TestTapeMachine runs a graph, gradients included, on Gorgonia's own machine: the same bytes.
func TestTapeMachine(t *testing.T) {
	m, p := testMachine(t, 1, keepAll())
	state := snapshot(p)
	if err := m.Run(Seed(5)); err != nil {
		t.Fatal(err)
	}
	want := gradients(m)
	restore(p, state)
	for _, g := range m.grads {
		clear(g.data)
	}
	tape := gorgonia.NewTapeMachine(m.net.expr)
	defer tape.Close()
	if err := tape.RunAll(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(gradients(m), want) {
		t.Error("the tape machine's results differ")
	}
}

// TestGorgoniaGradient lets Gorgonia itself differentiate a graph of our operations without any value
// used twice.
func TestGorgoniaGradient(t *testing.T) {
	build := func(n *Graph) *Tensor {
		h := n.Conv("c1", n.Input("x", 2, 6, 6, 1), 3, Kernel(4), Stride(2), LeakyReLU(0.2))
		return n.Loss("loss", n.BCEWithLogits(n.Dense("d", h, 1), n.Input("one", 1)))
	}
	p := NewParams(1)
	n := NewGraph(Train, p)
	m, err := n.Compile(Minimise(build(n)))
	if err != nil {
		t.Fatal(err)
	}
	fill(m.Input("x"), 2)
	if err := m.Run(Scalar("one", 1)); err != nil {
		t.Fatal(err)
	}

	n2 := NewGraph(Train, p)
	loss := build(n2)
	one := n2.leaf("one for the loss", []int{1})
	var wrt gorgonia.Nodes
	for _, u := range n2.uses {
		wrt = append(wrt, u.node)
	}
	grads, err := gorgonia.Backpropagate(gorgonia.Nodes{loss.node}, gorgonia.Nodes{one.node}, wrt)
	if err != nil {
		t.Fatal(err)
	}
	for i, g := range grads {
		n2.Output("gradient "+n2.uses[i].name, n2.byNode[g])
	}
	n2.inputs = append(n2.inputs, one)
	n2.byName["one for the loss"] = one
	m2, err := n2.Compile()
	if err != nil {
		t.Fatal(err)
	}
	fill(m2.Input("x"), 2)
	if err := m2.Run(Scalar("one", 1), Scalar("one for the loss", 1)); err != nil {
		t.Fatal(err)
	}
	for _, u := range n2.uses {
		if !slices.Equal(m.Gradient(u.name), m2.Output("gradient "+u.name)) {
			t.Errorf("Gorgonia's gradient of %s differs", u.name)
		}
	}
}

// TestMemoryPlan compares a machine whose values share memory with one whose values do not.
func TestMemoryPlan(t *testing.T) {
	a, _ := testMachine(t, 1)
	b, _ := testMachine(t, 1, keepAll())
	for range 2 {
		for _, m := range []*Machine{a, b} {
			if err := m.Run(Seed(5)); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(gradients(a), gradients(b)) {
			t.Fatal("sharing memory changes the results")
		}
	}
	if a.Bytes() >= b.Bytes() {
		t.Errorf("shared memory takes %d bytes, separate %d", a.Bytes(), b.Bytes())
	}
}

// TestArena lets two machines take turns in one memory.
func TestArena(t *testing.T) {
	arena := new(Arena)
	a, _ := testMachine(t, 1, In(arena))
	b, _ := testMachine(t, 2, In(arena))
	alone, _ := testMachine(t, 1)
	other, _ := testMachine(t, 2)
	size := arena.Bytes()
	for _, m := range []*Machine{a, b, alone, other} {
		if err := m.Run(Seed(5)); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(gradients(a), gradients(alone)) || !slices.Equal(gradients(b), gradients(other)) {
		t.Error("a machine that shares its memory gets other gradients")
	}
	if arena.Bytes() != size || size != 4*arenaChunk {
		t.Errorf("the arena has %d bytes, want one chunk", arena.Bytes())
	}
}

// TestThreads checks that results do not depend on the number of threads.
func TestThreads(t *testing.T) {
	before := kernel.Threads()
	defer kernel.SetThreads(before)
	m, p := testMachine(t, 1)
	state := snapshot(p)
	var want []float32
	for threads := 1; threads <= 4; threads++ {
		kernel.SetThreads(threads)
		restore(p, state)
		if err := m.Run(Seed(5)); err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = gradients(m)
		}
		if !slices.Equal(gradients(m), want) {
			t.Errorf("%d threads: other results", threads)
		}
	}
}

// TestConcurrentMachines runs four machines at once, two of which share their weights.
func TestConcurrentMachines(t *testing.T) {
	var machines []*Machine
	for seed := range uint64(2) {
		m, _ := testMachine(t, seed)
		machines = append(machines, m)
	}
	shared := NewParams(7)
	for range 2 {
		n := NewGraph(Eval, shared)
		testNetwork(n)
		m, err := n.Compile()
		if err != nil {
			t.Fatal(err)
		}
		fill(m.Input("x"), 1)
		machines = append(machines, m)
	}
	var wg sync.WaitGroup
	for _, m := range machines {
		wg.Go(func() {
			for range 5 {
				if err := m.Run(Seed(3)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	// Graphs are built while others run.
	wg.Go(func() { testMachine(t, 9) })
	wg.Wait()
	if machines[2].Loss("loss") != machines[3].Loss("loss") {
		t.Error("two machines with the same weights differ")
	}
}

// TestStepAllocations: a step of machine and optimiser allocates next to nothing.
func TestStepAllocations(t *testing.T) {
	m, p := testMachine(t, 1)
	opt := NewAdam(p, AdamConfig{ClipNorm: 1, EMA: 0.99, WeightDecay: 0.01})
	x := fill(make([]float32, 4*8*8*2), 1)
	feeds := []Feed{Values("x", x), Seed(1)}
	allocs := testing.AllocsPerRun(20, func() {
		if err := m.Run(feeds...); err != nil {
			t.Fatal(err)
		}
		if err := opt.Step(m); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 100 {
		t.Errorf("a step allocates %g objects", allocs)
	}
}

// TestPanicIsError: a panic inside an operation does not escape Run.
func TestPanicIsError(t *testing.T) {
	m, _ := testMachine(t, 1)
	m.ops[1].x[0] = m.ops[1].x[0][:3]
	if err := m.Run(); err == nil || !strings.Contains(err.Error(), "layer ") {
		t.Errorf("got %v, want an error that names the layer", err)
	}
}

// keepAll gives every value memory of its own, so that intermediate values can be compared.
func keepAll() CompileOption { return func(o *compileOptions) { o.keep = true } }
