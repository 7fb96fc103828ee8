package report

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
)

// magma is matplotlib's colour map of that name (Stéfan van der Walt and Nathaniel Smith, CC0) at nine equal steps;
// colours between the steps are interpolated, which is exact enough for a small picture.
func magma() [9]color.RGBA {
	return [9]color.RGBA{
		{0, 0, 4, 255},
		{29, 17, 71, 255},
		{81, 18, 124, 255},
		{130, 37, 129, 255},
		{183, 55, 121, 255},
		{230, 81, 100, 255},
		{251, 135, 97, 255},
		{254, 194, 135, 255},
		{252, 253, 191, 255},
	}
}

// Thumbnail draws frames by bins values, row-major, as a PNG of one pixel each: time to the right, frequency upwards, low
// and below dark, high and above bright. It has no axes, because it is for many small pictures side by side.
func Thumbnail(data []float32, frames, bins int, low, high float32) ([]byte, error) {
	if frames < 1 || bins < 1 || len(data) != frames*bins {
		return nil, fmt.Errorf("report: %d values; a picture of %d frames by %d bins needs their product", len(data), frames, bins)
	}
	if !(high > low) {
		high = low + 1
	}
	ramp := magma()
	palette := make(color.Palette, 256)
	for i := range palette {
		at := i * (len(ramp) - 1)
		a, b, part := ramp[at/255], ramp[min(at/255+1, len(ramp)-1)], at%255
		mix := func(a, b uint8) uint8 { return uint8((int(a)*(255-part) + int(b)*part) / 255) }
		palette[i] = color.RGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 255}
	}
	img := image.NewPaletted(image.Rect(0, 0, frames, bins), palette)
	for t := range frames {
		for f := range bins {
			v := (data[t*bins+f] - low) / (high - low)
			img.SetColorIndex(t, bins-1-f, uint8(255*min(1, max(0, v))))
		}
	}
	var b bytes.Buffer
	err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, img)
	return b.Bytes(), err
}
