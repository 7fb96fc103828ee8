package slice_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"wavemill/audio/codec"
	"wavemill/audio/slice"
	"wavemill/internal/oracle"
)

// configs are one configuration of each method, with short clips, so that all reasons to cut occur.
func configs(t testing.TB) (all []slice.Config) {
	t.Helper()
	longest, overlap := 900*time.Millisecond, 200*time.Millisecond
	for _, by := range slice.Methods() {
		c, err := slice.Overrides{Max: &longest, Overlap: &overlap}.Config(by)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, slice.Defaults(by), c)
	}
	return all
}

// interleaved makes two channels of opposite phase and different level of one.
func interleaved(x []float32) []float32 {
	out := make([]float32, 0, 2*len(x))
	for _, v := range x {
		out = append(out, v, -v)
	}
	return out
}

func TestBlocksDoNotMatter(t *testing.T) {
	k := newTake(t, 1, 8000, 12, 0.4, -55, "kick", "vowel", "hihat")
	for channels, x := range map[int][]float32{1: k.samples, 2: interleaved(k.samples)} {
		for _, c := range configs(t) {
			want, counts := sliced(t, c, x, k.rate, channels, whole)
			if len(want) < 1 {
				t.Fatalf("%+v: %d clips", c, len(want))
			}
			for trial, largest := range []int{2, 79, 80, 81, 1000, 20000} {
				rng := rand.New(rand.NewPCG(uint64(trial), 1))
				got, n := sliced(t, c, x, k.rate, channels, func() int { return 1 + rng.IntN(largest) })
				if !reflect.DeepEqual(got, want) || n != counts {
					t.Fatalf("%+v: blocks of up to %d frames: %+v %+v, want %+v %+v", c, largest, got, n, want, counts)
				}
			}
		}
	}
}

// A slicer that is restored from its state, and given the samples that it needs, cuts as one that was not interrupted.
func TestRestore(t *testing.T) {
	k := newTake(t, 2, 8000, 10, 0.4, -55, "kick", "vowel", "hihat")
	for _, c := range configs(t) {
		want, counts := sliced(t, c, k.samples, k.rate, 1, whole)
		for trial := range uint64(12) {
			rng := rand.New(rand.NewPCG(trial, 2))
			s, err := slice.New(c, k.rate, 1)
			if err != nil {
				t.Fatal(err)
			}
			var got cutter
			done := 0
			for range 1 + rng.IntN(4) {
				n := rng.IntN(len(k.samples) - done)
				if err := s.Write(k.samples[done:done+n], got.emit); err != nil {
					t.Fatal(err)
				}
				done += n
				state, err := s.State()
				if err != nil {
					t.Fatal(err)
				}
				if len(state) > 64<<10 {
					t.Fatalf("the state has %d bytes", len(state))
				}
				if s, err = slice.Restore(state, c, k.rate, 1); err != nil {
					t.Fatal(err)
				}
				middle := (int(s.Needed()) + done) / 2
				s.Refill(int64(middle), k.samples[middle:])
				if missing := s.Refill(0, k.samples[:middle]); missing != 0 {
					t.Fatalf("%d frames are missing", missing)
				}
			}
			if err := s.Write(k.samples[done:], got.emit); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(got.emit); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got.cuts, want) || s.Counts() != counts {
				t.Fatalf("%+v: %+v %+v, want %+v %+v", c, got.cuts, s.Counts(), want, counts)
			}
		}
	}
}

// Every clip is a copy of its part of the audio, within its limits, and what is left out is counted.
func TestClipsAreParts(t *testing.T) {
	k := newTake(t, 7, 8000, 20, 0.5, -55, "kick", "vowel", "bell")
	for _, c := range configs(t) {
		s, err := slice.New(c, k.rate, 1)
		if err != nil {
			t.Fatal(err)
		}
		kept := make([]bool, len(k.samples))
		last := int64(0)
		check := func(x slice.Clip) error {
			if !slices.Equal(x.Samples, k.samples[x.Start:x.End]) {
				t.Errorf("%s: [%d, %d) is not that part of the audio", c.By, x.Start, x.End)
			}
			if n := time.Duration(x.End-x.Start) * time.Second / time.Duration(k.rate); n > c.Max || x.Start < last-int64(c.Overlap.Seconds()*float64(k.rate)+0.5) {
				t.Errorf("%s: a clip of %v from %d, behind one that ends at %d", c.By, n, x.Start, last)
			}
			for i := x.Start; i < x.End; i++ {
				kept[i] = true
			}
			last = x.End
			return nil
		}
		if err := errors.Join(s.Write(k.samples, check), s.Close(check)); err != nil {
			t.Fatal(err)
		}
		n := int64(0)
		for _, is := range kept {
			if is {
				n++
			}
		}
		if got := s.Counts(); got.Kept != n || got.Frames != int64(len(k.samples)) {
			t.Errorf("%s: %+v, but %d frames were kept", c.By, got, n)
		}
	}
}

// Pieces of equal length cover the audio, overlap as asked, and leave out an end that is too short.
func TestLength(t *testing.T) {
	x := make([]float32, 1050)
	for i := range x {
		x[i] = 0.5
	}
	c := slice.Defaults(slice.Length)
	c.Max, c.Min, c.Overlap = 100*time.Millisecond, 60*time.Millisecond, 20*time.Millisecond
	cuts, n := sliced(t, c, x, 1000, 1, func() int { return 33 })
	for i, k := range cuts {
		if k.start != int64(80*i) || k.end-k.start != 100 && i < len(cuts)-1 {
			t.Errorf("piece %d is %+v", i, k)
		}
	}
	if last := cuts[len(cuts)-1]; len(cuts) != 13 || last.end != 1050 || n.Short != 0 || n.Kept != 1050 {
		t.Errorf("%d pieces, the last %+v; %+v", len(cuts), last, n)
	}
	if cuts, n = sliced(t, c, x[:1015], 1000, 1, whole); len(cuts) != 12 || n.Short != 1 || n.ShortFrames != 35 || n.Kept != 980 {
		t.Errorf("%d pieces, %+v", len(cuts), n)
	}
}

// Words are found in noise, and in noise alone there are none.
func TestSpeech(t *testing.T) {
	files, _ := filepath.Glob("../../../shared/data/fsdd/*_1*.wav")
	if len(files) < 300 {
		oracle.Missing(t, "no recordings of spoken digits in ../shared/data/fsdd")
	}
	const words = 30
	for _, noise := range []float64{-60, -35, -30} { // Signal to noise: 40, 15 and 10 dB.
		rng := rand.New(rand.NewPCG(1, 2))
		x := make([]float32, 8000)
		var begins, ends []int
		for i := range words {
			c, _, err := codec.DecodeFile(t.Context(), files[i*11%len(files)])
			if err != nil {
				t.Fatal(err)
			}
			begins = append(begins, len(x))
			for _, v := range c.Samples {
				x = append(x, v*float32(0.1/c.RMS()))
			}
			ends = append(ends, len(x))
			x = append(x, make([]float32, 5000+rng.IntN(6000))...)
		}
		level := math.Pow(10, noise/20)
		for i := range x {
			x[i] += float32(level * rng.NormFloat64())
		}
		cuts, _ := sliced(t, slice.Defaults(slice.Speech), x, 8000, 1, whole)
		found, covered := 0, 0
		for i := range begins {
			hits := 0
			for _, k := range cuts {
				if n := min(int(k.end), ends[i]) - max(int(k.start), begins[i]); n > (ends[i]-begins[i])/2 {
					hits, covered = hits+1, covered+n
				}
			}
			if hits == 1 {
				found++
			}
		}
		t.Logf("noise %v dB: %d of %d words, %d clips", noise, found, words, len(cuts))
		if found < words-1 || len(cuts) > words+1 || len(cuts) < words-2 {
			t.Errorf("noise %v dB: %d of %d words found in one clip, %d clips", noise, found, words, len(cuts))
		}
		for i := range x {
			x[i] = float32(level * rng.NormFloat64())
		}
		if cuts, _ := sliced(t, slice.Defaults(slice.Speech), x, 8000, 1, whole); len(cuts) > 0 {
			t.Errorf("noise alone of %v dB: %+v", noise, cuts)
		}
	}
}

// What is there but cannot be learnt from is counted: silence, clicks, constant levels.
func TestLeftOut(t *testing.T) {
	quiet := make([]float32, 8000)
	for i := range quiet {
		quiet[i] = 1e-4 * float32(math.Sin(float64(i)/3))
	}
	c := slice.Defaults(slice.Length)
	c.Max = 500 * time.Millisecond
	if cuts, n := sliced(t, c, quiet, 8000, 1, whole); len(cuts) != 0 || n.Silent != 2 || n.SilentFrames != 8000 {
		t.Errorf("%d clips of a quiet take, %+v", len(cuts), n)
	}
	for _, by := range slice.Methods() {
		if cuts, _ := sliced(t, slice.Defaults(by), make([]float32, 24000), 8000, 1, whole); len(cuts) > 0 {
			t.Errorf("%s: clips of digital silence: %+v", by, cuts)
		}
		if cuts, n := sliced(t, slice.Defaults(by), nil, 8000, 1, whole); len(cuts) > 0 || n != (slice.Counts{}) {
			t.Errorf("%s: clips of nothing: %+v, %+v", by, cuts, n)
		}
	}
	offset := make([]float32, 24000)
	for i := range offset {
		offset[i] = 0.3
	}
	if cuts, _ := sliced(t, slice.Defaults(slice.Onset), offset, 8000, 1, whole); len(cuts) > 1 {
		t.Errorf("a constant level gives %d clips", len(cuts))
	}
	click := make([]float32, 24000)
	click[12000] = 1
	c = slice.Defaults(slice.Silence)
	c.Min = 200 * time.Millisecond
	if cuts, n := sliced(t, c, click, 8000, 1, whole); len(cuts) != 0 || n.Short != 1 {
		t.Errorf("a click: %+v, %+v", cuts, n)
	}
}

// Samples that are no levels of sound do not stop it: it may cut anywhere, but within the audio.
func TestExtremeSamples(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	x := make([]float32, 16000)
	for i := range x {
		switch rng.IntN(50) {
		case 0:
			x[i] = float32(math.Inf(1))
		case 1:
			x[i] = float32(math.NaN())
		case 2:
			x[i] = 1e30
		default:
			x[i] = float32(rng.NormFloat64())
		}
	}
	for _, c := range configs(t) {
		cuts, _ := sliced(t, c, x, 8000, 1, func() int { return 999 })
		for _, k := range cuts {
			if k.start < 0 || k.end > 16000 || k.start >= k.end {
				t.Errorf("%s: %+v", c.By, k)
			}
		}
	}
}

func TestErrors(t *testing.T) {
	good := slice.Defaults(slice.Onset)
	for _, change := range []func(*slice.Config){
		func(c *slice.Config) { c.By = "luck" },
		func(c *slice.Config) { c.Max = 0 },
		func(c *slice.Config) { c.Max = time.Hour },
		func(c *slice.Config) { c.Min = c.Max + 1 },
		func(c *slice.Config) { c.PreRoll = -1 },
		func(c *slice.Config) { c.PostRoll = c.Gap + 1 },
		func(c *slice.Config) { c.Gap = time.Hour },
		func(c *slice.Config) { c.Overlap = c.Max },
		func(c *slice.Config) { c.Threshold = math.NaN() },
		func(c *slice.Config) { c.Rise = 0 },
		func(c *slice.Config) { c.Silent = 3 },
	} {
		c := good
		change(&c)
		if _, err := slice.New(c, 8000, 1); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
	for _, format := range [][2]int{{0, 1}, {1, 1}, {1 << 24, 1}, {8000, 0}, {8000, 65}} {
		if _, err := slice.New(good, format[0], format[1]); err == nil {
			t.Errorf("%d Hz, %d channels are accepted", format[0], format[1])
		}
	}
	s, err := slice.New(good, 8000, 2)
	if err != nil {
		t.Fatal(err)
	}
	var k cutter
	if err := s.Write(make([]float32, 3), k.emit); err == nil {
		t.Error("a half frame is accepted")
	}
	if err := s.Close(k.emit); err != nil {
		t.Error(err)
	}
	if err := s.Write(make([]float32, 2), k.emit); err == nil {
		t.Error("a closed slicer is written to")
	}
	state, err := s.State()
	if err != nil {
		t.Fatal(err)
	}
	other := good
	other.Gap++
	if _, err := slice.Restore(state, other, 8000, 2); err == nil {
		t.Error("the state of another configuration is accepted")
	}
	if _, err := slice.Restore(state[:len(state)/2], good, 8000, 2); err == nil {
		t.Error("half a state is accepted")
	}
	// An error of emit ends the work.
	stop := errors.New("stop")
	s, err = slice.New(slice.Defaults(slice.Length), 1000, 1)
	if err != nil {
		t.Fatal(err)
	}
	x := slices.Repeat([]float32{0.5}, 12000)
	if err := s.Write(x, func(slice.Clip) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
}

// Memory does not depend on the length of the audio.
func TestMemory(t *testing.T) {
	k := newTake(t, 1, 8000, 12, 0.4, -55, "kick", "vowel", "hihat")
	for _, c := range configs(t) {
		s, err := slice.New(c, k.rate, 1)
		if err != nil {
			t.Fatal(err)
		}
		ignore := func(slice.Clip) error { return nil }
		if err := s.Write(k.samples, ignore); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			if err := s.Write(k.samples, ignore); err != nil {
				t.Fatal(err)
			}
			if n, most := s.Position()-s.Needed(), int64((c.Max+2*time.Second).Seconds()*float64(k.rate)); n > most {
				t.Fatalf("%s: %d frames are kept, more than %d", c.By, n, most)
			}
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	k := newTake(b, 1, 44100, 12, 0.4, -55, "kick", "vowel", "hihat")
	for b.Loop() {
		s, err := slice.New(slice.Defaults(slice.Onset), k.rate, 1)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Write(k.samples, func(slice.Clip) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(k.samples))/44100*float64(b.N)/b.Elapsed().Seconds(), "x-real-time")
}
