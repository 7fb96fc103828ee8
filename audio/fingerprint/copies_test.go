package fingerprint

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wavemill/audio"
	"wavemill/audio/codec"
	"wavemill/audio/synth"
	"wavemill/audio/wav"
	"wavemill/internal/oracle"
)

// change makes a copy of a recording. It may draw from rng.
type change struct {
	name string
	copy func(t *testing.T, c audio.Clip, rng *rand.Rand) audio.Clip
}

// mapped applies f to the samples of c.
func mapped(c audio.Clip, f func(v float64) float64) audio.Clip {
	out := make([]float32, len(c.Samples))
	for i, v := range c.Samples {
		out[i] = float32(f(float64(v)))
	}
	c.Samples = out
	return c
}

func gain(db float64) func(*testing.T, audio.Clip, *rand.Rand) audio.Clip {
	return func(_ *testing.T, c audio.Clip, _ *rand.Rand) audio.Clip {
		g := math.Pow(10, db/20)
		// A gain that clips takes at most 3 dB of the peak.
		ceiling := max(1, float64(c.Peak())*g/math.Sqrt2)
		return mapped(c, func(v float64) float64 {
			return math.Round(max(-1, min(1, v*g/ceiling))*32767) / 32768
		})
	}
}

func resampled(t *testing.T, c audio.Clip, rate int) audio.Clip {
	t.Helper()
	out, err := audio.Resample(c, rate)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// padded adds n samples on both sides and noise below -60 dB of the peak everywhere.
func padded(_ *testing.T, c audio.Clip, rng *rand.Rand) audio.Clip {
	floor := 1e-3 * float64(c.Peak())
	before, after := rng.IntN(c.Rate/4), rng.IntN(c.Rate/4)
	out := make([]float32, before+len(c.Samples)+after)
	copy(out[before:], c.Samples)
	c.Samples = out
	return mapped(c, func(v float64) float64 { return v + floor*(2*rng.Float64()-1) })
}

// mulaw compands with 8 bits as G.711 does, by its formula instead of its table.
func mulaw(_ *testing.T, c audio.Clip, _ *rand.Rand) audio.Clip {
	const mu = 255
	return mapped(c, func(v float64) float64 {
		y := math.Round(math.Copysign(math.Log1p(mu*math.Abs(v))/math.Log1p(mu), v)*127) / 127
		return math.Copysign((math.Pow(1+mu, math.Abs(y))-1)/mu, y)
	})
}

// eightBits saves with 8 bits.
func eightBits(_ *testing.T, c audio.Clip, _ *rand.Rand) audio.Clip {
	return mapped(c, func(v float64) float64 { return math.Round(v*128) / 128 })
}

func changes() []change {
	return []change{
		{"gain -24 dB", gain(-24)},
		{"gain +12 dB", gain(12)},
		{"polarity", func(_ *testing.T, c audio.Clip, _ *rand.Rand) audio.Clip {
			return mapped(c, func(v float64) float64 { return -v })
		}},
		{"silence and noise floor added", padded},
		{"silence removed", func(_ *testing.T, c audio.Clip, _ *rand.Rand) audio.Clip { return audio.TrimSilence(c, -40) }},
		{"shifted", func(_ *testing.T, c audio.Clip, rng *rand.Rand) audio.Clip {
			c.Samples = append(make([]float32, 1+rng.IntN(500)), c.Samples...)
			return c
		}},
		{"first 30 % cut off", func(_ *testing.T, c audio.Clip, _ *rand.Rand) audio.Clip {
			c.Samples = c.Samples[len(c.Samples)*3/10:]
			return c
		}},
		{"last 30 % cut off", func(_ *testing.T, c audio.Clip, _ *rand.Rand) audio.Clip {
			c.Samples = c.Samples[:len(c.Samples)*7/10]
			return c
		}},
		{"resampled to twice the rate", func(t *testing.T, c audio.Clip, rng *rand.Rand) audio.Clip {
			c = resampled(t, c, 2*c.Rate)
			c.Samples = c.Samples[rng.IntN(2):]
			return c
		}},
		{"resampled to 44.1 kHz", func(t *testing.T, c audio.Clip, rng *rand.Rand) audio.Clip {
			c = resampled(t, c, 44100)
			c.Samples = c.Samples[rng.IntN(6):]
			return c
		}},
		{"8 bits at full scale", func(t *testing.T, c audio.Clip, rng *rand.Rand) audio.Clip {
			peak := float64(c.Peak())
			return eightBits(t, mapped(c, func(v float64) float64 { return v * 0.9 / peak }), rng)
		}},
		{"8 bits", eightBits},
		{"mu-law", mulaw},
		{"noise at -50 dB", func(_ *testing.T, c audio.Clip, rng *rand.Rand) audio.Clip {
			level := math.Pow(10, -50.0/20) * float64(c.Peak())
			return mapped(c, func(v float64) float64 { return v + level*rng.NormFloat64() })
		}},
	}
}

// everyCopy reports whether to take the time for many copies: `make test-whole`.
func everyCopy() bool { return os.Getenv("WAVEMILL_WHOLE") != "" }

// fsdd returns the recordings of the free spoken digit dataset.
func fsdd(t *testing.T) []audio.Clip {
	t.Helper()
	dir := os.Getenv("WAVEMILL_FSDD")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data", "fsdd")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.wav"))
	if err != nil || len(files) == 0 {
		oracle.Missing(t, "no recordings in %s; set WAVEMILL_FSDD to the folder of the free spoken digit dataset", dir)
	}
	clips := make([]audio.Clip, len(files))
	for i, name := range files {
		clip, _, err := codec.DecodeFile(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		clip.Source = filepath.Base(name)
		clips[i] = clip
	}
	return clips
}

// missed returns how many copies of every step-th recording the index does not find.
func missed(t *testing.T, clips []audio.Clip, index *Index, k change, step int) (missed, tried int, names []string) {
	t.Helper()
	rng := rand.New(rand.NewPCG(7, 7))
	var maker Maker
	for i := 0; i < len(clips); i += step {
		tried++
		found := false
		for _, id := range index.Similar(maker.Of(k.copy(t, clips[i], rng))) {
			found = found || id == i
		}
		if !found {
			missed++
			if Similar(maker.Of(clips[i]), maker.Of(k.copy(t, clips[i], rng))) {
				t.Log("only the index", clips[i].Source)
			}
			names = append(names, clips[i].Source)
		}
	}
	return missed, tried, names[:min(len(names), 12)]
}

func TestFSDD(t *testing.T) {
	clips := fsdd(t)
	step := 40
	if everyCopy() {
		step = 10 // the figures of the package comment
	}
	var index Index
	var maker Maker
	prints := make([]Print, len(clips))
	size := 0
	began := time.Now()
	for i, c := range clips {
		prints[i] = maker.Of(c)
		size += len(prints[i].packed)
	}
	took := time.Since(began)
	began = time.Now()
	for _, p := range prints {
		index.Add(p)
	}
	t.Logf("%d bytes each; %v to make, %v to add", size/len(clips), took, time.Since(began))
	began = time.Now()
	pairs := 0
	for i, p := range prints {
		for _, j := range index.Similar(p) {
			if j < i {
				pairs++
				t.Logf("%s is taken for %s, score %.3f", clips[i].Source, clips[j].Source, Score(p, prints[j]))
			}
		}
	}
	t.Logf("%v to look up all", time.Since(began))
	if pairs > 3 {
		t.Errorf("%d pairs of different recordings are similar, want at most 3 of 3.6 million", pairs)
	}
	for _, k := range changes() {
		n, of, names := missed(t, clips, &index, k, step)
		t.Logf("%-30s %d of %d missed %.8s", k.name, n, of, names)
		if k.name != "8 bits" && float64(n) > 0.02*float64(of) {
			t.Errorf("%s: %d of %d copies missed, want at most 2 %%", k.name, n, of)
		}
	}
}

// TestLong joins spoken digits to recordings of a few seconds and of a minute.
func TestLong(t *testing.T) {
	digits := fsdd(t)
	rng := rand.New(rand.NewPCG(3, 3))
	var clips []audio.Clip
	takes := map[int]int{3: 20, 10: 20, 150: 4} // by digits: a minute takes as long as the others together
	if everyCopy() {
		takes[150] = 20
	}
	for _, n := range []int{3, 10, 150} {
		for k := range takes[n] {
			c := audio.Clip{Channels: 1, Rate: 8000, Source: fmt.Sprintf("%d digits, %d", n, k)}
			for range n {
				c.Samples = append(c.Samples, digits[rng.IntN(len(digits))].Samples...)
			}
			clips = append(clips, c)
		}
	}
	var index Index
	var maker Maker
	for _, c := range clips {
		index.Add(maker.Of(c))
	}
	total, all := 0, 0
	for _, k := range changes() {
		n, of, names := missed(t, clips, &index, k, 1)
		t.Logf("%-30s %d of %d missed %q", k.name, n, of, names)
		total, all = total+n, all+of
	}
	if float64(total) > 0.03*float64(all) {
		t.Errorf("%d of %d copies missed", total, all)
	}
}

func synthClips(t *testing.T, n int) []audio.Clip {
	t.Helper()
	var clips []audio.Clip
	for _, class := range synth.Classes() {
		for seed := range uint64(n) {
			c, err := synth.Clip(class, seed, synth.DefaultRate)
			if err != nil {
				t.Fatal(err)
			}
			c.Source = fmt.Sprintf("%s %d", class, seed)
			clips = append(clips, c)
		}
	}
	return clips
}

func TestSynthetic(t *testing.T) {
	n, most := 40, 3 // of 28,680 pairs
	if everyCopy() {
		n, most = 100, 18 // of 179,700, the figures of the package comment
	}
	clips := synthClips(t, n)
	var index Index
	var maker Maker
	pairs := 0
	for i, c := range clips {
		p := maker.Of(c)
		for _, j := range index.Similar(p) {
			pairs++
			t.Logf("%s is taken for %s", clips[i].Source, clips[j].Source)
		}
		index.Add(p)
	}
	// Sweeps of one slope are the same sound at another time; see the package comment.
	if pairs > most {
		t.Errorf("%d pairs of different clips of %d are similar, want at most %d", pairs, len(clips), most)
	}
	for _, k := range changes() {
		n, of, names := missed(t, clips, &index, k, n/5)
		t.Logf("%-30s %d of %d missed %.20s", k.name, n, of, names)
		if float64(n) > 0.3*float64(of) {
			t.Errorf("%s: %d of %d copies missed", k.name, n, of)
		}
	}
}

func TestFFmpegCopies(t *testing.T) {
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		oracle.Missing(t, "ffmpeg is not installed")
	}
	for format, quality := range map[string][]string{"mp3": {"-b:a", "96k"}, "ogg": {"-c:a", "libvorbis", "-q:a", "6"}} {
		missed := 0
		for _, c := range synthClips(t, 3) {
			file, err := wav.Encode(c, wav.Options{})
			if err != nil {
				t.Fatal(err)
			}
			args := append(append([]string{"-v", "error", "-i", "-"}, quality...), "-f", format, "-")
			cmd := exec.CommandContext(t.Context(), ffmpeg, args...)
			cmd.Stdin = bytes.NewReader(file)
			out, err := cmd.Output()
			if err != nil {
				oracle.Missing(t, "ffmpeg does not encode %s: %v", format, err)
			}
			back, _, err := codec.Decode(t.Context(), c.Source+"."+format, out)
			if err != nil {
				t.Fatal(err)
			}
			if !Similar(Of(c), Of(back)) {
				if !strings.HasPrefix(c.Source, "hihat") { // see the package comment
					missed++
				}
				t.Logf("%s: the %s copy is not recognized, score %.3f", c.Source, format, Score(Of(c), Of(back)))
			}
		}
		if missed > 0 {
			t.Errorf("%d %s copies are not recognized", missed, format)
		}
	}
}
