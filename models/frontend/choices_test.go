package frontend_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"wavemill/audio"
	"wavemill/audio/codec"
	"wavemill/audio/dataset"
	"wavemill/audio/synth"
	"wavemill/models/frontend"
)

// choice prints what a plan chooses by the band of the recordings.
func choice(clips []audio.Clip) string {
	s := frontend.PlanFor(clips).Spectrogram
	return fmt.Sprintf("%d Hz, n_fft %d, hop %d, %d filters to %g Hz", s.SampleRate, s.NFFT, s.Hop, s.Mels, s.FMax)
}

// resampled returns the clips at another rate.
func resampled(t *testing.T, clips []audio.Clip, rate int) []audio.Clip {
	t.Helper()
	var rs audio.Resamplers
	out := make([]audio.Clip, len(clips))
	for i, c := range clips {
		var err error
		if out[i], err = rs.Resample(c, rate); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// TestPlanOfSynthetic holds the choices for each synthetic class, and for the whole set, to those made by the
// first version of the survey, which measured with the spectrogram's own transform.
func TestPlanOfSynthetic(t *testing.T) {
	if testing.Short() {
		t.Skip("it sends the classes of several rates through two front ends")
	}
	for _, c := range []struct {
		class      string
		from, rate int
		want       string
	}{
		{"", 8000, 8000, "8000 Hz, n_fft 512, hop 128, 64 filters to 4000 Hz"},
		{"", 8000, 44100, "44100 Hz, n_fft 2048, hop 512, 80 filters to 4000 Hz"},
		{"", 16000, 16000, "16000 Hz, n_fft 1024, hop 256, 80 filters to 8000 Hz"},
		{"", 44100, 44100, "44100 Hz, n_fft 2048, hop 512, 128 filters to 22050 Hz"},
		{"", 16000, 48000, "48000 Hz, n_fft 4096, hop 1024, 112 filters to 8000 Hz"},
		{"bell", 16000, 16000, "16000 Hz, n_fft 1024, hop 256, 64 filters to 4000 Hz"},
		{"bell", 44100, 44100, "44100 Hz, n_fft 2048, hop 512, 64 filters to 4000 Hz"},
		{"chirp", 16000, 16000, "16000 Hz, n_fft 1024, hop 256, 80 filters to 5512.5 Hz"},
		{"chirp", 44100, 44100, "44100 Hz, n_fft 2048, hop 512, 80 filters to 5512.5 Hz"},
		{"hihat", 16000, 16000, "16000 Hz, n_fft 1024, hop 256, 80 filters to 8000 Hz"},
		{"hihat", 44100, 44100, "44100 Hz, n_fft 2048, hop 256, 60 filters to 22050 Hz"},
		{"kick", 16000, 16000, "16000 Hz, n_fft 1024, hop 256, 80 filters to 8000 Hz"},
		{"kick", 44100, 44100, "44100 Hz, n_fft 2048, hop 256, 60 filters to 22050 Hz"},
		{"pluck", 16000, 16000, "16000 Hz, n_fft 1024, hop 256, 80 filters to 8000 Hz"},
		{"pluck", 44100, 44100, "44100 Hz, n_fft 2048, hop 512, 128 filters to 22050 Hz"},
		{"vowel", 16000, 16000, "16000 Hz, n_fft 1024, hop 256, 80 filters to 5512.5 Hz"},
		{"vowel", 44100, 44100, "44100 Hz, n_fft 2048, hop 512, 64 filters to 4000 Hz"},
	} {
		var clips []audio.Clip
		for _, class := range synth.Classes() {
			if c.class != "" && c.class != class {
				continue
			}
			for seed := range uint64(4) {
				clip, err := synth.Clip(class, seed, c.from)
				if err != nil {
					t.Fatal(err)
				}
				clip.Label = class
				clips = append(clips, clip)
			}
		}
		if got := choice(resampled(t, clips, c.rate)); got != c.want {
			t.Errorf("%q made at %d Hz, at %d Hz: %s, want %s", c.class, c.from, c.rate, got, c.want)
		}
	}
}

// TestPlanOfSpokenDigits does the same for real recordings of 8 kHz.
func TestPlanOfSpokenDigits(t *testing.T) {
	dir := "../../../shared/data/fsdd"
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the spoken digits are not in ", dir)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	set, err := dataset.Scan(t.Context(), []string{dir}, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var clips []audio.Clip
	for i := 0; i < len(set.Items); i += 30 {
		c, _, err := codec.DecodeFile(t.Context(), set.Items[i].Path)
		if err != nil {
			t.Fatal(err)
		}
		c.Label = set.Items[i].Label
		clips = append(clips, c)
	}
	for rate, want := range map[int]string{
		8000:  "8000 Hz, n_fft 512, hop 128, 64 filters to 4000 Hz",
		16000: "16000 Hz, n_fft 1024, hop 256, 64 filters to 4000 Hz",
		22050: "22050 Hz, n_fft 1024, hop 256, 64 filters to 4000 Hz",
		44100: "44100 Hz, n_fft 2048, hop 512, 64 filters to 4000 Hz",
		48000: "48000 Hz, n_fft 4096, hop 1024, 64 filters to 4000 Hz",
	} {
		if got := choice(resampled(t, clips, rate)); got != want {
			t.Errorf("at %d Hz: %s, want %s", rate, got, want)
		}
	}
}
