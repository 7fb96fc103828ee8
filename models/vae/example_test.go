package vae_test

import (
	"context"
	"encoding/json"
	"fmt"

	"wavemill/models"
	"wavemill/models/modeltest"
	"wavemill/models/vae"
)

// Example trains a small model, generates a clip of each label, and finds the latents of these clips.
func Example() {
	if err := encode(context.Background(), `{"channels":4,"latent":4}`); err != nil {
		fmt.Println(err)
	}
	// Output:
	// labels [0 1] of 512 values each
	// means: 8, log variances: 8
}

func encode(ctx context.Context, config string) error {
	learner, err := vae.NewLearner(json.RawMessage(config), modeltest.FrontEnd(), []string{"low", "high"}, 1)
	if err != nil {
		return err
	}
	checkpoint, err := modeltest.Train(ctx, learner, 2, 4)
	if err != nil {
		return err
	}
	generator, err := vae.Open(checkpoint)
	if err != nil {
		return err
	}
	clips, err := generator.Generate(ctx, models.Series([]int{0, 1}, 7, 0))
	if err != nil {
		return err
	}
	fmt.Println("labels", clips.Labels, "of", len(clips.Clip(0)), "values each")
	mean, logVar, err := generator.(models.Autoencoder).Encode(ctx, clips)
	fmt.Printf("means: %d, log variances: %d\n", len(mean), len(logVar))
	return err
}
