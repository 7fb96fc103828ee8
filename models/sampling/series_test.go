package sampling_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"wavemill/audio/wav"
	"wavemill/models/architectures"
	"wavemill/models/frontend"
	"wavemill/models/sampling"
)

// mixture returns provenances of every kind and several temperatures, in an order that no batch can keep together.
func mixture(t *testing.T, s *sampling.Sampler) []sampling.Provenance {
	t.Helper()
	chirp, kick := sampling.Reference{Label: "chirp"}, sampling.Reference{Label: "kick"}
	kinds := slices.Concat(sampling.Labels(s.Labels, 0), sampling.Labels([]string{"kick"}, 0.6), sampling.Interpolations(chirp, kick, []float64{0, 0.25, 0.7, 1}, 0))
	if s.CanEncode() {
		given := sampling.Reference{Label: "kick", Like: encoded(t, s, 3, "kick")}
		kinds = slices.Concat(kinds, sampling.Variations([]sampling.Reference{given}, 0.4, 0), sampling.Interpolations(given, chirp, []float64{0.5}, 0.6))
	}
	return sampling.BySeed(kinds, 7, 5)
}

// TestSeriesIsTheClipsOneByOne compares batches of several sizes with the clips generated alone, to the byte.
func TestSeriesIsTheClipsOneByOne(t *testing.T) {
	for _, arch := range architectures.Names() {
		t.Run(arch, func(t *testing.T) {
			s := learned(t, arch, 30)
			ps := mixture(t, s)
			want := make([][]byte, len(ps))
			for i, p := range ps {
				_, want[i] = generated(t, s, p)
			}
			for _, size := range []int{1, 3, 8, 13, len(ps), 1000} {
				next := 0
				err := s.StreamBatches(t.Context(), ps, size, func(i int, c sampling.Clip) error {
					if i != next {
						t.Errorf("batches of %d: clip %d comes after %d clips", size, i, next)
					}
					next++
					if got, err := c.WAV(wav.PCM16); err != nil || !bytes.Equal(got, want[i]) {
						t.Errorf("batches of %d: clip %d, %+v, has other bytes than alone (%v)", size, i, ps[i], err)
					}
					return nil
				})
				if err != nil || next != len(ps) {
					t.Fatalf("batches of %d: %d of %d clips, error %v", size, next, len(ps), err)
				}
			}
		})
	}
}

func TestSeriesProgress(t *testing.T) {
	s := ridged(t, nil)
	ps := sampling.BySeed(sampling.Labels(s.Labels, 0), 1, 20)
	var progress []int
	clips, err := s.Series(t.Context(), ps, func(done int) { progress = append(progress, done) })
	if err != nil || len(clips) != 40 || len(progress) != 40 || progress[39] != 40 || !slices.IsSorted(progress) {
		t.Fatalf("%d clips, progress %v, error %v", len(clips), progress, err)
	}
	for i, c := range clips {
		if c.Label != s.Labels[i%2] || c.Seed != uint64(1+i/2) || c.Model != s.Digest || c.Audio.Label != c.Label {
			t.Errorf("clip %d: %+v", i, c.Provenance)
		}
	}
	if clips, err := s.Series(t.Context(), nil, nil); err != nil || len(clips) != 0 {
		t.Errorf("no clips: %d, error %v", len(clips), err)
	}
}

func TestSeriesEnds(t *testing.T) {
	s := ridged(t, func(seed uint64) bool { return seed == 5 })
	ps := sampling.BySeed(sampling.Labels([]string{"high"}, 0), 1, 10)
	if _, err := s.Series(t.Context(), ps, nil); !errors.Is(err, sampling.ErrSilent) || !strings.Contains(err.Error(), "seed 5") {
		t.Errorf("a silent clip: error %v", err)
	}
	stop := errors.New("enough")
	calls := 0
	err := s.StreamBatches(t.Context(), ps[:4], 2, func(int, sampling.Clip) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("an error of the caller's: %d calls, error %v", calls, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Series(ctx, ps[:4], nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error %v", err)
	}
	ps[2].Label = "middle"
	var unknown *sampling.LabelError
	if _, err := s.Series(t.Context(), ps, nil); !errors.As(err, &unknown) || unknown.Label != "middle" {
		t.Errorf("an unknown label: error %v", err)
	}
}

func TestSilence(t *testing.T) {
	s := ridged(t, func(seed uint64) bool { return seed == 5 })
	p := sampling.Provenance{Label: "high", Seed: 5}
	if _, err := s.Generate(t.Context(), p); !errors.Is(err, sampling.ErrSilent) || !errors.Is(err, frontend.ErrSilent) {
		t.Errorf("error %v, want ErrSilent", err)
	}
	c, err := s.WithSilence().Generate(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if c.Audio.Rate != 8000 || c.Audio.Channels != 1 || c.Audio.Frames() < 1600 || c.Audio.Peak() != 0 || c.Audio.Label != "high" || c.Seed != 5 || c.Model != s.Digest {
		t.Errorf("the stand-in: %d Hz, %d frames, peak %g, %+v", c.Audio.Rate, c.Audio.Frames(), c.Audio.Peak(), c.Provenance)
	}
	loud, err := s.WithSilence().Generate(t.Context(), sampling.Provenance{Label: "high", Seed: 6})
	if err != nil || loud.Audio.Peak() == 0 {
		t.Errorf("a clip with sound: peak %g, error %v", loud.Audio.Peak(), err)
	}
}

// TestDecoded compares the clip with what a reader of its file gets.
func TestDecoded(t *testing.T) {
	s := ridged(t, nil)
	c, file := generated(t, s, sampling.Provenance{Label: "very low", Seed: 3})
	want, _, err := wav.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Decoded()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Samples, want.Samples) || got.Rate != want.Rate || got.Label != "very low" || got.Source != c.Audio.Source {
		t.Errorf("%d samples at %d Hz, %q from %q; the file has %d at %d Hz", len(got.Samples), got.Rate, got.Label, got.Source, len(want.Samples), want.Rate)
	}
	if slices.Equal(got.Samples, c.Audio.Samples) {
		t.Error("16 bits hold what 32 do: the test shows nothing")
	}
}

func TestReadProvenanceRefuses(t *testing.T) {
	s := ridged(t, nil)
	c, file := generated(t, s, sampling.Provenance{Label: "high", Seed: 3})
	for name, encoding := range map[string]wav.Encoding{"pcm_s16le": wav.PCM16, "pcm_s24le": wav.PCM24, "pcm_f32le": wav.Float32} {
		data, err := c.WAV(encoding)
		if err != nil {
			t.Fatal(err)
		}
		if p, got, err := sampling.ReadProvenance(data); err != nil || got != encoding || p.Seed != 3 || p.Model != s.Digest {
			t.Errorf("%s: %+v, encoding %v, error %v", name, p, got, err)
		}
	}
	recording, err := wav.Encode(c.Audio, wav.Options{Tags: map[string]string{"ICMT": "made in a studio"}})
	if err != nil {
		t.Fatal(err)
	}
	converted := eightBits(fmt.Sprintf(`{"label":"high","model":%q,"seed":3}`, s.Digest))
	for want, data := range map[string][]byte{"no model and seed": recording, "was converted": converted, "wav": file[:20]} {
		if _, _, err := sampling.ReadProvenance(data); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// eightBits is a WAV file of 8-bit samples, which Wavemill does not write, with a comment.
func eightBits(comment string) []byte {
	chunk := func(id string, body []byte) []byte {
		out := binary.LittleEndian.AppendUint32([]byte(id), uint32(len(body)))
		if out = append(out, body...); len(body)%2 == 1 {
			out = append(out, 0)
		}
		return out
	}
	format := []byte{1, 0, 1, 0, 0x40, 0x1F, 0, 0, 0x40, 0x1F, 0, 0, 1, 0, 8, 0} // PCM, mono, 8000 Hz, 8 bits
	body := slices.Concat([]byte("WAVE"), chunk("fmt ", format), chunk("LIST", slices.Concat([]byte("INFO"), chunk("ICMT", []byte(comment)))), chunk("data", make([]byte, 100)))
	return chunk("RIFF", body)
}
