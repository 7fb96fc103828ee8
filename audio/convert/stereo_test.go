package convert

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wavemill/audio"
	"wavemill/audio/codec"
	"wavemill/audio/spectrogram"
	"wavemill/audio/stereo"
	"wavemill/audio/wav"
)

// placed is a chirp of n samples in two channels.
func placed(n int, left, right float64) audio.Clip {
	c := audio.Clip{Channels: 2, Rate: 8000}
	for i := range n {
		at := float64(i) / 8000
		v := 0.5 * math.Sin(2*math.Pi*(700*at+50*math.Sin(2*math.Pi*0.5*at)))
		c.Samples = append(c.Samples, float32(left*v), float32(right*v))
	}
	return c
}

func twoChannels(rate int) spectrogram.Config {
	c := spectrogram.Default(rate)
	c.Mels, c.Channels = 32, 2
	return c.Scaled()
}

// Recordings become shards with an image and, from these, WAV of two channels at their place; one channel comes back in the
// middle.
func TestStereoThereAndBack(t *testing.T) {
	in, shards, out := t.TempDir(), t.TempDir(), t.TempDir()
	clips := map[string]audio.Clip{"left.wav": placed(6000, 1, 0.25), "right.wav": placed(9000, 0, 1), "mono.wav": placed(6000, 1, 1).Mono()}
	for name, c := range clips {
		if err := wav.WriteFile(filepath.Join(in, name), c, wav.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Run(t.Context(), Options{Sources: []string{in}, Out: shards, Config: twoChannels}, nil)
	if err != nil || s.Converted != 3 || !strings.Contains(s.String(), "2 channels: the last 16 bins are pan and width") {
		t.Fatalf("%v, error %v", s, err)
	}
	s, err = Run(t.Context(), Options{Sources: []string{shards}, Out: out, To: WAV}, nil)
	if err != nil || s.Converted != 3 {
		t.Fatalf("%v, error %v", s, err)
	}
	for name, c := range clips {
		found, err := filepath.Glob(filepath.Join(out, "*"+name))
		if err != nil || len(found) != 1 {
			all, _ := os.ReadDir(out)
			t.Fatalf("%s: %v of %v, error %v", name, found, all, err)
		}
		back, _, err := codec.DecodeFile(t.Context(), found[0])
		if err != nil || back.Channels != 2 || back.Frames() != c.Frames() {
			t.Fatalf("%s: %d channels of %d, error %v", name, back.Channels, back.Frames(), err)
		}
		was, is := stereo.PlaceOf(c), stereo.PlaceOf(back)
		if math.Abs(was.Pan-is.Pan) > 1 || math.Abs(was.Width-is.Width) > 1 {
			t.Errorf("%s: %+v, was %+v", name, is, was)
		}
	}
	pictures := t.TempDir()
	if s, err := Run(t.Context(), Options{Sources: []string{shards}, Out: pictures, To: PNG}, nil); err != nil || s.Converted != 3 {
		t.Errorf("pictures: %v, error %v", s, err)
	}
}

// Segments of two channels join without a change of place.
func TestStereoSegments(t *testing.T) {
	c := twoChannels(8000)
	f, err := stereo.New(c)
	if err != nil {
		t.Fatal(err)
	}
	n := segmentFrames(c)*c.Hop + 4321
	x := placed(n, 1, 0.25)
	spec, err := f.Forward(x.Samples)
	if err != nil {
		t.Fatal(err)
	}
	var got []float32
	s := segments{t: f, config: c, phase: spectrogram.Phase{Method: spectrogram.MethodPGHI}, total: int64(n), emit: func(x []float32) error {
		got = append(got, x...)
		return nil
	}}
	if err := s.add(spec.Data); err != nil {
		t.Fatal(err)
	}
	if err := s.finish(); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2*n {
		t.Fatalf("%d samples, want %d", len(got), 2*n)
	}
	for at := 0; at+2*8000 <= len(got); at += 2 * 8000 {
		if p := stereo.PlaceOf(audio.Clip{Channels: 2, Rate: 8000, Samples: got[at : at+2*8000]}); math.Abs(p.Pan+12.04) > 1 {
			t.Fatalf("second %d: %+v", at/16000, p)
		}
	}
}
