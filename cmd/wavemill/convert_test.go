package main

import (
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"wavemill/audio/convert"
	"wavemill/audio/measure"
	"wavemill/audio/synth"
	"wavemill/audio/wav"
	"wavemill/internal/oracle"
)

// recordings writes three clips of each of two classes.
func recordings(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, class := range synth.Classes()[:2] {
		for seed := range uint64(3) {
			clip, err := synth.Clip(class, seed, 8000)
			if err != nil {
				t.Fatal(err)
			}
			if err := wav.WriteFile(filepath.Join(dir, class+"_"+strconv.FormatUint(seed, 10)+".wav"), clip, wav.Options{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

func TestConvert(t *testing.T) {
	dir, shards, sound := recordings(t), t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, stderr := mustRun(t, "convert", dir, "--out", shards, "--json", "--n-fft", "256", "--mels", "20")
	s := decodeLines[convert.Summary](t, stdout)
	if len(s) != 1 || s[0].Converted != 6 || s[0].Skipped != 1 || s[0].Config.Mels != 20 || s[0].Config.Hop != 64 || !strings.Contains(stderr, "6 files in") {
		t.Errorf("%+v\n%s", s, stderr)
	}
	stdout, _ = mustRun(t, "convert", dir, "--out", shards, "--n-fft", "256", "--mels", "20")
	if !strings.Contains(stdout, "6 files to npy, 6 of them in an earlier run, 1 skipped") || !strings.Contains(stdout, "skipped.jsonl") {
		t.Errorf("again:\n%s", stdout)
	}
	mustRun(t, "convert", shards, "--out", sound, "--to", "wav", "--phase", "pghi")
	if made, err := filepath.Glob(filepath.Join(sound, "*.wav")); err != nil || len(made) != 6 {
		t.Errorf("%v, %v", made, err)
	}
}

func TestConvertExitCodes(t *testing.T) {
	empty := t.TempDir()
	for line, want := range map[string]struct {
		code int
		text string
	}{
		"convert":                                       {exitUsage, "needs a folder or a file"},
		"convert x":                                     {exitUsage, "--out is missing"},
		"convert x --out y --to mp3":                    {exitUsage, "npy, png, wav"},
		"convert x --out y --workers -1":                {exitUsage, "cannot be negative"},
		"convert x --out y --shard-size 0":              {exitUsage, "--shard-size"},
		"convert " + empty + "/none --out " + empty:     {exitFailed, "no such file"},
		"convert " + empty + " --out " + empty + "/out": {exitFailed, "nothing could be converted"},
	} {
		code, _, stderr := runCLI(t, strings.Fields(line)...)
		if code != want.code || !strings.Contains(stderr, want.text) {
			t.Errorf("%s: exit code %d, want %d\n%s", line, code, want.code, stderr)
		}
	}
}

// TestInspectCorpus compares inspect with ffprobe on the mixed corpus of the codec package.
func TestInspectCorpus(t *testing.T) {
	if testing.Short() {
		t.Skip("the corpus takes some seconds to make")
	}
	for _, program := range []string{"sh", "sox", "ffmpeg", "ffprobe"} {
		if _, err := exec.LookPath(program); err != nil {
			oracle.Missing(t, "the corpus is made with %s, which is not installed", program)
		}
	}
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "sh", "../../audio/codec/testdata/corpus.sh", dir).CombinedOutput(); err != nil {
		t.Fatalf("corpus.sh: %v\n%s", err, out)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) < 40 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for i, file := range files {
		name := filepath.Base(file)
		if strings.HasPrefix(name, "refused-") {
			if code, _, stderr := runCLI(t, "inspect", "--json", file); code != exitFailed || !strings.Contains(stderr, "is not supported") {
				t.Errorf("%s: exit code %d, %s", name, code, stderr)
			}
			continue
		}
		if i%3 != 0 && name != "cut.wav" { // The test of package codec compares all of them.
			continue
		}
		stdout, _ := mustRun(t, "inspect", "--json", file)
		got := decodeLines[measure.Report](t, stdout)[0]
		if !(got.Peak > 0.1 && got.Peak <= 1.01 && got.RMS > 0.01 && got.RMS < got.Peak) {
			t.Errorf("%s: peak %v, RMS %v", name, got.Peak, got.RMS)
		}
		if strings.HasPrefix(name, "sox-rifx") { // ffprobe 5 misreads big-endian WAV.
			continue
		}
		var probe struct {
			Streams []struct {
				Codec    string `json:"codec_name"`
				Rate     string `json:"sample_rate"`
				Channels int    `json:"channels"`
				Duration string `json:"duration"`
			} `json:"streams"`
			Format struct {
				Name string `json:"format_name"`
			} `json:"format"`
		}
		out, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "error", "-select_streams", "a:0", "-show_streams", "-show_format", "-of", "json", file).Output()
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(out, &probe); err != nil {
			t.Fatal(err)
		}
		s := probe.Streams[0]
		if got.Format != probe.Format.Name || got.Encoding != s.Codec || strconv.Itoa(got.SampleRate) != s.Rate || got.Channels != s.Channels {
			t.Errorf("%s: %+v, ffprobe says %+v", name, got, probe)
		}
		// Where ffprobe knows the length exactly: not for pipes, and only guessed for lossy frames.
		lossy := slices.Contains([]string{".mp3", ".aac", ".m4a", ".opus"}, filepath.Ext(name)) || slices.Contains([]string{"ff-six.ogg", "ff-mp3.wav", "sox-gsm.wav"}, name)
		if d, err := strconv.ParseFloat(s.Duration, 64); err == nil && !lossy && !got.Truncated && math.Abs(d-got.Duration) > 1e-4 {
			t.Errorf("%s: %v s, ffprobe says %v s", name, got.Duration, d)
		}
	}
}
