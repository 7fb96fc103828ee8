package vaegan_test

import (
	"context"
	"encoding/json"
	"fmt"

	"wavemill/models"
	"wavemill/models/modeltest"
	"wavemill/models/vaegan"
)

// Example trains both phases of a small model and makes a clip between two labels.
func Example() {
	const config = `{"vae":{"channels":4,"latent":4},"discriminator_channels":4,"share":0.5}`
	learner, err := vaegan.NewLearner(json.RawMessage(config), modeltest.FrontEnd(), []string{"low", "high"}, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	checkpoint, err := modeltest.Train(context.Background(), learner, 2, 4)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := blend(context.Background(), checkpoint); err != nil {
		fmt.Println(err)
	}
	// Output: 1 clip, nearer to label 1
}

func blend(ctx context.Context, checkpoint models.Checkpoint) error {
	generator, err := vaegan.Open(checkpoint)
	if err != nil {
		return err
	}
	blender := generator.(models.Blender)
	request := models.Series([]int{0}, 7, 0)
	latents, err := blender.Draw(request)
	if err != nil {
		return err
	}
	between, err := blender.Blend(ctx, latents, []int{0}, []int{1}, []float64{0.6}, request)
	if err != nil {
		return err
	}
	fmt.Printf("%d clip, nearer to label %d\n", between.B, between.Labels[0])
	return nil
}
