package models_test

import (
	"fmt"

	"wavemill/models"
)

func ExampleCheckpoint() {
	c := models.Checkpoint{
		Format: models.Format, Arch: "vae", Labels: []string{"kick", "snare"}, Step: 100,
		Tensors: []models.Tensor{
			{Name: "model/w", Shape: []int{2, 2}, Data: []float32{1, 2, 3, 4}},
			{Name: models.OptimizerPrefix + "w", Shape: []int{4}, Data: make([]float32, 4)},
		},
	}
	file, err := c.WithoutOptimizer().Encode()
	if err != nil {
		fmt.Println(err)
		return
	}
	back, err := models.Decode(file)
	if err != nil {
		fmt.Println(err)
		return
	}
	w, err := back.Tensor("model/w")
	fmt.Println(back.Arch, back.Labels, back.Step, len(back.Tensors), w.Data, err)
	file[len(file)-1] ^= 1
	if _, err := models.Decode(file); err != nil {
		fmt.Println("a flipped bit is noticed")
	}
	// Output:
	// vae [kick snare] 100 1 [1 2 3 4] <nil>
	// a flipped bit is noticed
}
