package training_test

import (
	"context"
	"encoding/json"
	"fmt"

	"wavemill/audio/dataset"
	"wavemill/audio/fingerprint"
	"wavemill/audio/synth"
	"wavemill/models"
	"wavemill/models/training"
)

// A training from decoded recordings to a checkpoint, and the recordings that may evaluate it.
func Example() {
	ctx := context.Background()
	var recordings []dataset.Recording // dataset.Load decodes files
	for i := range 40 {
		label := []string{"bell", "kick"}[i%2]
		clip, err := synth.Clip(label, uint64(i), 8000)
		if err != nil {
			fmt.Println(err)
			return
		}
		recordings = append(recordings, dataset.Recording{
			Item: dataset.Item{Name: fmt.Sprintf("%s/%d.wav", label, i), Label: label}, Clip: clip,
			Digest: fingerprint.Digest(clip), Print: fingerprint.Of(clip),
		})
	}
	rule := dataset.Holdout{Share: 0.25, Validation: 0.1, Seed: 1}
	set, err := training.Prepare(ctx, recordings, training.Options{Holdout: rule})
	if err != nil {
		fmt.Println(err)
		return
	}
	job := training.Job{Arch: "vae", Config: json.RawMessage(`{"channels":2,"latent":2}`), Seed: 1, Steps: 4}
	checkpoint, result, err := job.Run(ctx, set)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(checkpoint.Labels, "ended by", result.EndedBy, "at step", checkpoint.Step)

	unseen, err := training.Unseen([]models.Checkpoint{checkpoint}, recordings, rule)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(unseen.Unseen) == len(training.HeldOutOf(checkpoint)), "trusted:", unseen.Trusted)
	// Output:
	// [bell kick] ended by steps at step 4
	// true trusted: true
}
