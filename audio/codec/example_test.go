package codec_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"wavemill/audio/codec"
)

// The content decides the format; the name is kept as the clip's source.
func ExampleDecode() {
	data, err := os.ReadFile("testdata/tiny.ogg")
	if err != nil {
		log.Fatal(err)
	}
	clip, info, err := codec.Decode(context.Background(), "tiny.ogg", data)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Format, info.SampleRate, info.Channels, info.Frames)
	fmt.Println(clip.Source, clip.Frames(), "frames at", clip.Rate, "Hz")
	// Output:
	// ogg 8000 1 40000
	// tiny.ogg 40000 frames at 8000 Hz
}
