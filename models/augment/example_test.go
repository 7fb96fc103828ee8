package augment_test

import (
	"fmt"

	"wavemill/audio/dataset"
	"wavemill/models"
	"wavemill/models/augment"
)

// A checkpoint that was trained on all but the last two recordings of each label is tested on those.
func ExampleHoldOut() {
	var recordings []dataset.Recording
	var data models.TrainingData
	for _, label := range []string{"kick", "snare"} {
		for i := range 6 {
			name := fmt.Sprintf("%s/%d.wav", label, i)
			recordings = append(recordings, dataset.Recording{Item: dataset.Item{Path: name, Name: name, Label: label}, Digest: name})
			if i < 4 {
				data.Learnt = append(data.Learnt, models.Recording{Source: name, Label: label, Digest: name})
			}
		}
	}
	split := augment.HoldOut(models.Checkpoint{Data: &data}, recordings, dataset.Holdout{Share: 0.1})
	fmt.Println(len(split.Train), "to train on")
	for _, r := range split.Test {
		fmt.Println("test:", r.Name)
	}
	// Output:
	// 8 to train on
	// test: kick/4.wav
	// test: kick/5.wav
	// test: snare/4.wav
	// test: snare/5.wav
}
