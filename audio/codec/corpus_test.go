package codec

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wavemill/audio"
	"wavemill/internal/oracle"
)

// corpus makes the files of testdata/corpus.sh in a temporary folder, or skips.
func corpus(t *testing.T) []string {
	t.Helper()
	for _, program := range []string{"sh", "sox", "ffmpeg", "ffprobe"} {
		if _, err := exec.LookPath(program); err != nil {
			oracle.Missing(t, "the corpus is made with %s, which is not installed", program)
		}
	}
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "sh", "testdata/corpus.sh", dir).CombinedOutput(); err != nil {
		t.Fatalf("corpus.sh: %v\n%s", err, out)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) < 40 {
		t.Fatalf("corpus.sh made %d files, %v", len(files), err)
	}
	return files
}

// probe is what ffprobe says of a file's first sound stream.
type probe struct {
	Streams []struct {
		Codec    string `json:"codec_name"`
		Rate     string `json:"sample_rate"`
		Channels int    `json:"channels"`
	} `json:"streams"`
	Format struct {
		Name string `json:"format_name"`
	} `json:"format"`
}

// TestCorpus compares format, encoding, rate, channels, length and every sample with ffmpeg's.
func TestCorpus(t *testing.T) {
	if testing.Short() {
		t.Skip("the corpus takes some seconds to make")
	}
	for _, file := range corpus(t) {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			clip, info, err := DecodeFile(t.Context(), file)
			if err != nil {
				t.Fatal(err)
			}
			streams(t, file, clip, info)
			if rifx := strings.HasPrefix(name, "sox-rifx"); rifx {
				// ffmpeg 5 reads the 16-bit kind in the wrong byte order and refuses the others: sox is the reference.
				if !strings.HasSuffix(info.Encoding, "be") || info.SampleRate != 44100 {
					t.Errorf("%+v", info)
				}
				compare(t, name, clip.Samples, soxReference(t, file))
				return
			}
			var p probe
			out, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "error", "-select_streams", "a:0", "-show_streams", "-show_format", "-of", "json", file).Output()
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(out, &p); err != nil {
				t.Fatal(err)
			}
			s := p.Streams[0]
			if info.Format != p.Format.Name || info.Encoding != s.Codec || strconv.Itoa(info.SampleRate) != s.Rate || info.Channels != s.Channels {
				t.Errorf("%+v, ffprobe says %+v", info, p)
			}
			if info.Frames != int64(clip.Frames()) || clip.Rate != info.SampleRate || clip.Channels != info.Channels || clip.Source != file {
				t.Errorf("clip of %d frames, info %+v", clip.Frames(), info)
			}
			if cut := name == "cut.wav"; info.Truncated != cut {
				t.Errorf("truncated %v, want %v", info.Truncated, cut)
			}
			want := reference(t, file)
			if info.Encoding == "vorbis" && info.Channels <= 2 {
				want = soxReference(t, file) // ffmpeg does not cut the stream where it says it ends; libvorbis does.
			}
			compare(t, name, clip.Samples, want)
		})
	}
}

// reference is the file decoded by ffmpeg.
func reference(t *testing.T, file string) []float32 {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ffmpeg", "-nostdin", "-v", "error", "-i", file, "-map", "0:a:0", "-c:a", "pcm_f32le", "-f", "f32le", "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	return floats(t, out)
}

// soxReference is the file decoded by sox.
func soxReference(t *testing.T, file string) []float32 {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "sox", file, "-t", "f32", "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	return floats(t, out)
}

func floats(t *testing.T, b []byte) []float32 {
	t.Helper()
	x := make([]float32, len(b)/4)
	if err := binary.Read(bytes.NewReader(b), binary.LittleEndian, x); err != nil {
		t.Fatal(err)
	}
	return x
}

// compare demands the same samples: to the last bit of 24 for what is lossless, to 1e-4 for Vorbis,
// whose decoders round differently.
func compare(t *testing.T, name string, got, want []float32) {
	t.Helper()
	tolerance := 1e-6
	if strings.HasSuffix(name, ".ogg") {
		tolerance = 1e-4
	}
	if len(got) != len(want) {
		t.Fatalf("%d samples, ffmpeg decodes %d", len(got), len(want))
	}
	var peak float64
	for i := range want {
		peak = max(peak, math.Abs(float64(want[i])))
		if d := math.Abs(float64(got[i]) - float64(want[i])); d > tolerance {
			t.Fatalf("sample %d: %v, ffmpeg decodes %v", i, got[i], want[i])
		}
	}
	if peak < 0.1 {
		t.Errorf("the reference is nearly silent (peak %v): nothing was compared", peak)
	}
}

// streams decodes a file in memory and in blocks and compares with the whole.
func streams(t *testing.T, file string, clip audio.Clip, info Info) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	other, oinfo, err := Decode(t.Context(), file, data)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "in memory", other.Samples, clip.Samples)
	if diff := cmp.Diff(info, oinfo); diff != "" {
		t.Errorf("(-file +memory):\n%s", diff)
	}
	r, err := Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	same(t, "in blocks", drain(t, r, 777), clip.Samples)
	if diff := cmp.Diff(info, r.Info()); diff != "" {
		t.Errorf("(-whole +blocks):\n%s", diff)
	}
}
