package augment_test

import (
	"fmt"

	"wavemill/audio"
	"wavemill/models/augment"
)

// A checkpoint that was trained on all but the last two recordings of each label can be tested on those.
func ExampleHoldOut() {
	var recordings []augment.Recording
	for _, label := range []string{"kick", "snare"} {
		for i := range 6 {
			name := fmt.Sprintf("%s/%d.wav", label, i)
			recordings = append(recordings, augment.Recording{Path: name, Digest: name, Clip: audio.Clip{Label: label, Source: name}})
		}
	}
	split, err := augment.HoldOut(recordings, augment.Guard{Unseen: func([]augment.Recording) ([]int, bool, error) {
		return []int{4, 5, 10, 11}, true, nil
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(split.Train), "to train on")
	for _, r := range split.Test {
		fmt.Println("test:", r.Clip.Source)
	}
	// Output:
	// 8 to train on
	// test: kick/4.wav
	// test: kick/5.wav
	// test: snare/4.wav
	// test: snare/5.wav
}
