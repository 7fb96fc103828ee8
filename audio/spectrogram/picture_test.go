package spectrogram

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"math"
	"testing"
)

func drawn(t *testing.T, s *Spectrogram, o PictureOptions) image.Image {
	t.Helper()
	var b bytes.Buffer
	if err := WritePNG(&b, s, o); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// brightness is the sum of a pixel's channels.
func brightness(img image.Image, x, y int) uint32 {
	r, g, b, _ := img.At(x, y).RGBA()
	return r + g + b
}

// TestPictureShowsTheTone finds the brightest row of a plot of one tone: it must lie at the tone's frequency.
func TestPictureShowsTheTone(t *testing.T) {
	for _, scale := range []string{ScaleLinear, ScaleMel} {
		c := Default(8000)
		c.Scale = scale
		if scale == ScaleLinear {
			c.Value, c.Min, c.Max = ValueMagnitude, 0, 0
		}
		tr, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		x := make([]float32, 8000)
		for i := range x {
			x[i] = float32(0.5 * math.Sin(2*math.Pi*1000*float64(i)/8000))
		}
		s, err := tr.Forward(nil, x)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"magma", "viridis"} {
			o := PictureOptions{Width: 500, Height: 400, Colormap: name, Title: "1 kHz, é"}
			img := drawn(t, s, o)
			left, top := plotOrigin(img, o)
			best := 0
			for y := range o.Height {
				if brightness(img, left+250, top+y) > brightness(img, left+250, top+best) {
					best = y
				}
			}
			at := 1 - (float64(best)+0.5)/float64(o.Height)
			want := 1000.0 / 4000
			if scale == ScaleMel {
				low, high := c.mel(c.FMin), c.mel(c.fMax())
				want = ((c.mel(1000)-low)/(high-low)*float64(c.Mels+1) - 0.5) / float64(c.Mels)
			}
			if math.Abs(at-want) > 0.02 {
				t.Errorf("%s %s: the tone is drawn at %.3f of the height, want %.3f", scale, name, at, want)
			}
		}
	}
}

// plotOrigin finds the top left pixel of the plot: inside the first long dark line from the left and from the top.
func plotOrigin(img image.Image, o PictureOptions) (left, top int) {
	dark := func(x, y int) bool { return brightness(img, x, y) < 3*0x2000 }
	b := img.Bounds()
	for x := range b.Dx() {
		n := 0
		for y := range b.Dy() {
			if dark(x, y) {
				n++
			}
		}
		if n >= o.Height {
			left = x + 1
			break
		}
	}
	for y := range b.Dy() {
		n := 0
		for x := range b.Dx() {
			if dark(x, y) {
				n++
			}
		}
		if n >= o.Width {
			return left, y + 1
		}
	}
	return left, 0
}

func TestPicturesOfOddData(t *testing.T) {
	c := linear(8000, 64)
	for _, frames := range []int{1, 2, 5000} {
		s := &Spectrogram{Config: c, Frames: frames, Bins: 33, Data: make([]float32, frames*33)}
		s.Data[0] = float32(math.NaN())
		if w := drawn(t, s, PictureOptions{}).Bounds().Dx(); w < 400 || w > 1800 {
			t.Errorf("%d frames: %d pixels wide", frames, w)
		}
	}
	s := &Spectrogram{Config: c, Frames: 2, Bins: 33, Data: make([]float32, 66)}
	for name, f := range map[string]func() error{
		"nil": func() error { return WritePNG(&bytes.Buffer{}, nil, PictureOptions{}) },
		"bins": func() error {
			return WritePNG(&bytes.Buffer{}, &Spectrogram{Config: c, Frames: 1, Bins: 1, Data: make([]float32, 1)}, PictureOptions{})
		},
		"colormap": func() error { return WritePNG(&bytes.Buffer{}, s, PictureOptions{Colormap: "jet"}) },
		"size":     func() error { return WritePNG(&bytes.Buffer{}, s, PictureOptions{Width: 1 << 20}) },
		"negative": func() error { return WritePNG(&bytes.Buffer{}, s, PictureOptions{Height: -1}) },
		"writer":   func() error { return WritePNG(failing{}, s, PictureOptions{}) },
	} {
		if f() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// failing is a writer on a full disk.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("no space left") }

// TestPictureOfOneShot: time is to scale though the hop grows, and marks are not drawn.
func TestPictureOfOneShot(t *testing.T) {
	c := OneShot(44100)
	s := &Spectrogram{Config: c, Frames: 96, Bins: c.Bins(), Data: make([]float32, 96*c.Bins())}
	const width = 400
	last := 0
	for x := range width {
		first, end := s.framesAt(x, width)
		at := float64(x) / width * float64(c.Samples(97))
		if first < last || end <= first || end > s.Frames || float64(c.Samples(first+1)) > at+1 {
			t.Fatalf("pixel %d shows frames %d to %d", x, first, end)
		}
		last = first
	}
	if first, _ := s.framesAt(width/2, width); first < 60 {
		t.Errorf("the middle is frame %d, as if the hop did not grow", first)
	}
	for i := range s.Data {
		s.Data[i] = -1
		if i%s.Bins >= c.Mels {
			s.Data[i] = 1
		}
	}
	s.Data[0] = 0.5
	o := PictureOptions{Width: width, Height: 122}
	img := drawn(t, s, o)
	left, top := plotOrigin(img, o)
	for y := range 60 {
		if b := brightness(img, left+width/2, top+y); b > 0x8000 {
			t.Fatalf("row %d of a silent column has the brightness %#x: marks are drawn", y, b)
		}
	}
}
