package codec

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"wavemill/internal/oracle"
)

// matrixFile is a file that testdata/matrix.py wrote.
type matrixFile struct {
	File     string `json:"file"`
	Format   string `json:"format"`
	Rate     int    `json:"rate"`
	Channels int    `json:"channels"`
	Refused  string `json:"refused"` // why libsndfile does not write it
}

// matrix writes the files of testdata/matrix.py into a folder, or skips. It returns those that libsndfile writes.
func matrix(t *testing.T) (dir string, files []matrixFile) {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil || exec.CommandContext(t.Context(), python, "-c", "import soundfile").Run() != nil {
		oracle.Missing(t, "the matrix is written by libsndfile: install python3 and its package soundfile")
	}
	dir = t.TempDir()
	out, err := exec.CommandContext(t.Context(), python, "testdata/matrix.py", dir).Output()
	if err != nil {
		t.Fatalf("matrix.py: %v", err)
	}
	formats := map[string]bool{}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var f matrixFile
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
			t.Fatal(err)
		}
		if f.Refused == "" {
			files = append(files, f)
			formats[f.Format] = true
		}
	}
	if len(formats) < 20 || len(files) < 180 {
		t.Fatalf("libsndfile wrote %d files of %d formats; 20 formats at 3 rates with 3 numbers of channels are wanted", len(files), len(formats))
	}
	return dir, files
}

// unlike decodes a file and returns the greatest difference of a sample from what libsndfile reads, -1 where Wavemill
// refuses the file, and what is wrong otherwise.
func unlike(t *testing.T, dir string, f matrixFile) (difference float64, fault string) {
	t.Helper()
	clip, info, err := DecodeFile(t.Context(), filepath.Join(dir, f.File))
	if err != nil {
		return -1, err.Error()
	}
	raw, err := os.ReadFile(filepath.Join(dir, f.File+".f32"))
	if err != nil {
		t.Fatal(err)
	}
	want := floats(t, raw)
	if info.SampleRate != f.Rate || info.Channels != f.Channels || clip.Rate != f.Rate || clip.Channels != f.Channels {
		return 0, "its rate or its channels differ"
	}
	if len(clip.Samples) != len(want) {
		return 0, "it has another length"
	}
	for i := range want {
		at := i
		if f.Format == "OGG VORBIS" && f.Channels == len(streamOrder) {
			at = i - i%f.Channels + streamOrder[i%f.Channels]
		}
		difference = max(difference, math.Abs(float64(clip.Samples[i])-float64(want[at])))
	}
	return difference, ""
}

// TestMatrix decodes files of 22 formats at 3 rates with 1, 2 and 6 channels, and compares with what libsndfile reads. What
// needs ffmpeg is refused by its name without it.
func TestMatrix(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs ffmpeg dozens of times")
	}
	dir, files := matrix(t)
	var needs []matrixFile // decoded by ffmpeg
	path := os.Getenv("PATH")
	t.Setenv("PATH", t.TempDir())
	for _, f := range files {
		d, fault := unlike(t, dir, f)
		switch {
		case d < 0 && strings.Contains(fault, "ffmpeg") && strings.Contains(fault, f.File):
			needs = append(needs, f)
		case fault != "" || d > tolerance(f):
			t.Errorf("%s without ffmpeg: difference %g, %s", f.File, d, fault)
		}
	}
	t.Setenv("PATH", path)
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		oracle.Missing(t, "formats that are decoded by ffmpeg were not compared: it is not installed")
	}
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, f := range needs {
		group.Go(func() error {
			if d, fault := unlike(t, dir, f); fault != "" || d > tolerance(f) {
				t.Errorf("%s by ffmpeg: difference %g, %s", f.File, d, fault)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if len(needs) > len(files)/2 {
		t.Errorf("%d of %d files need ffmpeg", len(needs), len(files))
	}
}

// tolerance is the greatest difference of a sample: 1e-6, and a little more for MP3, whose decoders round differently.
// ffmpeg, which decodes ADPCM here, and libsndfile round its predictors differently, and the difference adds up within a
// block.
func tolerance(f matrixFile) float64 {
	switch {
	case strings.HasSuffix(f.Format, "ADPCM"):
		return 0.03
	case strings.HasPrefix(f.Format, "MP3"):
		return 1e-5
	}
	return 1e-6
}

// streamOrder is the place in a Vorbis stream of each channel of a WAV file of 6 channels (Vorbis I, 4.3.9). libsndfile
// writes and reads channels in the order of the stream; Wavemill, as ffmpeg, gives all formats the order of WAV.
var streamOrder = []int{0, 2, 1, 5, 3, 4}
