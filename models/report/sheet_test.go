package report_test

import (
	"bytes"
	"image/png"
	"math"
	"testing"

	"wavemill/audio"
	"wavemill/models/report"
)

// note is a sine of a level that lasts so many seconds.
func note(hz, seconds, level float64) audio.Clip {
	x := make([]float32, int(seconds*16000))
	for i := range x {
		x[i] = float32(level * math.Sin(2*math.Pi*hz*float64(i)/16000))
	}
	return audio.Clip{Samples: x, Channels: 1, Rate: 16000}
}

// brightness draws a sheet and sums up its colours' distance from the darkest, in the left and the right half.
func brightness(t *testing.T, s report.ContactSheet) (left, right float64) {
	t.Helper()
	var b bytes.Buffer
	if err := s.Write(&b); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	size := img.Bounds()
	for y := size.Min.Y; y < size.Max.Y; y++ {
		for x := size.Min.X; x < size.Max.X; x++ {
			r, g, b, _ := img.At(x, y).RGBA()
			// Paper, ink and greys have equal parts; only colours count.
			v := math.Abs(float64(r)-float64(b)) + math.Abs(float64(r)-float64(g))
			if 2*x < size.Dx() {
				left += v
			} else {
				right += v
			}
		}
	}
	return left, right
}

func TestContactSheet(t *testing.T) {
	sheet := func(second audio.Clip) report.ContactSheet {
		return report.ContactSheet{Title: "notes", Rows: []report.SheetRow{
			{Name: "recorded", Clips: map[string]audio.Clip{"a": note(500, 1, 0.5), "b": note(2000, 0.5, 0.5)}},
			{Name: "generated", Clips: map[string]audio.Clip{"a": note(500, 1, 0.5), "b": second}},
		}}
	}
	left, right := brightness(t, sheet(note(2000, 0.5, 0.5)))
	sameLeft, quiet := brightness(t, sheet(note(2000, 0.5, 0.005)))
	_, none := brightness(t, sheet(audio.Clip{}))
	_, silent := brightness(t, sheet(note(1000, 1, 0)))
	if sameLeft != left || !(quiet < 0.95*right) || !(none < quiet) || none != silent {
		t.Errorf("left %.0f and %.0f; right: as loud %.0f, 40 dB lower %.0f, without a clip %.0f, silent %.0f", left, sameLeft, right, quiet, none, silent)
	}
	for _, s := range []report.ContactSheet{{}, {Rows: []report.SheetRow{{Name: "silent", Clips: map[string]audio.Clip{"a": note(1, 1, 0)}}}}} {
		if err := s.Write(&bytes.Buffer{}); err == nil {
			t.Error("a sheet without a sound is drawn")
		}
	}
}
