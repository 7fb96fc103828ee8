package audio

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"wavemill/internal/cpu"
)

// ratios are those that users have, and some that strain the tables: 1:1 neighbours, large factors,
// and 44101:16000, whose 16000 phases are interpolated.
var ratios = []struct{ from, to int }{
	{44100, 16000},
	{48000, 16000},
	{8000, 16000},
	{16000, 8000},
	{8000, 44100},
	{44100, 48000},
	{48000, 44100},
	{22050, 16000},
	{96000, 44100},
	{11025, 8000},
	{16000, 16001},
	{44101, 16000},
	{384000, 8000},
	{100, 16000},
	{3, 2},
}

// tone is n samples of a sine of amplitude 1 at f Hz.
func tone(f float64, rate, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(math.Sin(2 * math.Pi * math.Mod(f*float64(i)/float64(rate), 1)))
	}
	return x
}

// interior drops the outputs that the zeros outside the signal reach.
func interior(r *Resampler, y []float32) (from, to int) {
	edge := int(math.Ceil(float64(r.table.half+1)*float64(r.up)/float64(r.down))) + 1
	return edge, len(y) - edge
}

func frames(r *Resampler) int { return 4*r.table.half + 20*r.down/r.up + 2000 }

// TestResamplePassband puts tones up to 0.9 of the lower Nyquist frequency through each ratio. The
// result must be the tone itself at the new instants: no delay, no droop, no image, no alias.
func TestResamplePassband(t *testing.T) {
	for _, c := range ratios {
		r, err := NewResampler(c.from, c.to)
		if err != nil {
			t.Fatal(err)
		}
		nyquist := float64(min(c.from, c.to)) / 2
		for _, rel := range []float64{0.01, 0.31, 0.62, 0.9} {
			y := r.Resample(nil, tone(rel*nyquist, c.from, frames(r)))
			want := tone(rel*nyquist, c.to, len(y))
			from, to := interior(r, y)
			var power float64
			for k := from; k < to; k++ {
				power += math.Pow(float64(y[k])-float64(want[k]), 2)
			}
			db := 10 * math.Log10(power/float64(to-from)/0.5)
			if to-from < 100 || db > -120 {
				t.Errorf("%d -> %d, tone at %v of Nyquist: error %.1f dB over %d frames, want below -120", c.from, c.to, rel, db, to-from)
			}
		}
	}
}

// TestResampleStopband puts tones from the output's Nyquist frequency up through each decimation.
// Nothing may be left of them.
func TestResampleStopband(t *testing.T) {
	for _, c := range ratios {
		if c.to >= c.from {
			continue
		}
		r, err := NewResampler(c.from, c.to)
		if err != nil {
			t.Fatal(err)
		}
		lo, hi := float64(c.to)/2, float64(c.from)/2
		for _, rel := range []float64{0.002, 0.1, 0.4, 0.77, 0.999} {
			f := lo + rel*(hi-lo)
			y := r.Resample(nil, tone(f, c.from, frames(r)))
			from, to := interior(r, y)
			var power float64
			for _, v := range y[from:to] {
				power += float64(v) * float64(v)
			}
			if db := 10 * math.Log10(power/float64(to-from)/0.5); db > -120 {
				t.Errorf("%d -> %d: a tone at %.0f Hz leaves %.1f dB, want below -120", c.from, c.to, f, db)
			}
		}
	}
}

// TestResampleKernels compares every kernel and the dot products with the definition, a
// float64 sum over the filter.
func TestResampleKernels(t *testing.T) {
	for _, c := range ratios {
		if c.from/c.to > 20 {
			continue // The definition is slow, and nothing but lengths differ.
		}
		r, err := NewResampler(c.from, c.to)
		if err != nil {
			t.Fatal(err)
		}
		plain := newPhaseTable(r.up, r.down, cpu.Go)
		rng := rand.New(rand.NewPCG(1, 2))
		x := make([]float32, 30*max(1, r.down)+3*plain.half)
		x = x[:min(len(x), 20000)]
		for i := range x {
			x[i] = 2*rng.Float32() - 1
		}
		want := make([]float32, r.OutputFrames(len(x)))
		plain.run(want, x, 0, 0)
		for _, k := range []int{0, 1, len(want) / 2, len(want) - 1} {
			if ref := direct(r.up, r.down, x, k); math.Abs(float64(want[k])-ref) > 1e-5 {
				t.Errorf("%d -> %d: output %d is %v, by definition %v", c.from, c.to, k, want[k], ref)
			}
		}
		for _, class := range cpu.Supported() {
			table := newPhaseTable(r.up, r.down, class)
			got := make([]float32, len(want))
			table.run(got, x, 0, 0)
			for k := range want {
				if math.Abs(float64(got[k]-want[k])) > 2e-6 {
					t.Fatalf("%d -> %d, %s: output %d is %v, dot products give %v", c.from, c.to, class, k, got[k], want[k])
				}
			}
		}
	}
}

// direct is output k by the filter's definition in float64.
func direct(up, down int, x []float32, k int) float64 {
	scale := min(1, float64(up)/float64(down))
	at := float64(k) * float64(down) / float64(up)
	var sum, gain float64
	for i := int(at) - int(zeroCrossings/scale) - 1; i <= int(at)+int(zeroCrossings/scale)+2; i++ {
		d := float64(i) - at
		h := sinc(cutoff()*scale*d) * kaiser(d*scale/zeroCrossings, kaiserBeta())
		gain += h
		if i >= 0 && i < len(x) {
			sum += h * float64(x[i])
		}
	}
	return sum / gain
}

// TestResampleStream cuts a signal into blocks anyhow: the result is the whole's, bit for bit.
func TestResampleStream(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	x := make([]float32, 30000)
	for i := range x {
		x[i] = 2*rng.Float32() - 1
	}
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.SampledFrom(ratios).Draw(t, "ratio")
		r, err := NewResampler(c.from, c.to)
		if err != nil {
			t.Fatal(err)
		}
		class := rapid.SampledFrom(cpu.Supported()).Draw(t, "class")
		r = &Resampler{r.up, r.down, newPhaseTable(r.up, r.down, class)}
		limit := len(x)
		if c.to > 20*c.from {
			limit = 500
		}
		x := x[:rapid.IntRange(0, limit).Draw(t, "length")]
		want := r.Resample(nil, x)
		s := r.Stream()
		for range 2 { // A flushed stream is as new.
			var got []float32
			for rest := x; len(rest) > 0; {
				n := min(len(rest), rapid.IntRange(1, 7000).Draw(t, "block"))
				got = s.Write(got, rest[:n])
				rest = rest[n:]
			}
			got = s.Flush(got)
			if !slices.Equal(got, want) {
				t.Fatalf("%d -> %d: %d frames in blocks, %d at once, or other values", c.from, c.to, len(got), len(want))
			}
		}
	})
}

// TestResampleStreamMemory feeds an hour and looks at what is kept.
func TestResampleStreamMemory(t *testing.T) {
	r, err := NewResampler(48000, 16000)
	if err != nil {
		t.Fatal(err)
	}
	s := r.Stream()
	x := make([]float32, 48000)
	var out []float32
	for range 600 {
		out = s.Write(out[:0], x)
	}
	if limit := 2*len(x) + 4*r.table.taps; cap(s.history) > limit {
		t.Errorf("the stream holds %d samples, more than %d", cap(s.history), limit)
	}
}

func TestResampleLength(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from, to := rapid.IntRange(1, 400000).Draw(t, "from"), rapid.IntRange(1, 400000).Draw(t, "to")
		g := gcd(from, to)
		r := Resampler{up: to / g, down: from / g}
		n := int(rapid.Int64Range(0, min(1<<40, math.MaxInt/int64(max(r.up, r.down))-1)).Draw(t, "n")) // The result fits an int.
		// ceil(n*to/from), computed as the smallest m with m*from >= n*to, in lowest terms.
		type wide = int64
		m := r.OutputFrames(n)
		if n == 0 && m != 0 || n > 0 && (wide(m)*wide(r.down) < wide(n)*wide(r.up) || wide(m-1)*wide(r.down) >= wide(n)*wide(r.up)) {
			t.Fatalf("%d frames from %d to %d Hz: %d", n, from, to, m)
		}
	})
}

func TestResampleClip(t *testing.T) {
	left, right := tone(300, 8000, 3001), tone(1700, 8000, 3001)
	c := Clip{Channels: 2, Rate: 8000, Label: "l", Source: "s"}
	for i := range left {
		c.Samples = append(c.Samples, left[i], right[i])
	}
	got, err := Resample(c, 11025)
	if err != nil {
		t.Fatal(err)
	}
	if got.Rate != 11025 || got.Channels != 2 || got.Label != "l" || got.Source != "s" || got.Frames() != (3001*11025+7999)/8000 {
		t.Fatalf("%d Hz, %d channels, %d frames", got.Rate, got.Channels, got.Frames())
	}
	mono, err := Resample(c.Channel(1), 11025)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Channel(1).Samples, mono.Samples) {
		t.Error("the channels are not resampled each by itself")
	}
	same, err := Resample(c, 8000)
	if err != nil || &same.Samples[0] != &c.Samples[0] {
		t.Errorf("the same rate makes a copy, %v", err)
	}
	if empty, err := Resample(Clip{Channels: 1, Rate: 8000}, 16000); err != nil || empty.Frames() != 0 {
		t.Errorf("an empty clip: %+v, %v", empty, err)
	}
}

func TestResampleRefuses(t *testing.T) {
	type refused struct {
		clip Clip
		rate int
		want string
	}
	cases := []refused{
		{Clip{Rate: 8000}, 16000, "0 channels"},
		{Clip{Channels: 1}, 16000, "0 Hz"},
		{Clip{Channels: 1, Rate: 8000}, 0, "positive"},
		{Clip{Channels: 1, Rate: 8000}, -1, "positive"},
		{Clip{Channels: 1, Rate: 1, Source: "x.wav"}, 16000, "factor of 256 of"},
		{Clip{Channels: 2, Rate: 8000, Samples: make([]float32, 3)}, 16000, "whole frames"},
	}
	if strconv.IntSize > 32 {
		huge := int64(4000000000)
		cases = append(cases, refused{Clip{Channels: 1, Rate: int(huge)}, 16000, "below 2^31"})
	}
	for _, c := range cases {
		if _, err := Resample(c.clip, c.rate); err == nil || !strings.Contains(err.Error(), strings.TrimSuffix(c.want, " of")) {
			t.Errorf("%+v to %d Hz: %v, want %q", c.clip, c.rate, err, c.want)
		}
	}
}

// TestResamplersAreKept checks that one ratio gives one Resampler and that the number kept is bounded.
func TestResamplersAreKept(t *testing.T) {
	var rs Resamplers
	get := func(up int) *Resampler {
		r, err := rs.Get(8000, 8000*up)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := get(2)
	for up := 3; up < 3+maxResamplers-1; up++ {
		get(up)
	}
	if get(2) != first {
		t.Error("the Resampler was made again")
	}
	get(99) // Drops the least recently used, 3:1.
	if len(rs.entries) != maxResamplers || get(2) != first {
		t.Errorf("%d Resamplers are kept, want the %d most recent", len(rs.entries), maxResamplers)
	}
}

// BenchmarkResample converts ten seconds of noise.
func BenchmarkResample(b *testing.B) {
	for _, r := range []struct{ from, to int }{{44100, 16000}, {48000, 16000}, {8000, 44100}, {44100, 48000}, {44101, 16000}} {
		b.Run(fmt.Sprintf("%d-%d", r.from, r.to), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 1))
			x := make([]float32, 10*r.from)
			for i := range x {
				x[i] = rng.Float32() - 0.5
			}
			rs, err := NewResampler(r.from, r.to)
			if err != nil {
				b.Fatal(err)
			}
			dst := make([]float32, 0, rs.OutputFrames(len(x)))
			for b.Loop() {
				rs.Resample(dst, x)
			}
			b.ReportMetric(10*float64(b.N)/b.Elapsed().Seconds(), "xrealtime")
		})
	}
}
