package main

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"wavemill/audio/spectrogram/fft"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/modeltest"
	"wavemill/models/nn/kernel"
	"wavemill/models/sampling"
)

// The files in testdata/compat were written by the version of commit 2c7023d. They are never written again: a change
// that cannot read them, or that makes other clips from them, breaks what users keep.

// compatClass is the class of kernels that made the clips in testdata/compat. The files do not name it; it was found
// by regenerating them with that version under each value of WAVEMILL_KERNEL: with avx512 all 13 clips had the same
// bytes, with avx2 two of them (16 bits hide the difference), with go none.
const compatClass = "avx512"

// compatModels are the checkpoints with what the version that wrote them computed from them.
var compatModels = map[string]struct {
	losses map[string]float64 // of one resumed step on the clips of compatBatch
	latent []float64          // the first latents of the first of these clips; nil for a model without an encoder
}{
	"vae": {
		losses: map[string]float64{"kl": 2.9582026, "loss": 1044.3782, "mse": 0.44502208, "nll": 1038.4618},
		latent: []float64{1.064556, -0.09287149, 0.0851332, -0.7692223},
	},
	"vaeflow": {
		losses: map[string]float64{"flow": 3.165115, "kl": 3.7505476, "loss": 1040.959, "mse": 0.44069397, "nll": 1033.4579},
		latent: []float64{1.299604, -0.04858901, 0.0931182, -1.096136},
	},
	"gan": {
		losses: map[string]float64{
			"discriminator": 2.0948584, "fake score": -0.5069613, "generator": 0.62032145, "named": 1.0125872, "naming": 1.1092278,
			"real score": -0.037779227,
		},
	},
	"vaegan": {
		losses: map[string]float64{
			"decoder": 7.2338514, "discriminator": 1.9908541, "fake score": -0.02205871, "l1": 0.65273935, "matching": 1.1811755,
			"real score": -0.012912842,
		},
		latent: []float64{0.6930818, -0.1040719, 0.03970046, -0.7147669},
	},
}

// compatBatch returns clips that fit a checkpoint.
func compatBatch(c models.Checkpoint) models.Batch {
	return modeltest.Clips(8, c.FrontEnd.Frames, c.FrontEnd.Spectrogram.Bins(), len(c.Labels), 1)
}

func readCompat(t *testing.T, name string) models.Checkpoint {
	t.Helper()
	c, err := models.Read(filepath.Join("testdata", "compat", name+".safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestCompatClips regenerates every clip byte for byte: plain ones, mixes of two labels and variations of a recording.
func TestCompatClips(t *testing.T) {
	if k, f := kernel.Class(), fft.Class(); k != compatClass || f != compatClass {
		t.Skipf("the clips were made with %s kernels; the kernels here are %s for networks and %s for transforms, which round differently", compatClass, k, f)
	}
	for name := range compatModels {
		clips, err := filepath.Glob(filepath.Join("testdata", "compat", name+"-*.wav"))
		if err != nil || len(clips) < 2 {
			t.Fatalf("%s: %d clips, error %v", name, len(clips), err)
		}
		model := filepath.Join("testdata", "compat", name+".safetensors")
		stdout, _ := mustRun(t, append([]string{"regenerate", "--json", "--model", model}, clips...)...)
		if lines := decodeLines[sampling.Regenerated](t, stdout); len(lines) != len(clips) {
			t.Errorf("%s: %d of %d clips were compared", name, len(lines), len(clips))
		}
	}
}

// TestCompatTraining resumes each checkpoint for one step, whose losses must be those of the version that wrote it.
func TestCompatTraining(t *testing.T) {
	for name, want := range compatModels {
		t.Run(name, func(t *testing.T) {
			c := readCompat(t, name)
			l, err := architectures.Resume(c)
			if err != nil {
				t.Fatal(err)
			}
			losses, err := l.Step(t.Context(), compatBatch(c), rand.New(rand.NewPCG(1, 2)))
			if err != nil {
				t.Fatal(err)
			}
			for loss, v := range want.losses {
				if got, ok := losses[loss]; !ok || !near(got, v) {
					t.Errorf("%s is %.7g, want %.7g", loss, got, v)
				}
			}
			if len(losses) != len(want.losses) {
				t.Errorf("losses %v, want %v", losses, want.losses)
			}
			after, err := l.Checkpoint()
			if err != nil || after.Step != c.Step+1 {
				t.Errorf("step %d after step %d, error %v", after.Step, c.Step, err)
			}
		})
	}
}

// TestCompatEncoder encodes clips with each checkpoint that has an encoder.
func TestCompatEncoder(t *testing.T) {
	for name, want := range compatModels {
		if !strings.HasPrefix(name, "vae") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			c := readCompat(t, name)
			g, err := architectures.Open(c)
			if err != nil {
				t.Fatal(err)
			}
			coder, ok := g.(models.Autoencoder)
			if !ok {
				t.Fatalf("a %T has no encoder", g)
			}
			mean, _, err := coder.Encode(t.Context(), compatBatch(c))
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range want.latent {
				if !near(float64(mean[i]), v) {
					t.Errorf("latent %d is %.7g, want %.7g", i, mean[i], v)
				}
			}
			if len(want.latent) != coder.Latent() {
				t.Errorf("%d latents %.7g, want %.7g", coder.Latent(), mean[:coder.Latent()], want.latent)
			}
		})
	}
}

// near reports whether two values agree as well as those of different classes of kernels do.
func near(a, b float64) bool { return math.Abs(a-b) <= 1e-4*max(math.Abs(a), math.Abs(b), 1e-2) }
