package dataset

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"wavemill/audio"
	"wavemill/audio/codec"
	"wavemill/audio/codec/flactest"
	"wavemill/audio/wav"
)

// TestFaults names, before anything is trained, what cannot be learnt from.
func TestFaults(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, channels, rate int, sample func(i, channel int) float32, frames int) {
		c := audio.Clip{Channels: channels, Rate: rate}
		for i := range frames * channels {
			c.Samples = append(c.Samples, sample(i/channels, i%channels))
		}
		b, err := wav.Encode(c, wav.Options{Encoding: wav.Float32})
		if filepath.Ext(name) == ".flac" {
			b, err = flactest.Encode(c, flactest.Options{})
			b[26] ^= 1 // The sum of the samples.
		}
		if err == nil {
			err = os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	wave := func(i, _ int) float32 { return float32(i%17)/32 - 0.2 }
	write("a/sound.wav", 1, 8000, wave, 500)
	write("a/other.wav", 1, 8000, func(i, _ int) float32 { return float32(i%13) / 64 }, 500)
	write("a/sum.flac", 1, 8000, func(i, _ int) float32 { return float32(i%11) / 64 }, 500)
	write("a/silent.wav", 2, 8000, func(int, int) float32 { return 0 }, 500)
	write("a/dc.wav", 1, 8000, func(int, int) float32 { return 0.5 }, 500)
	write("a/dc2.wav", 2, 8000, func(_, channel int) float32 { return float32(channel) }, 500)
	write("a/opposite.wav", 2, 8000, func(i, channel int) float32 { return wave(i, 0) * float32(1-2*channel) }, 500)
	write("a/half.wav", 2, 8000, func(i, channel int) float32 { return wave(i, 0) * float32(1-channel) }, 500)
	write("b/copy.wav", 1, 8000, wave, 500)
	write("c/1.wav", 1, 8000, func(i, _ int) float32 { return float32(i%7) / 8 }, 500)
	write("c/2.wav", 1, 8000, func(i, _ int) float32 { return float32(i%7) / 8 }, 500)
	write("b/long.wav", 1, 4, wave, 4*codec.MaxSeconds+1)
	if err := os.WriteFile(filepath.Join(dir, "b/broken.wav"), []byte("RIFF\x04\x00\x00\x00WAVE"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := scan(t, "folder", dir)
	all, err := Load(t.Context(), d.Items, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, line := range Faults(all) {
		got = append(got, strings.ReplaceAll(line, dir+string(filepath.Separator), ""))
	}
	for _, want := range []string{
		"skipped b/broken.wav: ", "fault of 1 file: The MD5 sum", "only the beginning is used of b/long.wav: a recording may have 300 s and 256 MiB",
		"warning: silent: a/silent.wav", "warning: constant (DC), without sound: a/dc.wav, a/dc2.wav", "warning: channels that cancel each other when they are mixed down (of two, half of the difference is used instead): a/opposite.wav",
		"warning: the same samples under different labels, 1 times: a/", "1 recordings have the same samples as another one of their label",
		"warning: all recordings of a label are the same: c (2)",
	} {
		at := slices.IndexFunc(got, func(line string) bool { return strings.HasPrefix(line, want) })
		if at < 0 {
			t.Errorf("no line %q in\n%s", want, strings.Join(got, "\n"))
			continue
		}
		got = slices.Delete(got, at, at+1)
	}
	if len(got) > 0 {
		t.Errorf("also\n%s", strings.Join(got, "\n"))
	}
	if lines := Faults(slices.DeleteFunc(all, func(r Recording) bool {
		return !strings.HasSuffix(r.Path, "sound.wav") && !strings.HasSuffix(r.Path, "other.wav")
	})); len(lines) != 0 {
		t.Errorf("of good recordings: %q", lines)
	}
}

// TestLongSilence: of a silent recording a second is kept, and it is still told from another one.
func TestLongSilence(t *testing.T) {
	dir := t.TempDir()
	var items []Item
	for i, seconds := range []int{3, 4} {
		path := filepath.Join(dir, strconv.Itoa(i)+".wav")
		if err := wav.WriteFile(path, audio.Clip{Samples: make([]float32, seconds*8000), Channels: 2, Rate: 4000}, wav.Options{}); err != nil {
			t.Fatal(err)
		}
		items = append(items, Item{Path: path, Name: filepath.Base(path), Label: "a"})
	}
	got, err := Load(t.Context(), items, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range got {
		if r.Flaw != Silent || r.Clip.Frames() != 4000 || cap(r.Clip.Samples) > 16000 {
			t.Errorf("%s: %q, %d frames kept in %d samples", r.Name, r.Flaw, r.Clip.Frames(), cap(r.Clip.Samples))
		}
	}
	if got[0].Digest == got[1].Digest {
		t.Error("silence of two lengths has one digest")
	}
}
