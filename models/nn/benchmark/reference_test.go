package benchmark_test

import (
	"math"
	"os"
	"runtime"
	"strings"
	"testing"

	"wavemill/models/nn"
	"wavemill/models/nn/benchmark"
)

func TestNames(t *testing.T) {
	if testing.Short() {
		t.Skip("builds every network in its full size")
	}
	for _, name := range benchmark.Names() {
		w, err := benchmark.New(name)
		if err != nil {
			t.Fatal(err)
		}
		if w.Name != name {
			t.Errorf("%s calls itself %s", name, w.Name)
		}
		if err := w.Step(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := benchmark.New("generator-b7"); err == nil || !strings.Contains(err.Error(), "discriminator-step") {
		t.Errorf("unknown name: %v", err)
	}
}

// TestShapes counts the parameters against PyTorch's, less the biases before batch norms, which do
// nothing: those have 256+128+64+32 values, one of the dense layer's 4096 per feature.
func TestShapes(t *testing.T) {
	p := nn.NewParams(1)
	n := nn.NewGraph(nn.Train, p)
	s := benchmark.Default()
	logit := s.Discriminator(n, n.Input("x", 2, 64, 64, 1), 1)
	if d := logit.Shape(); len(d) != 2 || d[1] != 1 {
		t.Errorf("logits %v: %v", d, n.Err())
	}
	// Convolutions 16*(1*32+32*64+64*128+128*256)+480, dense 4096+1.
	if got, want := p.Count(), 16*(32+2048+8192+32768)+480+4097; got != want {
		t.Errorf("the discriminator has %d parameters, want %d", got, want)
	}
	p = nn.NewParams(1)
	n = nn.NewGraph(nn.Train, p)
	image := s.Generator(n, n.Input("z", 2, benchmark.Latent), n.Input("label", 2))
	if d := image.Shape(); len(d) != 4 || d[1] != 64 || d[2] != 64 || d[3] != 1 {
		t.Errorf("images %v: %v", d, n.Err())
	}
	// Embedding 160, dense 144*4096+4096, convolutions as above but with one bias, norms 2*480.
	if got, want := p.Count(), 160+145*4096+16*(32+2048+8192+32768)+1+2*480; got != want {
		t.Errorf("the generator has %d parameters, want %d", got, want)
	}
}

// TestStep checks what a step may cost in memory: 50 kB and 1000 objects allocated anew, and for the
// whole GAN at batch 64 400 MB resident.
func TestStep(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the networks in their full size")
	}
	for _, name := range []string{"discriminator-step", "gan-step", "vae-step", "generator-b1", "generator-b64"} {
		w, err := benchmark.New(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Step(); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		const steps = 2
		for range steps {
			if err := w.Step(); err != nil {
				t.Fatal(err)
			}
		}
		runtime.ReadMemStats(&after)
		bytes, objects := (after.TotalAlloc-before.TotalAlloc)/steps, (after.Mallocs-before.Mallocs)/steps
		t.Logf("%s: %d bytes in %d objects a step, values %d MB", name, bytes, objects, w.Bytes>>20)
		if bytes > 50_000 || objects > 1000 {
			t.Errorf("%s: a step allocates %d bytes in %d objects", name, bytes, objects)
		}
		if name == "gan-step" {
			if r := resident(t); r > 400<<20 {
				t.Errorf("the GAN's step takes %d MB resident", r>>20)
			}
		}
	}
}

// resident returns the most memory the process has had, in bytes; 0 where the system does not tell.
func resident(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmHWM:" {
			kb := 0
			for _, c := range f[1] {
				kb = 10*kb + int(c-'0')
			}
			t.Logf("%d MB resident at most", kb>>10)
			return kb << 10
		}
	}
	return 0
}

func TestScaling(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the networks in large sizes")
	}
	seen := make(map[string]bool)
	for _, prepare := range benchmark.Scaling() {
		w, err := prepare()
		if err != nil {
			t.Fatal(err)
		}
		if seen[w.Name] || w.FLOPs <= 0 {
			t.Errorf("%s: there twice, or of %g operations", w.Name, w.FLOPs)
		}
		seen[w.Name] = true
	}
	w, err := benchmark.StockDiscriminatorStep(benchmark.Size{Image: 16, Channels: 2}, 4)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.Step(); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range []benchmark.Size{{Image: 24, Channels: 8}, {Image: 32}} {
		if _, err := benchmark.DiscriminatorStep(s, 4); err == nil {
			t.Errorf("size %+v is accepted", s)
		}
	}
}

// TestFLOPs checks the count of operations against one made by hand: 4x4 kernels on 1->32->64->128->256
// channels at 32, 16, 8 and 4 pixels, three passes but for the first layer's two.
func TestFLOPs(t *testing.T) {
	w, err := benchmark.DiscriminatorStep(benchmark.Default(), 64)
	if err != nil {
		t.Fatal(err)
	}
	mac := func(in, out, side int) float64 { return 64 * 2 * 16 * float64(in*out*side*side) }
	first := mac(1, 32, 32)
	want := 3*(first+mac(32, 64, 16)+mac(64, 128, 8)+mac(128, 256, 4)+64*2*4096) - first
	if math.Abs(w.FLOPs/want-1) > 1e-9 {
		t.Errorf("%g operations, want %g", w.FLOPs, want)
	}
}
