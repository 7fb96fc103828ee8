package spectrogram

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
)

// PictureOptions say how a picture looks. The zero value is a good default.
type PictureOptions struct {
	Width    int    // pixels of the plot itself, without axes; 0 follows the data
	Height   int    // pixels of the plot itself; 0 follows the data
	Colormap string // "magma" (also "") or "viridis"
	Title    string // one line above the plot
}

// WritePNG draws a spectrogram: time to the right, frequency upwards.
func WritePNG(w io.Writer, s *Spectrogram, o PictureOptions) error {
	if s == nil || s.Frames < 1 || s.Bins < 1 || len(s.Data) != s.Frames*s.Bins {
		return fmt.Errorf("spectrogram: nothing to draw")
	}
	lo, hi := s.Data[0], s.Data[0]
	for _, v := range s.Data {
		lo, hi = min(lo, v), max(hi, v)
	}
	img := image.NewGray(image.Rect(0, 0, s.Frames, s.Bins))
	for t := range s.Frames {
		for f := range s.Bins {
			v := (s.Data[t*s.Bins+f] - lo) / max(hi-lo, 1e-12)
			img.SetGray(t, s.Bins-1-f, color.Gray{Y: uint8(255 * v)})
		}
	}
	return png.Encode(w, img)
}

// WriteWaveformPNG draws samples against time.
func WriteWaveformPNG(w io.Writer, x []float32, rate int, o PictureOptions) error {
	if len(x) == 0 || rate <= 0 {
		return fmt.Errorf("waveform: %d samples at %d Hz: nothing to draw", len(x), rate)
	}
	img := image.NewGray(image.Rect(0, 0, 600, 200))
	for p := range 600 {
		for _, v := range x[p*len(x)/600 : max(p*len(x)/600, (p+1)*len(x)/600)] {
			img.SetGray(p, int(99.5-99*max(-1, min(1, v))), color.Gray{Y: 255})
		}
	}
	return png.Encode(w, img)
}
