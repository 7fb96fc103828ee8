package spectrogram

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"wavemill/audio/spectrogram/picture"
)

// PictureOptions describe the appearance of a picture. The zero value is a good default.
type PictureOptions struct {
	Width    int    // pixels of the plot itself, without axes; 0 follows the data: 400 to 1600
	Height   int    // pixels of the plot itself; 0 follows the data: 240 to 513 (waveforms: 160)
	Colormap string // "magma" (also "") or "viridis"
	Title    string // one line above the plot; what does not fit is cut

	// Seconds is the time that a spectrogram's frames span where each stands for several, as in the picture of a long
	// recording; 0 follows from the number of frames and the hop.
	Seconds float64
}

// pictureRange is the decibels below the loudest value that a picture shows.
const pictureRange = 80

// WritePNG draws a spectrogram as PNG: time to the right, frequency upwards on the spectrogram's own scale, level in dB
// as colour down to 80 dB below the loudest value. Where several frames or bins fall on one pixel it shows the loudest.
func WritePNG(w io.Writer, s *Spectrogram, o PictureOptions) error {
	if s == nil || s.Frames < 1 || s.Bins < 1 || len(s.Data) != s.Frames*s.Bins {
		return errors.New("picture: the spectrogram is empty or its data does not fit its frames and bins")
	}
	if err := s.Config.Validate(); err != nil {
		return fmt.Errorf("picture: %w", err)
	}
	if s.Bins != s.Config.Bins() {
		return fmt.Errorf("picture: %d bins; the spectrogram's config has %d", s.Bins, s.Config.Bins())
	}
	s = s.withoutImage()
	level := s.levels()
	top := level[0]
	for _, v := range level {
		top = max(top, v)
	}
	top = float32(math.Ceil(float64(top)))
	seconds := float64(s.Config.Samples(s.Frames+1)) / float64(s.Config.SampleRate)
	if o.Seconds > 0 {
		seconds = o.Seconds
	}
	bins := s.Bins - s.Config.Marks() // marks are no levels
	p := picture.Plot{
		Width: side(o.Width, s.Frames, 400, 1600), Height: side(o.Height, bins, 240, 513),
		Title: o.Title, Colormap: o.Colormap,
	}
	p.X = picture.Linear(0, seconds, picture.XTicks(p.Width), "time (s)")
	p.Y = s.Config.frequencyAxis(p.Height)
	p.Bar = picture.Linear(float64(top)-pictureRange, float64(top), 4, "dB")
	return p.WriteField(w, func(x, y int) float64 {
		f0, f1 := s.framesAt(x, p.Width)
		b0, b1 := cells(y, p.Height, bins)
		loudest := float32(math.Inf(-1))
		for f := f0; f < f1; f++ {
			for _, v := range level[f*s.Bins+b0 : f*s.Bins+b1] {
				loudest = max(loudest, v)
			}
		}
		return 1 - float64(top-loudest)/pictureRange
	})
}

// levels are the values of s in dB; those that are not numbers are silence.
func (s *Spectrogram) levels() []float32 {
	c := s.Config
	perDecade := 20.0
	if c.isPower() {
		perDecade = 10
	}
	gain, offset := 1.0, 0.0
	if c.isScaled() {
		gain = (c.Max - c.Min) / 2
		offset = c.Min + gain
	}
	const silence = -200
	out := make([]float32, len(s.Data))
	for i, v := range s.Data {
		var db float64
		if c.isLog() {
			db = perDecade / math.Ln10 * (float64(v)*gain + offset)
		} else {
			db = perDecade * math.Log10(float64(v))
		}
		if !(db > silence) {
			db = silence
		}
		out[i] = float32(min(db, -silence))
	}
	return out
}

// side is the pixels of n cells: as asked for, or whole pixels per cell from least on, at most most.
func side(asked, n, least, most int) int {
	if asked != 0 {
		return asked
	}
	return min(n*((least+n-1)/n), most)
}

// cells are those of n, from first to before end, that pixel i of width shows: at least one.
func cells(i, width, n int) (first, end int) {
	first = i * n / width
	return first, max(first+1, min(n, (i+1)*n/width))
}

// framesAt are those that pixel x of width shows, as cells are. Where the hop grows, the last frames are wider.
func (s *Spectrogram) framesAt(x, width int) (first, end int) {
	if s.Config.HopGrowth == 0 {
		return cells(x, width, s.Frames)
	}
	samples := s.Config.Samples(s.Frames + 1)
	first = min(s.Config.Frames(x*samples/width)-1, s.Frames-1)
	return first, min(max(first+1, s.Config.Frames((x+1)*samples/width)-1), s.Frames)
}

// frequencyAxis labels the bins of c in Hz.
func (c Config) frequencyAxis(height int) picture.Axis {
	nyquist := float64(c.SampleRate) / 2
	if c.Scale == ScaleLinear {
		if nyquist < 2000 {
			return picture.Linear(0, nyquist, picture.YTicks(height), "Hz")
		}
		return picture.Linear(0, nyquist/1000, picture.YTicks(height), "kHz")
	}
	// Mel m of the filters lies at step m+1 of Mels+1; its cell's middle is half a cell up.
	low, high := c.mel(c.FMin), c.mel(c.fMax())
	a := picture.Axis{Caption: "Hz"}
	least := 1.4 * 14 / float64(height)
	last := math.Inf(-1)
	for _, hz := range melTicks {
		step := (c.mel(hz) - low) / (high - low) * float64(c.Mels+1)
		at := (step - 0.5) / float64(c.Mels)
		if at < 0 || at > 1 || at-last < least {
			continue
		}
		label := strconv.FormatFloat(hz, 'f', -1, 64)
		if hz >= 1000 {
			label = strconv.FormatFloat(hz/1000, 'f', -1, 64) + "k"
		}
		a.Ticks = append(a.Ticks, picture.Tick{At: at, Label: label})
		last = at
	}
	return a
}

// melTicks are round frequencies about equally far apart by ear.
var melTicks = []float64{0, 100, 200, 300, 500, 700, 1000, 1500, 2000, 3000, 4000, 6000, 8000, 12000, 16000, 20000, 40000, 80000}
