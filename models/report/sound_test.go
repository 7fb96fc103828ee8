package report

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"slices"
	"testing"

	"wavemill/audio"
	"wavemill/audio/dataset"
	"wavemill/audio/synth"
	"wavemill/audio/wav"
	"wavemill/models/frontend"
)

func TestThumbnail(t *testing.T) {
	data := []float32{-9, 0, 1, 2, 5, float32(math.Inf(1))} // 3 frames of 2 bins
	b, err := Thumbnail(data, 3, 2, 0, 2)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if img.Bounds() != image.Rect(0, 0, 3, 2) {
		t.Fatalf("bounds %v", img.Bounds())
	}
	// Frame 0, bin 0 is the lower left corner, below the range; frame 2, bin 1 the upper right, above it.
	dark, bright := color.RGBAModel.Convert(img.At(0, 1)), color.RGBAModel.Convert(img.At(2, 0))
	if dark != (color.RGBA{0, 0, 4, 255}) || bright != (color.RGBA{252, 253, 191, 255}) {
		t.Errorf("lowest %v, highest %v", dark, bright)
	}
	if _, err := Thumbnail(data, 2, 2, 0, 1); err == nil {
		t.Error("six values were a picture of two by two")
	}
	if _, err := Thumbnail(make([]float32, 4), 2, 2, 1, 1); err != nil {
		t.Errorf("a flat picture: %v", err)
	}
}

// front returns a front end for the synthetic sounds, and one of them.
func front(t *testing.T) (*frontend.FrontEnd, audio.Clip) {
	t.Helper()
	c, err := synth.Clip("chirp", 1, 8000)
	if err != nil {
		t.Fatal(err)
	}
	f, err := frontend.New(frontend.PlanFor([]audio.Clip{c}))
	if err != nil {
		t.Fatal(err)
	}
	return f, c
}

func TestNewSound(t *testing.T) {
	f, c := front(t)
	s, err := NewSound(f, c, "a.wav")
	if err != nil {
		t.Fatal(err)
	}
	decoded, _, err := wav.Decode(s.WAV)
	if err != nil || decoded.Frames() != c.Frames() || decoded.Rate != c.Rate || s.Name != "a.wav" || s.Doubted {
		t.Errorf("sound %q: %d frames at %d Hz, %v", s.Name, decoded.Frames(), decoded.Rate, err)
	}
	config, err := png.DecodeConfig(bytes.NewReader(s.PNG))
	if fe := f.Config(); err != nil || config.Width != fe.Frames || config.Height != fe.Spectrogram.Bins() {
		t.Errorf("a picture of %d by %d, %v", config.Width, config.Height, err)
	}
	silent := audio.Clip{Rate: 8000, Channels: 1, Samples: make([]float32, 8000)}
	if s, err := NewSound(f, silent, "silent"); err != nil || len(s.PNG) != 0 || len(s.WAV) == 0 {
		t.Errorf("silence: %d bytes of picture, %d of sound, %v", len(s.PNG), len(s.WAV), err)
	}
	silent.Samples[5] = float32(math.NaN())
	if _, err := NewSound(f, silent, "broken"); err == nil {
		t.Error("a sample that is not a number was accepted")
	}
}

// A clip of little range keeps its contrast: the picture begins at its least value, not 60 dB below the loudest.
func TestPictureOfSteadySound(t *testing.T) {
	f, c := front(t)
	state := uint32(1)
	for i := range c.Samples { // noise of one level
		state = state*1664525 + 1013904223
		c.Samples[i] = float32(int32(state)) / (1 << 32)
	}
	s, err := NewSound(f, c, "noise")
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(s.PNG))
	if err != nil {
		t.Fatal(err)
	}
	darkest := color.RGBAModel.Convert(color.RGBA{0, 0, 4, 255})
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			if color.RGBAModel.Convert(img.At(x, y)) == darkest {
				return
			}
		}
	}
	t.Error("no point of the picture has the darkest colour")
}

func TestExamplesAreSpread(t *testing.T) {
	var all []dataset.Recording
	for i := range 10 {
		all = append(all, dataset.Recording{Item: dataset.Item{Name: string(rune('0' + i)), Label: "b"}})
	}
	all = append(all, dataset.Recording{Item: dataset.Item{Name: "x", Label: "a"}})
	var names []string
	for _, r := range Examples(all, 4) {
		names = append(names, r.Name)
	}
	if want := []string{"x", "0", "2", "5", "7"}; !slices.Equal(names, want) {
		t.Errorf("examples %q, want %q", names, want)
	}
}

func TestRecordingNotes(t *testing.T) {
	of := func(rate, channels int, truncated bool) dataset.Recording {
		return dataset.Recording{Clip: audio.Clip{Rate: rate, Channels: channels}, Truncated: truncated}
	}
	got := RecordingNotes([]dataset.Recording{of(8000, 1, false), of(44100, 2, true), of(44100, 1, false)}, 8000, 1)
	want := []string{"2 recordings are resampled from 44100 to 8000 Hz", "1 recording is mixed down to one channel", "1 recording is truncated; the part that is there is used"}
	if !slices.Equal(got, want) {
		t.Errorf("notes %q, want %q", got, want)
	}
	if got := RecordingNotes([]dataset.Recording{of(8000, 1, false)}, 8000, 1); got != nil {
		t.Errorf("nothing to do gave %q", got)
	}
}
