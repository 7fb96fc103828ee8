package flow_test

import (
	"context"
	"encoding/json"
	"fmt"

	"wavemill/models"
	"wavemill/models/flow"
	"wavemill/models/modeltest"
)

// Example trains both phases of a small model and generates clips in two steps each.
func Example() {
	const config = `{"channels":4,"latent_channels":2,"flow_channels":8,"discriminator_channels":4,"share":0.5,"steps":2}`
	learner, err := flow.NewLearner(json.RawMessage(config), modeltest.FrontEnd(), []string{"low", "high"}, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	checkpoint, err := modeltest.Train(ctx, learner, 2, 4)
	if err != nil {
		fmt.Println(err)
		return
	}
	generator, err := flow.Open(checkpoint)
	if err != nil {
		fmt.Println(err)
		return
	}
	clips, err := generator.Generate(ctx, models.Series([]int{0, 1}, 7, 0))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(clips.B, "clips of labels", clips.Labels)
	// Output: 2 clips of labels [0 1]
}
