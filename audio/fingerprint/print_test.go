package fingerprint

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"wavemill/audio"
	"wavemill/audio/codec"
	"wavemill/audio/codec/flactest"
	"wavemill/audio/wav"
	"wavemill/internal/allocation"
)

// hiss returns noise of a duration at 8 kHz.
func hiss(seed uint64, d time.Duration) audio.Clip {
	rng := rand.New(rand.NewPCG(seed, 2))
	c := audio.Clip{Samples: make([]float32, int(d.Seconds()*8000)), Channels: 1, Rate: 8000}
	for i := range c.Samples {
		c.Samples[i] = float32(0.2 * rng.NormFloat64())
	}
	return c
}

// TestDigestSurvivesSaving saves recordings of 8, 16, 24 and 32 bits again with as many bits or more.
func TestDigestSurvivesSaving(t *testing.T) {
	round := func(bits int) audio.Clip {
		scale := math.Exp2(float64(bits - 1))
		return mapped(hiss(1, 100*time.Millisecond), func(v float64) float64 {
			return math.Round(max(-1, min(1-1/scale, v))*scale) / scale
		})
	}
	encodings := []struct {
		bits int
		make func(c audio.Clip) ([]byte, error)
	}{
		{16, func(c audio.Clip) ([]byte, error) { return wav.Encode(c, wav.Options{Encoding: wav.PCM16}) }},
		{24, func(c audio.Clip) ([]byte, error) { return wav.Encode(c, wav.Options{Encoding: wav.PCM24}) }},
		{32, func(c audio.Clip) ([]byte, error) { return wav.Encode(c, wav.Options{Encoding: wav.Float32}) }},
		{16, func(c audio.Clip) ([]byte, error) { return flactest.Encode(c, flactest.Options{Bits: 16}) }},
		{24, func(c audio.Clip) ([]byte, error) { return flactest.Encode(c, flactest.Options{Bits: 24}) }},
	}
	for _, channels := range []int{1, 2} {
		for _, source := range []int{8, 16, 24, 32} {
			clip := hiss(1, 100*time.Millisecond)
			if source < 32 {
				clip = round(source)
			}
			clip.Channels = channels
			want := Digest(clip)
			for _, e := range encodings {
				if e.bits < source {
					continue
				}
				file, err := e.make(clip)
				if err != nil {
					t.Fatal(err)
				}
				back, info, err := codec.Decode(t.Context(), "another name", file)
				if err != nil {
					t.Fatal(err)
				}
				back.Label = "another label"
				if got := Digest(back); got != want {
					t.Errorf("%d bits, %d channels, saved as %s %s: digest %s, was %s", source, channels, info.Format, info.Encoding, got, want)
				}
			}
		}
	}
}

func TestDigest(t *testing.T) {
	clip := hiss(1, 50*time.Millisecond)
	want := Digest(clip)
	if len(want) != 32 || strings.Trim(want, "0123456789abcdef") != "" {
		t.Errorf("digest %q", want)
	}
	stereo := audio.Clip{Channels: 2, Rate: clip.Rate}
	for _, v := range clip.Samples {
		stereo.Samples = append(stereo.Samples, v, v)
	}
	if Digest(stereo) != want {
		t.Error("equal channels change the digest")
	}
	faster := clip
	faster.Rate++
	shorter := clip
	shorter.Samples = clip.Samples[1:]
	one := mapped(clip, func(v float64) float64 { return v })
	one.Samples[100] += 1.0 / (1 << 15)
	seen := map[string]string{want: "the clip"}
	for name, c := range map[string]audio.Clip{"another rate": faster, "shorter": shorter, "one step": one, "no samples": {Channels: 1, Rate: 8000}, "zero clip": {}} {
		d := Digest(c)
		if other, taken := seen[d]; taken {
			t.Errorf("%s has the digest of %s", name, other)
		}
		seen[d] = name
	}
	loud := audio.Clip{Samples: []float32{2, -2, float32(math.NaN()), float32(math.Inf(1))}, Channels: 1, Rate: 8000}
	full := audio.Clip{Samples: []float32{32767.0 / 32768, -1, 0, 1}, Channels: 1, Rate: 8000}
	if Digest(loud) != Digest(full) {
		t.Error("samples beyond full scale do not count as full scale")
	}
}

// TestPannedIsAnother: recordings that differ by panning or width alone have digests of their own, and stay near copies.
func TestPannedIsAnother(t *testing.T) {
	clip, other := hiss(1, 300*time.Millisecond), hiss(2, 300*time.Millisecond)
	placed := func(left, right, side float32) audio.Clip {
		c := audio.Clip{Channels: 2, Rate: clip.Rate}
		for i, v := range clip.Samples {
			c.Samples = append(c.Samples, left*v+side*other.Samples[i], right*v-side*other.Samples[i])
		}
		return c
	}
	seen := map[string]string{Digest(clip): "mono"}
	for name, c := range map[string]audio.Clip{"left": placed(1, 0.5, 0), "right": placed(0.5, 1, 0), "wide": placed(0.75, 0.75, 0.3), "phase": placed(0.75, -0.75, 0)} {
		d := Digest(c)
		if other, taken := seen[d]; taken {
			t.Errorf("%s has the digest of %s", name, other)
		}
		seen[d] = name
		if d != Digest(c) {
			t.Errorf("%s: two digests", name)
		}
		if !Similar(Of(c), Of(clip)) {
			t.Errorf("%s is no near copy: it could be held out beside its twin", name)
		}
	}
}

// TestEmptyPrints gives what only a digest can identify.
func TestEmptyPrints(t *testing.T) {
	constant := hiss(1, time.Second)
	for i := range constant.Samples {
		constant.Samples[i] = 0.3
	}
	low := hiss(1, time.Second)
	low.Rate = 1000
	for name, c := range map[string]audio.Clip{
		"zero clip": {}, "no samples": {Channels: 1, Rate: 8000}, "silence": {Samples: make([]float32, 8000), Channels: 1, Rate: 8000},
		"constant": constant, "4 ms": hiss(1, 4*time.Millisecond), "one sample": {Samples: []float32{1}, Channels: 1, Rate: 44100},
		"rate of 1 kHz": low, "torn frame": {Samples: make([]float32, 3), Channels: 2, Rate: 8000},
		"no numbers": {Samples: []float32{float32(math.NaN()), float32(math.Inf(-1)), float32(math.NaN())}, Channels: 1, Rate: 8000},
	} {
		p := Of(c)
		if !p.IsZero() {
			t.Errorf("%s has a fingerprint", name)
		}
		if Similar(p, p) || Score(p, p) != 0 {
			t.Errorf("%s is similar to itself", name)
		}
	}
	var index Index
	index.Add(Print{})
	index.Add(Of(hiss(1, time.Second)))
	if got := index.Similar(Print{}); len(got) != 0 {
		t.Errorf("an empty print is similar to %v", got)
	}
	if got := index.Similar(Of(hiss(1, time.Second))); len(got) != 1 || got[0] != 1 {
		t.Errorf("found %v, want [1]", got)
	}
}

// TestShort compares hits of 10 to 100 ms with copies among others: 200 of each length, in groups of 20. Of noise as short as
// 30 ms, the keys of one in ten copies differ.
func TestShort(t *testing.T) {
	const ms, groups, group = time.Millisecond, 10, 20
	for _, c := range []struct {
		length time.Duration
		most   int // copies that may be missed
	}{{10 * ms, 50}, {20 * ms, 110}, {30 * ms, 35}, {50 * ms, 10}, {100 * ms, 3}} {
		missed := 0
		for first := uint64(0); first < groups*group; first += group {
			var index Index
			for i := range uint64(group) {
				index.Add(Of(hiss(first+i, c.length)))
			}
			for i := range uint64(group) {
				x := hiss(first+i, c.length)
				x.Samples = append(make([]float32, 100+17*i), append(x.Samples, make([]float32, 300)...)...)
				got := index.Similar(Of(mapped(x, func(v float64) float64 { return -0.3 * v })))
				if len(got) > 1 || (len(got) == 1 && got[0] != int(i)) {
					t.Errorf("%v: %d is taken for %v", c.length, first+i, got)
				}
				if len(got) == 0 {
					missed++
				}
			}
		}
		t.Logf("%v: %d of %d copies are missed", c.length, missed, groups*group)
		if missed > c.most {
			t.Errorf("%v: %d of %d copies are missed, at most %d may be", c.length, missed, groups*group, c.most)
		}
	}
}

func TestText(t *testing.T) {
	for _, p := range []Print{{}, Of(hiss(1, 20*time.Millisecond)), Of(hiss(1, 300*time.Millisecond)), Of(hiss(1, 20*time.Second))} {
		text, err := p.MarshalText()
		if err != nil || len(text) > 4*MaxBytes/3+1 {
			t.Fatalf("%d bytes of text, %v", len(text), err)
		}
		var back Print
		if err := back.UnmarshalText(text); err != nil || back != p {
			t.Errorf("%s comes back as another (%v)", text, err)
		}
		b, err := json.Marshal(struct {
			P Print `json:"p,omitzero"`
		}{p})
		if err != nil || p.IsZero() != (string(b) == "{}") {
			t.Errorf("JSON %s, %v", b, err)
		}
	}
	text, err := Of(hiss(1, 300*time.Millisecond)).MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{
		"not base64": "!!!!", "another format": "Ag" + string(text[2:]), "cut": string(text[:len(text)-4]), "longer": string(text) + "AAAA",
		"padding": string(text) + "=", "new line": string(text) + "\n", "very long": strings.Repeat("A", 1<<20), "header alone": "AQAB",
	} {
		p := Of(hiss(2, 20*time.Millisecond))
		old := p
		if err := p.UnmarshalText([]byte(bad)); err == nil || !strings.HasPrefix(err.Error(), "fingerprint: ") || p != old {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzText decodes anything; what is accepted is canonical and can be compared.
func FuzzText(f *testing.F) {
	for _, d := range []time.Duration{20 * time.Millisecond, 300 * time.Millisecond, 2 * time.Second} {
		text, err := Of(hiss(1, d)).MarshalText()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte("AQABAAEAAQAAAAAA"))
	other := Of(hiss(3, 100*time.Millisecond))
	f.Fuzz(func(t *testing.T, text []byte) {
		var p Print
		var err error
		allocation.Check(t, len(text), 16, func() { err = p.UnmarshalText(text) })
		if err != nil {
			return
		}
		back, err := p.MarshalText()
		if err != nil || string(back) != string(text) {
			t.Fatalf("%q is written as %q (%v)", text, back, err)
		}
		var index Index
		index.Add(p)
		index.Add(other)
		for _, id := range index.Similar(p) {
			if id == 0 && !Similar(p, p) {
				t.Fatal("the index finds what Similar does not")
			}
		}
		if Similar(p, other) != Similar(other, p) {
			t.Fatal("Similar is not symmetric")
		}
	})
}

// TestIndexAgrees checks that the index finds what comparing all pairs finds.
func TestIndexAgrees(t *testing.T) {
	var prints []Print
	rng := rand.New(rand.NewPCG(1, 1))
	for seed := range uint64(10) {
		c := hiss(seed, 250*time.Millisecond)
		prints = append(prints, Of(c), Of(padded(t, c, rng)), Of(resampled(t, c, 44100)))
	}
	var index Index
	for _, p := range prints {
		index.Add(p)
	}
	for i, p := range prints {
		found := map[int]bool{}
		for _, j := range index.Similar(p) {
			found[j] = true
		}
		for j, q := range prints {
			if same := Similar(p, q); same != found[j] || same != (i/3 == j/3) {
				t.Errorf("%d and %d: similar %v, found by the index %v", i, j, same, found[j])
			}
		}
	}
}
