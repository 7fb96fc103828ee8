package training_test

import (
	"encoding/json"
	"strings"
	"testing"

	"wavemill/models"
	"wavemill/models/training"
)

// TestFacts checks the facts of a checkpoint with a record of its recordings and of one without.
func TestFacts(t *testing.T) {
	c := models.Checkpoint{
		Format: models.Format, Arch: "vae", Config: json.RawMessage(`{"latent":8}`), Labels: []string{"a", "b"}, Step: 9, Planned: 20, BatchSize: 4, Seed: 3,
		Metrics: map[string]float64{"val/loss": 0.5}, Rollbacks: []models.Rollback{{Step: 8, To: 6}},
		Tensors: []models.Tensor{{Name: "w", Shape: []int{2, 3}, Data: make([]float32, 6)}},
	}
	f, err := training.Describe("m.safetensors", c)
	if err != nil {
		t.Fatal(err)
	}
	if f.Parameters != 6 || f.Data != nil || f.Digest == "" || string(f.Config) != `{"latent":8}` {
		t.Errorf("%+v", f)
	}
	for _, want := range []string{"m.safetensors: checkpoint of a vae\n", "2: a, b\n", "9 of 20 planned, 4 clips each, seed 3", "recordings  not recorded", "val/loss             0.5", "diverged at step 8, went back to 6"} {
		if !strings.Contains(f.String(), want) {
			t.Errorf("no %q in\n%v", want, f)
		}
	}

	held := models.Recording{Source: "b/1.wav", Label: "b", Digest: strings.Repeat("d", 64)}
	c.Data = &models.TrainingData{Share: 0.1, Validation: 0.05, Seed: 3, Group: "speaker", HoldOut: []string{"speaker=theo"}, HeldOut: []models.Recording{held}}
	if f, err = training.Describe("m.safetensors", c); err != nil {
		t.Fatal(err)
	}
	const rule = "10 % of the recordings, 5 % of the others for validation, seed 3, by speaker, and speaker=theo"
	if want := "0 to learn from, 0 for validation, 1 held out (" + rule + ")"; !strings.Contains(f.String(), want) {
		t.Errorf("no %q in\n%v", want, f)
	}
	var table strings.Builder
	if err := f.WriteHeldOut(&table, training.HeldOutOf(c)); err != nil {
		t.Fatal(err)
	}
	want := "m.safetensors: 1 recording held out; " + rule + "\n  label  source   digest\n  b      b/1.wav  dddddddddddddddd\n"
	if table.String() != want {
		t.Errorf("%q, want %q", table.String(), want)
	}
}
