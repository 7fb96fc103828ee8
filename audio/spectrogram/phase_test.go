package spectrogram

import (
	"encoding/binary"
	"encoding/json"
	"flag"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"

	"wavemill/audio/spectrogram/signals"
	"wavemill/internal/oracle"
)

var update = flag.Bool("update", false, "write new baselines to testdata")

// shared finds a folder beside the module, or skips the test.
func shared(t *testing.T, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if filepath.Dir(dir) == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	path := filepath.Join(dir, "..", "shared", name)
	if _, err := os.Stat(path); err != nil {
		oracle.Missing(t, "no recordings beside the repository: %v", err)
	}
	return path
}

// recordings reads 200 clips of the Free Spoken Digit Dataset, those that testdata/phase.py takes: 16-bit mono WAVs
// with a 44-byte header.
func recordings(t *testing.T) map[string][]float32 {
	t.Helper()
	var files []string
	err := filepath.WalkDir(shared(t, "data/fsdd"), func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".wav" {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 200 {
		oracle.Missing(t, "%d recordings beside the repository, want 200", len(files))
	}
	sort.Strings(files)
	clips := make(map[string][]float32)
	for i := range 200 {
		path := files[i*(len(files)/200)]
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		pcm := make([]int16, (len(b)-44)/2)
		if _, err := binary.Decode(b[44:], binary.LittleEndian, pcm); err != nil {
			t.Fatal(err)
		}
		x := make([]float32, len(pcm))
		for i, v := range pcm {
			x[i] = float32(v) / 32768
		}
		clips[filepath.Base(path)] = x
	}
	return clips
}

// lcg is noise without a library's generator.
func lcg(n int, seed uint32) []float64 { return signals.Noise(n, seed) }

// synthetic makes all chirps and drums.
func synthetic() map[string][]float32 {
	out := make(map[string][]float32)
	for _, name := range signals.Names() {
		out[name] = signals.Make(name)
	}
	return out
}

func linear(rate, nfft int) Config {
	return Config{SampleRate: rate, NFFT: nfft, Hop: nfft / 4, Window: WindowHann, Pad: PadReflect, Scale: ScaleLinear, Value: ValueMagnitude}
}

// phaseTolerance is how far a signal may fall short of its baseline, in dB: kernels of other classes round differently,
// and the iterations amplify that.
const phaseTolerance = 0.5

// phaseBaselines is testdata/phase.json: dB by signal.
type phaseBaselines struct {
	Method    string             `json:"method"`
	Tolerance float64            `json:"tolerance_db"`
	DB        map[string]float64 `json:"db"`
}

// TestPhase reconstructs recordings, chirps and drums from magnitudes alone and measures by how much the result's
// magnitudes miss, in dB of the norm (spectral convergence): against the baselines of each signal, and against
// torchaudio's Griffin-Lim, which phase.py measured on the same magnitudes.
func TestPhase(t *testing.T) {
	var torch struct{ DB map[string]float64 }
	readJSON(t, "testdata/torchaudio_phase.json", &torch)
	var base phaseBaselines
	if !*update {
		readJSON(t, "testdata/phase.json", &base)
	}
	measured := phaseBaselines{Method: "pghi+fgla, 8 iterations", Tolerance: phaseTolerance, DB: map[string]float64{}}
	for _, set := range []struct {
		name   string
		config Config
		clips  func(t *testing.T) map[string][]float32
	}{
		{"fsdd", linear(8000, 256), recordings},
		{"synthetic", linear(44100, 1024), func(*testing.T) map[string][]float32 { return synthetic() }},
	} {
		t.Run(set.name, func(t *testing.T) {
			clips := set.clips(t)
			tr, err := New(set.config)
			if err != nil {
				t.Fatal(err)
			}
			var ours, theirs float64
			for _, name := range names(clips) {
				db := reconstructionError(t, tr, clips[name], Phase{Method: MethodPGHIFGLA, Iterations: 8})
				measured.DB[name] = math.Round(db*100) / 100
				want, known := base.DB[name]
				if !*update && (!known || db > want+base.Tolerance) {
					t.Errorf("%s: %.2f dB, baseline %.2f dB", name, db, want)
				}
				if set.name == "synthetic" {
					t.Logf("%s: %.2f dB, torchaudio %.2f dB", name, db, torch.DB[name])
				}
				ours, theirs = ours+db/float64(len(clips)), theirs+torch.DB[name]/float64(len(clips))
			}
			t.Logf("mean %.2f dB, torchaudio %.2f dB", ours, theirs)
			if ours > theirs-3 {
				t.Errorf("mean %.2f dB; want 3 dB below torchaudio's %.2f dB", ours, theirs)
			}
		})
	}
	if *update {
		b, err := json.MarshalIndent(measured, "", "")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("testdata/phase.json", append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func readJSON(t *testing.T, path string, to any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, to); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func names(m map[string][]float32) []string {
	var out []string
	for name := range m {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// reconstructionError is the spectral convergence of x reconstructed from its magnitudes, in dB.
func reconstructionError(t *testing.T, tr *Transform, x []float32, ph Phase) float64 {
	t.Helper()
	s, err := tr.Forward(nil, x)
	if err != nil {
		t.Fatal(err)
	}
	y, err := tr.Reconstruct(s, len(x), ph)
	if err != nil {
		t.Fatal(err)
	}
	db, err := tr.Convergence(s, y)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// TestIterationsAreBounded: a checkpoint may come from a stranger.
func TestIterationsAreBounded(t *testing.T) {
	tr, err := New(Default(8000))
	if err != nil {
		t.Fatal(err)
	}
	s, err := tr.Forward(nil, make([]float32, 2000))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tr.Reconstruct(s, 0, Phase{Iterations: 1 << 30}); err == nil || !strings.Contains(err.Error(), "at most 4096") {
		t.Errorf("2^30 iterations: %v", err)
	}
}
