package fingerprint_test

import (
	"fmt"
	"log"

	"wavemill/audio"
	"wavemill/audio/fingerprint"
	"wavemill/audio/synth"
)

func ExampleSimilar() {
	clip, err := synth.Clip("vowel", 1, 22050)
	if err != nil {
		log.Fatal(err)
	}
	other, err := synth.Clip("vowel", 2, 22050)
	if err != nil {
		log.Fatal(err)
	}
	copied, err := audio.Resample(clip, 44100)
	if err != nil {
		log.Fatal(err)
	}
	for i := range copied.Samples {
		copied.Samples[i] *= 0.25
	}
	fmt.Println("same digest:", fingerprint.Digest(clip) == fingerprint.Digest(copied))
	fmt.Println("copy:", fingerprint.Similar(fingerprint.Of(clip), fingerprint.Of(copied)))
	fmt.Println("other:", fingerprint.Similar(fingerprint.Of(clip), fingerprint.Of(other)))
	// Output:
	// same digest: false
	// copy: true
	// other: false
}

func ExampleIndex() {
	var index fingerprint.Index
	for seed := range uint64(10) {
		clip, err := synth.Clip("bell", seed, 22050)
		if err != nil {
			log.Fatal(err)
		}
		index.Add(fingerprint.Of(clip))
	}
	copied, err := synth.Clip("bell", 7, 22050)
	if err != nil {
		log.Fatal(err)
	}
	copied.Samples = copied.Samples[:len(copied.Samples)*3/4]
	fmt.Println(index.Similar(fingerprint.Of(copied)))
	// Output: [7]
}
