package onnx

import (
	"bytes"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wavemill/models/nn"
	"wavemill/models/onnx/onnxtest"
)

// batches are the sizes that a file must do right without having been made for any of them.
var batches = []int{1, 3, 8, 17}

// runs returns inputs for every batch size, and what nn makes of them.
func runs(t *testing.T, w nn.Network) (in []map[string]onnxtest.Tensor, want [][]float32) {
	t.Helper()
	rng := rand.New(rand.NewPCG(3, 4))
	for _, batch := range batches {
		z, labels, ids := normal(rng, batch*6), make([]int, batch), make([]int64, batch)
		for i := range labels {
			labels[i] = rng.IntN(5)
			ids[i] = int64(labels[i])
		}
		in = append(in, map[string]onnxtest.Tensor{"latents": {Shape: []int{batch, 6}, Floats: z}, "labels": {Shape: []int{batch}, Ints: ids}})
		p, err := nn.NewPredictor(w.Params, w.Build)
		if err != nil {
			t.Fatal(err)
		}
		err = p.Run(batch, func(m *nn.Machine) error {
			want = append(want, slices.Clone(m.Output("out")))
			return nil
		}, nn.Values("z", z), nn.Labels("label", labels))
		if err != nil {
			t.Fatal(err)
		}
	}
	return in, want
}

// difference returns the largest difference, in units of the values' range where that exceeds 1.
func difference(t *testing.T, got, want []float32) float64 {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d values, want %d", len(got), len(want))
	}
	most, scale := 0.0, 1.0
	for i, v := range want {
		most = max(most, math.Abs(float64(got[i])-float64(v)))
		if d := float64(got[i]); math.IsNaN(d) {
			return d
		}
		scale = max(scale, math.Abs(float64(v)))
	}
	return most / scale
}

// tolerance is what two ways of adding the same float32 numbers may differ by.
const tolerance = 1e-5

func save(t *testing.T, w nn.Network) string {
	t.Helper()
	b, err := Encode(w, Info{Version: "test", Step: 5, Properties: []Property{{"labels", `["a"]`}}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "w.onnx")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRuntimeAgrees(t *testing.T) {
	jobs, wants := make([]onnxtest.Job, len(networks)), make([][][]float32, len(networks))
	for i, w := range networks {
		n := w.asNetwork(t)
		jobs[i].Model = save(t, n)
		jobs[i].Runs, wants[i] = runs(t, n)
	}
	for _, runtime := range onnxtest.Runtimes() {
		t.Run(runtime, func(t *testing.T) {
			for i, r := range onnxtest.Run(t, runtime, jobs) {
				if r.Checker != "passed" && r.Checker != "absent" {
					t.Errorf("%s: onnx.checker: %s", networks[i].name, r.Checker)
				}
				for k, out := range r.Runs {
					if d := difference(t, out["made"].Floats, wants[i][k]); !(d <= tolerance) {
						t.Errorf("%s: batch of %d: a difference of %g", networks[i].name, batches[k], d)
					}
				}
			}
		})
	}
}

// The comparison sees a wrong weight.
func TestRuntimeDisagreesOnAnotherWeight(t *testing.T) {
	n := networks[3].asNetwork(t)
	path := save(t, n)
	n.Params.Lookup("conv/w").Data()[7] += 1e-3
	in, want := runs(t, n)
	r := onnxtest.Run(t, onnxtest.Python, []onnxtest.Job{{Model: path, Runs: in}})
	if d := difference(t, r[0].Runs[0]["made"].Floats, want[0]); d <= tolerance {
		t.Errorf("a difference of %g between networks that differ", d)
	}
}

func TestEqualNetworksGiveEqualBytes(t *testing.T) {
	for _, w := range networks {
		a, errA := Encode(w.asNetwork(t), Info{})
		b, errB := Encode(w.asNetwork(t), Info{})
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s: %d and %d bytes, errors %v and %v", w.name, len(a), len(b), errA, errB)
		}
	}
}

func TestWhatCannotBeWritten(t *testing.T) {
	image := func(n *nn.Graph, batch int) *nn.Tensor { return n.Input("x", batch, 4, 4, 1) }
	for name, c := range map[string]struct {
		build func(n *nn.Graph, batch int)
		want  string
	}{
		"no mapping": {func(n *nn.Graph, batch int) {
			n.Output("out", n.Translate(image(n, batch), n.Input("offsets", batch, 2), 0))
		}, "translate cannot be written"},
		"noise": {func(n *nn.Graph, batch int) {
			n.Output("out", n.Add(image(n, batch), n.NormalNoise("noise", batch, 4, 4, 1)))
		}, "seed of the run"},
		"a loss":                 {func(n *nn.Graph, batch int) { n.Output("out", n.Mean(image(n, batch))) }, "makes one of all examples"},
		"one example":            {func(n *nn.Graph, batch int) { n.Output("out", n.Rows(image(n, batch), 0, 1)) }, "makes one of all examples"},
		"the later ones":         {func(n *nn.Graph, batch int) { n.Output("out", n.Rows(image(n, batch), 1, batch)) }, "only the first axis may depend"},
		"a larger batch":         {func(n *nn.Graph, batch int) { n.Output("out", n.Stack(image(n, batch), image(n, batch))) }, "taken"},
		"batch in another place": {func(n *nn.Graph, batch int) { n.Output("out", n.Reshape(image(n, batch), 4, batch, 4)) }, "only the first axis may depend"},
		"a mistake":              {func(n *nn.Graph, batch int) { n.Output("out", n.PixelShuffle(image(n, batch), 2)) }, "do not divide"},
		"no such output":         {func(n *nn.Graph, batch int) { n.Output("other", n.Scale(image(n, batch), 2)) }, `no input or output "out"`},
		"nothing":                {func(n *nn.Graph, batch int) { image(n, batch) }, "no output"},
		"not one":                {func(n *nn.Graph, batch int) { n.Output("out", n.Flatten(image(n, batch))) }, "is not one"},
	} {
		in := []nn.Port{{Graph: "x", Name: "x", Squeeze: true}}
		if name == "no mapping" {
			in = append(in, nn.Port{Graph: "offsets", Name: "offsets"})
		}
		w := nn.Network{Name: "w", Params: nn.NewParams(1), Build: c.build, Inputs: in, Outputs: []nn.Port{{Graph: "out", Name: "out", Squeeze: true}}}
		if b, err := Encode(w, Info{}); err == nil || b != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %d bytes, error %v; want one with %q", name, len(b), err, c.want)
		}
	}
}

func TestWeightsBeyondOneFile(t *testing.T) {
	list := []tensor{{floats: make([]float32, 10)}, {ints: make([]int64, 3)}}
	if err := fits(list, 64); err != nil {
		t.Error(err)
	}
	if err := fits(list, 63); err == nil || !strings.Contains(err.Error(), "64 bytes") {
		t.Errorf("error %v", err)
	}
}
