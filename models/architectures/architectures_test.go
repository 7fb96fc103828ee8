package architectures_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"wavemill/audio/spectrogram"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/modeltest"
)

func frontEnd() models.FrontEnd {
	c := spectrogram.Default(8000)
	c.Mels = 16
	return models.FrontEnd{Spectrogram: c, Frames: 32}
}

// Every architecture learns a few steps, is resumed from its checkpoint and generates from it.
func TestEveryArchitecture(t *testing.T) {
	labels := []string{"low", "high"}
	data := modeltest.Clips(16, 32, 16, len(labels), 1)
	for _, name := range architectures.Names() {
		t.Run(name, func(t *testing.T) {
			l, err := architectures.NewLearner(name, nil, frontEnd(), labels, 5)
			if err != nil {
				t.Fatal(err)
			}
			c, err := (&models.Trainer{Steps: 2, BatchSize: 8, Seed: 5}).Run(t.Context(), l, data, models.Batch{})
			if err != nil {
				t.Fatal(err)
			}
			if c.Arch != name {
				t.Errorf("the checkpoint is of %q", c.Arch)
			}
			if _, err := architectures.Resume(c); err != nil {
				t.Errorf("resume: %v", err)
			}
			g, err := architectures.Open(c)
			if err != nil {
				t.Fatal(err)
			}
			b, err := g.Generate(t.Context(), models.Series([]int{0, 1, 1}, 1, 0))
			if err != nil || b.Validate(len(labels)) != nil || b.B != 3 {
				t.Errorf("%d clips, errors %v and %v", b.B, err, b.Validate(len(labels)))
			}
			if _, ok := g.(models.Blender); !ok {
				t.Errorf("its generator cannot blend")
			}
			d, err := architectures.OpenDiscriminator(c)
			if name == "vae" {
				if !errors.Is(err, models.ErrNoDiscriminator) {
					t.Errorf("a discriminator: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if scores, err := d.Score(t.Context(), b); err != nil || len(scores) != 3 {
				t.Errorf("scores %v, error %v", scores, err)
			}
		})
	}
}

func TestUnknown(t *testing.T) {
	want := "there are: " + strings.Join(architectures.Names(), ", ")
	_, err := architectures.NewLearner("wavenet", nil, frontEnd(), []string{"a"}, 1)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v", err)
	}
	if _, err := architectures.OpenDiscriminator(models.Checkpoint{Arch: "wavenet"}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v", err)
	}
	if _, err := architectures.Open(models.Checkpoint{Arch: "wavenet"}); err == nil {
		t.Error("open: no error")
	}
	if _, err := architectures.Resume(models.Checkpoint{Arch: "wavenet"}); err == nil {
		t.Error("resume: no error")
	}
}

func Example() {
	labels := []string{"low", "high"}
	config := json.RawMessage(`{"channels":4,"latent":4}`)
	learner, err := architectures.NewLearner("vae", config, frontEnd(), labels, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	data := modeltest.Clips(16, 32, 16, len(labels), 1)
	trainer := models.Trainer{Steps: 3, BatchSize: 8, Seed: 1}
	checkpoint, err := trainer.Run(context.Background(), learner, data, models.Batch{})
	if err != nil {
		fmt.Println(err)
		return
	}
	generator, err := architectures.Open(checkpoint)
	if err != nil {
		fmt.Println(err)
		return
	}
	clips, err := generator.Generate(context.Background(), models.Series([]int{0, 1, 1, 0}, 7, 0))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(checkpoint.Step, clips.B, clips.T, clips.F, clips.Labels)
	// Output: 3 4 32 16 [0 1 1 0]
}
