package convert

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wavemill/audio/codec"
	"wavemill/audio/codec/flactest"
	"wavemill/audio/wav"
)

// Files whose names are no UTF-8 are converted once, whatever the target, and keep names of their own.
func TestNamesOfBytes(t *testing.T) {
	dir := t.TempDir()
	for i, name := range []string{"caf\xe8/1.wav", "caf\xe9/1.wav", "b/caf\xe9.wav", "b/caf\xe8.wav"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Skip("the file system refuses such names: ", err)
		}
		b, err := wav.Encode(chirp(i, 8000, 1), wav.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Skip("the file system refuses such names: ", err)
		}
	}
	for _, to := range Targets() {
		o := Options{Sources: []string{dir}, Out: t.TempDir(), To: to, Config: small}
		first := run(t, o)
		before := files(t, o.Out)
		if first.Converted != 4 || len(first.Labels) != 3 || first.Labels["caf\ufffdE9"] != 1 || first.Labels["b"] != 2 {
			t.Errorf("%s: %+v", to, first)
		}
		for range 2 {
			if again := run(t, o); again.Converted != 0 || again.AlreadyDone != 4 {
				t.Errorf("%s, again: %+v", to, again)
			}
		}
		if diff := cmp.Diff(before, files(t, o.Out)); diff != "" {
			t.Errorf("%s: the same command again changed results", to)
		}
		if to == WAV { // The list of labels serves for the results.
			back := run(t, Options{Sources: []string{o.Out}, Out: t.TempDir(), Config: small, Labels: filepath.Join(o.Out, LabelsName)})
			if !maps.Equal(back.Labels, first.Labels) {
				t.Errorf("by %s: %v, want %v", LabelsName, back.Labels, first.Labels)
			}
		}
	}
}

// Recordings that differ only in their extension are all converted, to names that say which is which.
func TestNamesOfTwins(t *testing.T) {
	dir := t.TempDir()
	writeWAV(t, filepath.Join(dir, "a", "kick.wav"), chirp(1, 8000, 1))
	writeWAV(t, filepath.Join(dir, "a", "kick.flac.wav"), chirp(2, 8000, 1))
	writeWAV(t, filepath.Join(dir, "b", "bell.wav"), chirp(3, 8000, 1))
	flac, err := flactest.Encode(chirp(4, 8000, 1), flactest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a", "kick.flac"), flac, 0o600); err != nil {
		t.Fatal(err)
	}
	for to, want := range map[Target][]string{
		WAV: {"a/kick.flac-2.wav", "a/kick.flac.wav", "a/kick.wav", "b/bell.wav"},
		PNG: {"a/kick.flac-2.png", "a/kick.flac.png", "a/kick.wav.png", "b/bell.png"},
	} {
		o := Options{Sources: []string{dir}, Out: t.TempDir(), To: to, Config: small}
		s := run(t, o)
		got := slices.DeleteFunc(slices.Sorted(maps.Keys(files(t, o.Out))), func(name string) bool { return filepath.Ext(name) != "."+string(to) })
		if diff := cmp.Diff(want, got); diff != "" || s.Converted != 4 || !strings.Contains(strings.Join(s.Notes, "\n"), "a/kick.flac becomes a/kick.flac."+string(to)) {
			t.Errorf("%s: %+v\n%s", to, s, diff)
		}
		if again := run(t, o); again.Converted != 0 || again.AlreadyDone != 4 {
			t.Errorf("%s, again: %+v", to, again)
		}
		if to == WAV {
			clip, _, err := codec.DecodeFile(t.Context(), filepath.Join(o.Out, "a", "kick.flac.wav"))
			if err != nil || clip.Frames() != chirp(4, 8000, 1).Frames() {
				t.Errorf("kick.flac.wav has %d frames, kick.flac %d (%v)", clip.Frames(), chirp(4, 8000, 1).Frames(), err)
			}
		}
	}
}

func TestMostCommonRate(t *testing.T) {
	for _, tc := range []struct {
		want  int
		count map[int]int
	}{
		{16000, nil},
		{44100, map[int]int{44100: 1, 44101: 5}},
		{48000, map[int]int{44101: 5, 48000: 1, 47999: 9}},
		{44101, map[int]int{44101: 2, 44099: 1}},
		{20000, map[int]int{20000: 3, 44100: 2}},
		{22050, map[int]int{22050: 2, 44100: 2}},
		{44056, map[int]int{44056: 2, 44100: 1}},
	} {
		if got := mostCommonRate(tc.count); got != tc.want {
			t.Errorf("%v: %d, want %d", tc.count, got, tc.want)
		}
	}
}

// The progress and the summary count the same skipped files.
func TestSkippedCountedOnce(t *testing.T) {
	dir := corpus(t, 3)
	for name, data := range map[string]string{"notes.txt": "hi", "0_bad.wav": "RIFF\x04\x00\x00\x00WAVE", ".1_x.wav": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var last Progress
	s, err := Run(t.Context(), Options{Sources: []string{dir}, Out: t.TempDir(), Config: small}, func(p Progress) { last = p })
	if err != nil {
		t.Fatal(err)
	}
	if s.Skipped != 3 || last.Skipped != 3 || len(s.Reasons) != 3 || strings.Count(s.String(), "1 file: ") != 3 {
		t.Errorf("progress %d, summary %d: %s", last.Skipped, s.Skipped, s)
	}
}
