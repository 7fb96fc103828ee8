package picture_test

import (
	"bytes"
	"fmt"
	"image/png"
	"log"

	"wavemill/audio/spectrogram/picture"
)

// A plot of 200 by 100 pixels whose values rise from left to right; the picture has margins for its axes.
func ExamplePlot_WriteField() {
	p := picture.Plot{
		Width: 200, Height: 100, Title: "a ramp",
		X: picture.Linear(0, 2, picture.XTicks(200), "time (s)"), Y: picture.Linear(0, 4, picture.YTicks(100), "kHz"),
	}
	var b bytes.Buffer
	if err := p.WriteField(&b, func(x, _ int) float64 { return float64(x) / 199 }); err != nil {
		log.Fatal(err)
	}
	img, err := png.Decode(&b)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(img.Bounds().Dx() > 200, img.Bounds().Dy() > 100)
	for _, tick := range p.X.Ticks {
		fmt.Print(tick.Label, " ")
	}
	// Output:
	// true true
	// 0 1 2
}
