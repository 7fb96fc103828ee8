package convert

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wavemill/audio"
	"wavemill/audio/codec/flactest"
	"wavemill/audio/dataset"
	"wavemill/audio/wav"
)

// loud is a clip with values on 24-bit steps, of which some are beyond full scale where peak is above 1.
func loud(peak float32) audio.Clip {
	c := audio.Clip{Channels: 1, Rate: 8000}
	for i := range 400 {
		c.Samples = append(c.Samples, peak*float32((i*7919)%400-200)/256+1.0/(1<<20))
	}
	return c
}

// TestBits: without --bits a WAV file holds the samples of its source exactly; with it, samples beyond full scale are
// clipped and counted.
func TestBits(t *testing.T) {
	dir := t.TempDir()
	flac, err := flactest.Encode(loud(1), flactest.Options{Bits: 24})
	if err != nil {
		t.Fatal(err)
	}
	hot := loud(2.5)
	over := int64(0)
	for _, v := range hot.Samples {
		if v > 1 || v < -1 {
			over++
		}
	}
	sources := map[string][]byte{"flac24.flac": flac}
	for name, encode := range map[string]func() ([]byte, error){
		"hot.wav":   func() ([]byte, error) { return wav.Encode(hot, wav.Options{Encoding: wav.Float32}) },
		"pcm24.wav": func() ([]byte, error) { return wav.Encode(loud(1), wav.Options{Encoding: wav.PCM24}) },
		"pcm32.wav": func() ([]byte, error) { return wav.Encode(loud(1), wav.Options{Encoding: wav.PCM32}) },
		"pcm16.wav": func() ([]byte, error) { return wav.Encode(loud(1), wav.Options{}) },
	} {
		if sources[name], err = encode(); err != nil {
			t.Fatal(err)
		}
	}
	for name, data := range sources {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out := t.TempDir()
	s := run(t, Options{Sources: []string{dir}, Out: out, To: WAV})
	if s.Clipped != 0 || s.Converted != 5 || strings.Contains(s.String(), "clipped") {
		t.Errorf("%+v", s)
	}
	results := files(t, out)
	for name, want := range map[string]string{"flac24": "pcm_s24le", "hot": "pcm_f32le", "pcm24": "pcm_s24le", "pcm32": "pcm_f32le", "pcm16": "pcm_s16le"} {
		got, h, err := wav.Decode([]byte(results[name+".wav"]))
		if err != nil || h.Encoding != want {
			t.Errorf("%s: %s, want %s (%v)", name, h.Encoding, want, err)
			continue
		}
		source := name + ".wav"
		if name == "flac24" {
			source = "pcm24.wav"
		}
		whole, _, err := wav.Decode(sources[source])
		if err != nil || !slices.Equal(got.Samples, whole.Samples) {
			t.Errorf("%s: other samples than those of the source (%v)", name, err)
		}
	}
	for bits, encoding := range map[string]string{"16": "pcm_s16le", "24": "pcm_s24le", "32f": "pcm_f32le"} {
		out := t.TempDir()
		s := run(t, Options{Sources: []string{dir}, Out: out, To: WAV, Bits: bits})
		want, named := over, 1
		if bits == "32f" {
			want, named = 0, 0
		}
		if s.Clipped != want || s.ClippedFiles != named || strings.Count(s.String(), "beyond full scale and were clipped") != named {
			t.Errorf("%s: %d samples of %d files clipped, want %d of %d: %s", bits, s.Clipped, s.ClippedFiles, want, named, s)
		}
		if _, h, err := wav.Decode([]byte(files(t, out)["hot.wav"])); err != nil || h.Encoding != encoding {
			t.Errorf("%s: %s (%v)", bits, h.Encoding, err)
		}
	}
	if _, err := Run(t.Context(), Options{Sources: []string{dir}, Out: t.TempDir(), To: WAV, Bits: "8"}, nil); err == nil || !strings.Contains(err.Error(), "want 16, 24 or 32f") {
		t.Errorf("8 bits: %v", err)
	}
	if _, err := Run(t.Context(), Options{Sources: []string{dir}, Out: out, To: WAV, Bits: "24"}, nil); err == nil || !strings.Contains(err.Error(), "encoding by source") {
		t.Errorf("other bits in the same folder: %v", err)
	}
}

// A folder that an earlier version filled goes on with its 16 bits.
func TestBitsOfEarlierVersion(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	b, err := wav.Encode(loud(2.5), wav.Options{Encoding: wav.Float32})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a.wav"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	old, err := json.Marshal(state{To: WAV, Encoding: wav.PCM16.String()})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(out, stateName), old, 0o600); err != nil {
		t.Fatal(err)
	}
	s := run(t, Options{Sources: []string{dir}, Out: out, To: WAV})
	if _, h, err := wav.Decode([]byte(files(t, out)["a.wav"])); err != nil || h.Encoding != "pcm_s16le" || s.Clipped == 0 {
		t.Errorf("%+v, %+v, %v", h, s, err)
	}
}

// The sound that is made from shards of a square wave at full scale overshoots, and is not clipped.
func TestReconstructionIsNotClipped(t *testing.T) {
	dir, shards, out := t.TempDir(), t.TempDir(), t.TempDir()
	c := audio.Clip{Channels: 1, Rate: 8000, Samples: make([]float32, 8000)}
	for i := range c.Samples {
		c.Samples[i] = float32(i/20%2*2-1) * 0.99
	}
	writeWAV(t, filepath.Join(dir, "a", "square.wav"), c)
	run(t, Options{Sources: []string{dir}, Out: shards})
	s := run(t, Options{Sources: []string{shards}, Out: out, To: WAV})
	got, h, err := wav.Decode([]byte(files(t, out)["a/square.wav"]))
	if err != nil || h.Encoding != "pcm_f32le" || got.Peak() <= 1 || s.Clipped != 0 {
		t.Errorf("%s, peak %.2f, %d clipped, %v", h.Encoding, got.Peak(), s.Clipped, err)
	}
	if s := run(t, Options{Sources: []string{shards}, Out: t.TempDir(), To: WAV, Bits: "16"}); s.Clipped == 0 {
		t.Error("16 bits: nothing counted as clipped")
	}
}

// Faults of files that are converted all the same are counted in the summary.
func TestFaultsCounted(t *testing.T) {
	dir := t.TempDir()
	for i, name := range []string{"a.flac", "b.flac", "c.flac"} {
		b, err := flactest.Encode(chirp(i, 8000, 1), flactest.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if name != "c.flac" {
			b[26] ^= 1 // The sum of the samples.
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, to := range Targets() {
		s := run(t, Options{Sources: []string{dir}, Out: t.TempDir(), To: to, Config: small})
		if s.Converted != 3 || len(s.Faults) != 1 || !strings.HasPrefix(s.Faults[0], "2 files: The MD5") && !strings.HasPrefix(s.Faults[0], "2 files, such as ") || !strings.Contains(s.String(), "faults of converted files:") {
			t.Errorf("%s: %+v", to, s)
		}
	}
}

// A recording of which a part is left out is in skipped.jsonl, marked as partial.
func TestPartialFilesAreListed(t *testing.T) {
	dir := t.TempDir()
	one, err := os.ReadFile(filepath.Join("..", "codec", "testdata", "tiny.ogg"))
	if err != nil {
		t.Fatal(err)
	}
	other := "OggS\x00\x06\x00\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x04\x04else"
	for name, data := range map[string]string{"chain.ogg": string(one) + other, "whole.ogg": string(one)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out := t.TempDir()
	s := run(t, Options{Sources: []string{dir}, Out: out, Config: small})
	var line dataset.Skip
	if err := json.Unmarshal([]byte(files(t, out)[SkippedName]), &line); err != nil {
		t.Fatal(err)
	}
	if s.Converted != 2 || s.Skipped != 0 || s.Truncated != 1 || len(s.Faults) != 1 || !line.Partial || filepath.Base(line.Path) != "chain.ogg" || !strings.Contains(line.Reason, "left out") {
		t.Errorf("%+v, %+v", s, line)
	}
}
