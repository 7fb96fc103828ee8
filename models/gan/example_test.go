package gan_test

import (
	"context"
	"encoding/json"
	"fmt"

	"wavemill/models"
	"wavemill/models/gan"
	"wavemill/models/modeltest"
)

// Example trains a small model and scores clips that it generates: one score for each, higher for recordings.
func Example() {
	ctx := context.Background()
	checkpoint, err := train(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	generator, err := gan.Open(checkpoint)
	if err != nil {
		fmt.Println(err)
		return
	}
	clips, err := generator.Generate(ctx, models.Series([]int{0, 1, 1}, 7, 0.85))
	if err != nil {
		fmt.Println(err)
		return
	}
	discriminator, err := gan.OpenDiscriminator(checkpoint)
	if err != nil {
		fmt.Println(err)
		return
	}
	scores, err := discriminator.Score(ctx, clips)
	fmt.Println(clips.B, len(scores), err)
	// Output: 3 3 <nil>
}

// train clusters the recordings of each label before the first step, as the Trainer does for models.ModeFitter.
func train(ctx context.Context) (models.Checkpoint, error) {
	config := json.RawMessage(`{"channels":4,"latent":8,"modes":2}`)
	learner, err := gan.NewLearner(config, modeltest.FrontEnd(), []string{"low", "high"}, 1)
	if err != nil {
		return models.Checkpoint{}, err
	}
	return modeltest.Train(ctx, learner, 2, 4)
}
