package architectures_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/modeltest"
	"wavemill/models/nn"
	"wavemill/models/onnx"
	"wavemill/models/onnx/onnxtest"
)

const (
	tolerance = 1e-5 // of the largest value
	seed      = 11
)

// trained returns a checkpoint after a few steps; of a vaegan, some of its second part.
func trained(t *testing.T, arch, config string) models.Checkpoint {
	t.Helper()
	labels := []string{"low", "high", "other"}
	l, err := architectures.NewLearner(arch, json.RawMessage(config), frontEnd(), labels, 5)
	if err != nil {
		t.Fatal(err)
	}
	data := modeltest.Clips(24, 32, 16, len(labels), 1)
	c, err := (&models.Trainer{Steps: 6, BatchSize: 8, Seed: 5}).Run(t.Context(), l, data, models.Batch{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A comparison is a network, inputs for it, and what this program makes of them.
type comparison struct {
	name string
	job  onnxtest.Job
	want []map[string][]float32
}

// values are the inputs of a run.
type values struct {
	latents, clips []float32
	labels         []int
	ids            []int64
}

var batches = []int{1, 3, 16, 17}

// draw returns inputs for a batch: noise, labels, and clips between -1 and 1.
func draw(batch, latents, size int) values {
	rng := rand.New(rand.NewPCG(seed, uint64(batch)))
	v := values{labels: make([]int, batch), ids: make([]int64, batch)}
	for i := range v.labels {
		v.labels[i] = rng.IntN(3)
		v.ids[i] = int64(v.labels[i])
	}
	for range batch * latents {
		v.latents = append(v.latents, float32(rng.NormFloat64()))
	}
	for range batch * size {
		v.clips = append(v.clips, 2*rng.Float32()-1)
	}
	return v
}

// here returns what this program makes of v: through its own interface, where there is one.
func here(t *testing.T, c models.Checkpoint, w nn.Network, v values) map[string][]float32 {
	t.Helper()
	batch := models.Batch{B: len(v.labels), T: c.FrontEnd.Frames, F: c.FrontEnd.Spectrogram.Bins(), Data: v.clips, Labels: v.labels}
	g, err := architectures.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	coder, isCoder := g.(models.Autoencoder)
	switch {
	case w.Name == "generator" && isCoder:
		b, err := coder.Decode(t.Context(), v.latents, v.labels)
		if err != nil {
			t.Fatal(err)
		}
		return map[string][]float32{"spectrograms": b.Data}
	case w.Name == "encoder":
		mean, logVar, err := coder.Encode(t.Context(), batch)
		if err != nil {
			t.Fatal(err)
		}
		return map[string][]float32{"mean": mean, "log_variance": logVar}
	case w.Name == "discriminator":
		discriminator, err := architectures.OpenDiscriminator(c)
		if err != nil {
			t.Fatal(err)
		}
		scores, err := discriminator.Score(t.Context(), batch)
		if err != nil {
			t.Fatal(err)
		}
		got := predict(t, w, v, "real")
		for i, s := range scores {
			got["scores"][i] = float32(s)
		}
		return got
	case w.Name == "prior" && c.Arch == "flow":
		return predict(t, w, v, "noise")
	case w.Name == "prior":
		return predict(t, w, v, "point", "time", "delay")
	}
	return predict(t, w, v, "latents")
}

// predict runs a network with labels and other inputs of the graph.
func predict(t *testing.T, w nn.Network, v values, inputs ...string) map[string][]float32 {
	t.Helper()
	p, err := nn.NewPredictor(w.Params, w.Build)
	if err != nil {
		t.Fatal(err)
	}
	feeds := []nn.Feed{nn.Labels("labels", v.labels)}
	for _, name := range inputs {
		feeds = append(feeds, nn.Values(name, v.of(name)))
	}
	got := map[string][]float32{}
	err = p.Run(len(v.labels), func(m *nn.Machine) error {
		for _, port := range w.Outputs {
			got[port.Name] = slices.Clone(m.Output(port.Graph))
		}
		return nil
	}, feeds...)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// timeWidth is how many functions of the time a flow sees.
const timeWidth = 11

// of returns the values for an input, by its name in the graph or outside.
func (v values) of(name string) []float32 {
	switch name {
	case "latents", "points", "point", "noise":
		return v.latents
	case "times", "time":
		return v.clips[:len(v.labels)*timeWidth]
	case "delays", "delay":
		return v.clips[:len(v.labels)]
	}
	return v.clips
}

// compare writes the networks of a checkpoint and runs them here.
func compare(t *testing.T, c models.Checkpoint) []comparison {
	t.Helper()
	networks, err := architectures.Networks(c)
	if err != nil {
		t.Fatal(err)
	}
	size := c.FrontEnd.Frames * c.FrontEnd.Spectrogram.Bins()
	var out []comparison
	for _, w := range networks {
		data, err := onnx.Encode(w, onnx.Info{Version: "test"})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), w.Name+".onnx")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		k := comparison{name: c.Arch + " " + w.Name, job: onnxtest.Job{Model: path}}
		d, err := w.Describe()
		if err != nil {
			t.Fatal(err)
		}
		for _, batch := range batches {
			v := draw(batch, d.Inputs[0].Shape[1], size)
			in := map[string]onnxtest.Tensor{}
			for i, p := range w.Inputs {
				if p.Labels {
					in[p.Name] = onnxtest.Tensor{Shape: []int{batch}, Ints: v.ids}
					continue
				}
				shape := append([]int{batch}, d.Inputs[i].Shape[1:]...)
				if p.Squeeze {
					shape = shape[:len(shape)-1]
				}
				in[p.Name] = onnxtest.Tensor{Shape: shape, Floats: v.of(p.Name)}
			}
			k.job.Runs = append(k.job.Runs, in)
			k.want = append(k.want, here(t, c, w, v))
		}
		out = append(out, k)
	}
	return out
}

// largestDifference compares what a runtime made with what this program makes: the largest difference of each output.
func largestDifference(t *testing.T, k comparison, r onnxtest.Report) float64 {
	t.Helper()
	if r.Checker != "passed" && r.Checker != "absent" {
		t.Errorf("%s: onnx.checker: %s", k.name, r.Checker)
	}
	most, scale := map[string]float64{}, map[string]float64{} // by output, over all batches: a single score may be near 0
	for i, outputs := range k.want {
		for port, want := range outputs {
			got := r.Runs[i][port].Floats
			if len(got) != len(want) {
				t.Fatalf("%s: batch of %d: %s: %d values, want %d", k.name, batches[i], port, len(got), len(want))
			}
			for j, v := range want {
				d := math.Abs(float64(got[j]) - float64(v))
				if math.IsNaN(d) {
					d = math.Inf(1)
				}
				most[port], scale[port] = max(most[port], d), max(scale[port], math.Abs(float64(v)))
			}
		}
	}
	worst := 0.0
	for port, d := range most {
		worst = max(worst, d/scale[port])
	}
	return worst
}

// Every network of every architecture, written as ONNX, does in ONNX Runtime what it does here.
func TestONNXRuntimeAgrees(t *testing.T) {
	var all []comparison
	for _, arch := range architectures.Names() {
		all = append(all, compare(t, trained(t, arch, ""))...)
	}
	for _, c := range []struct{ arch, config string }{
		{"gan", `{"unconditional":true,"minibatch_stddev":0}`},
		{"gan", `{"auxiliary":1,"gain":3,"generator_share":0.5,"taper":true,"spectral_norm":false}`},
		{"vae", `{"prior":"flow","encoders":2,"decoders":3,"latent_scale":2,"dropout":0.1}`},
		{"vae", `{"unconditional":true,"prior":"flow"}`},
		{"flow", `{"steps":2,"guidance":1.5,"share":1}`},
	} {
		all = append(all, compare(t, trained(t, c.arch, c.config))...)
	}
	if want := 4 + 2 + 2 + 3 + 2 + 2 + 3 + 3 + 3; len(all) != want {
		t.Errorf("%d networks, want %d", len(all), want)
	}
	jobs := make([]onnxtest.Job, len(all))
	for i, k := range all {
		jobs[i] = k.job
	}
	for _, runtime := range onnxtest.Runtimes() {
		t.Run(runtime, func(t *testing.T) {
			for i, r := range onnxtest.Run(t, runtime, jobs) {
				d := largestDifference(t, all[i], r)
				t.Logf("%s, %s: largest difference %.2g of the range", r.Runtime, all[i].name, d)
				if !(d <= tolerance) {
					t.Errorf("%s: a difference of %g", all[i].name, d)
				}
			}
		})
	}
}

// The comparison sees one wrong weight in a thousand of each network.
func TestONNXRuntimeDisagreesOnOtherWeights(t *testing.T) {
	c := trained(t, "vaegan", "")
	var jobs []onnxtest.Job
	for _, k := range compare(t, c) {
		jobs = append(jobs, k.job)
	}
	for i, x := range c.Tensors {
		switch x.Name {
		case "model/encoder/conv4/w", "model/decoder/conv3/w", "discriminator/discriminator/conv2/w":
			c.Tensors[i].Data = slices.Clone(x.Data)
			for j := 0; j < len(x.Data); j += 1000 {
				c.Tensors[i].Data[j] += 0.05
			}
		}
	}
	for i, r := range onnxtest.Run(t, onnxtest.Python, jobs) {
		k := compare(t, c)[i]
		if d := largestDifference(t, k, r); !(d > tolerance) {
			t.Errorf("%s: a difference of %g between networks that differ", k.name, d)
		}
	}
}
