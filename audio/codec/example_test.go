package codec_test

import (
	"context"
	"fmt"
	"log"

	"wavemill/audio"
	"wavemill/audio/codec"
)

func ExampleDecode() {
	data, err := codec.EncodeFLAC(audio.Clip{
		Samples: []float32{0, 0.25, 0.5, 0.25}, Channels: 1, Rate: 8000,
	}, codec.FLACOptions{Tags: map[string]string{"TITLE": "kick"}})
	if err != nil {
		log.Fatal(err)
	}
	clip, info, err := codec.Decode(context.Background(), "kick.flac", data)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Format, info.SampleRate, info.Channels, info.Frames, info.Tags["TITLE"])
	fmt.Println(clip.Source, clip.Samples)
	// Output:
	// flac 8000 1 4 kick
	// kick.flac [0 0.25 0.5 0.25]
}
