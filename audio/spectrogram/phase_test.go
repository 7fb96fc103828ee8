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
	"testing"
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
		t.Skipf("no recordings: %v", err)
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
		t.Skipf("%d recordings, want 200", len(files))
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

// lcg is the noise of testdata/phase.py.
func lcg(n int, seed uint32) []float64 {
	out := make([]float64, n)
	for i := range out {
		seed = seed*1664525 + 1013904223
		out[i] = float64(seed)/(1<<31) - 1
	}
	return out
}

// synthetic makes the chirps and drums of testdata/phase.py: one second at 44.1 kHz each.
func synthetic() map[string][]float32 {
	const rate = 44100
	const pi2 = 2 * math.Pi
	burst := lcg(rate, 1)
	beats := func(t float64, f func(since float64) float64) float64 {
		var sum float64
		for _, at := range []float64{0, 0.25, 0.5, 0.75} {
			if t >= at {
				sum += f(t - at)
			}
		}
		return sum
	}
	kick := func(t float64) float64 {
		return beats(t, func(b float64) float64 { return math.Exp(-b/0.08) * math.Sin(pi2*(50*b-6*math.Exp(-b/0.03))) })
	}
	decay := func(t, seconds float64) float64 {
		return beats(t, func(b float64) float64 { return math.Exp(-b / seconds) })
	}
	high := func(i int) float64 {
		if i == 0 {
			return burst[0]
		}
		return burst[i] - burst[i-1]
	}
	signals := map[string]func(t float64, i int) float64{
		"chirp-linear-up":   func(t float64, _ int) float64 { return 0.5 * math.Sin(pi2*(100*t+4950*t*t)) },
		"chirp-linear-down": func(t float64, _ int) float64 { return 0.5 * math.Sin(pi2*(15000*t-7000*t*t)) },
		"chirp-log": func(t float64, _ int) float64 {
			return 0.5 * math.Sin(pi2*50*(math.Pow(200, t)-1)/math.Log(200))
		},
		"chirp-harmonic": func(t float64, _ int) float64 {
			var sum float64
			for k := 1.0; k < 9; k++ {
				sum += math.Sin(pi2*k*(110*t+55*t*t)) / k
			}
			return 0.2 * sum
		},
		"chirp-vibrato": func(t float64, _ int) float64 { return 0.5 * math.Sin(pi2*880*t+30*math.Sin(pi2*6*t)) },
		"drum-kick":     func(t float64, _ int) float64 { return 0.8 * kick(t) },
		"drum-snare": func(t float64, i int) float64 {
			return 0.4*decay(t, 0.05)*burst[i] + 0.3*decay(t, 0.04)*math.Sin(pi2*190*t)
		},
		"drum-hihat": func(t float64, i int) float64 { return 0.25 * decay(t, 0.02) * high(i) },
		"drum-loop": func(t float64, i int) float64 {
			return 0.5*kick(t) + 0.15*decay(t, 0.02)*high(i) + 0.1*decay(t, 0.05)*burst[i]
		},
	}
	out := make(map[string][]float32)
	for name, f := range signals {
		x := make([]float32, rate)
		for i := range x {
			x[i] = float32(f(float64(i)/rate, i))
		}
		out[name] = x
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
