package audio_test

import (
	"fmt"
	"log"
	"math"

	"wavemill/audio"
)

func ExampleResample() {
	clip := audio.Clip{Channels: 1, Rate: 44100}
	for i := range clip.Rate {
		clip.Samples = append(clip.Samples, float32(0.5*math.Sin(2*math.Pi*440*float64(i)/float64(clip.Rate))))
	}
	out, err := audio.Resample(clip, 16000)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(out.Rate, out.Frames(), out.Duration())
	fmt.Printf("%.3f %.3f\n", out.Peak(), out.RMS())
	// Output:
	// 16000 16000 1s
	// 0.500 0.354
}

func ExampleTrimSilence() {
	clip := audio.Clip{Samples: []float32{0, 0.0001, 0.5, -0.25, 0.0001, 0}, Channels: 1, Rate: 8000}
	fmt.Println(audio.TrimSilence(clip, -40).Samples)
	// Output: [0.5 -0.25]
}

func ExampleClip_LUFS() {
	clip := audio.Clip{Channels: 1, Rate: 48000}
	for i := range 5 * clip.Rate {
		clip.Samples = append(clip.Samples, float32(math.Sin(2*math.Pi*997*float64(i)/float64(clip.Rate))))
	}
	fmt.Printf("%.1f LUFS\n", clip.LUFS())
	// Output: -3.0 LUFS
}
