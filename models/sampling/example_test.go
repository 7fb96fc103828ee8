package sampling_test

import (
	"context"
	"fmt"

	"wavemill/audio/wav"
	"wavemill/models"
	"wavemill/models/sampling"
)

func Example() {
	ctx := context.Background()
	checkpoint, err := models.Read("../../cmd/wavemill/testdata/compat/gan.safetensors")
	if err != nil {
		fmt.Println(err)
		return
	}
	sampler, err := sampling.Open(checkpoint)
	if err != nil {
		fmt.Println(err)
		return
	}
	// Two clips of one label, and two halfway between this label and another, with the seeds 7 and 8.
	one, three := sampling.Reference{Label: "1"}, sampling.Reference{Label: "3"}
	kinds := append(sampling.Labels([]string{"1"}, 0), sampling.Interpolations(one, three, []float64{0.5}, 0)...)
	err = sampler.Stream(ctx, sampling.BySeed(kinds, 7, 2), func(i int, c sampling.Clip) error {
		file, err := c.WAV(wav.PCM16)
		if err != nil {
			return err
		}
		again, _, err := sampling.ReadProvenance(file)
		fmt.Println(kinds[i%2].FileName(c.Seed), c.Audio.Rate, again.Name(), again.Seed)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// 1_7.wav 8000 1 7
	// 1-3_0.5_7.wav 8000 1-3 7
	// 1_8.wav 8000 1 8
	// 1-3_0.5_8.wav 8000 1-3 8
}
