package wav

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wavemill/audio"
)

// TestSampler writes loops and a note, and reads them back, whole and as a stream.
func TestSampler(t *testing.T) {
	clip := audio.Clip{Samples: make([]float32, 3000), Channels: 1, Rate: 44100}
	want := &Sampler{Note: 69, Cents: 12.5, Loops: []Loop{{0, 3000}, {100, 101}}}
	file, err := Encode(clip, Options{Sampler: want, Tags: map[string]string{"INAM": "x"}})
	if err != nil {
		t.Fatal(err)
	}
	_, h, err := Decode(file)
	if err != nil || !cmp.Equal(h.Sampler, want) || h.Tags["INAM"] != "x" || len(h.Notes) > 0 {
		t.Errorf("%+v, %v", h, err)
	}
	if _, h, err := readAll(bytes.NewReader(file), 100); err != nil || !cmp.Equal(h.Sampler, want) {
		t.Errorf("as a stream %+v, %v", h.Sampler, err)
	}
	// The bytes of the specification: the end of a loop is its last frame.
	at := bytes.Index(file, []byte("smpl"))
	words := make([]uint32, 2+9+12)
	for i := range words {
		words[i] = binary.LittleEndian.Uint32(file[at+4*i:])
	}
	if diff := cmp.Diff(words[1:], []uint32{84, 0, 0, 22676, 69, 1 << 29, 0, 0, 2, 0, 0, 0, 0, 2999, 0, 0, 1, 0, 100, 100, 0, 0}); diff != "" {
		t.Error(diff)
	}
	plain, err := Encode(clip, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, h, err := Decode(plain); err != nil || h.Sampler != nil {
		t.Errorf("without the chunk %+v, %v", h.Sampler, err)
	}
	// Behind the data, as most programs write it, and cut short.
	chunk := file[at : at+8+84]
	if _, h, err := Decode(append(bytes.Clone(plain), chunk...)); err != nil || !cmp.Equal(h.Sampler, want) {
		t.Errorf("behind the data %+v, %v", h.Sampler, err)
	}
	if _, h, err := Decode(append(bytes.Clone(plain), chunk[:30]...)); err != nil || h.Sampler != nil || !strings.Contains(strings.Join(h.Notes, " "), "smpl chunk") {
		t.Errorf("cut short %+v, %v", h, err)
	}
}

func TestSamplerRefuses(t *testing.T) {
	for name, s := range map[string]Sampler{
		"note":       {Note: 128},
		"cents":      {Cents: 100},
		"empty loop": {Loops: []Loop{{5, 5}}},
		"far loop":   {Loops: []Loop{{0, 1 << 33}}},
		"loops":      {Loops: make([]Loop, 65)},
	} {
		if _, err := Encode(audio.Clip{Channels: 1, Rate: 8000}, Options{Sampler: &s}); err == nil {
			t.Errorf("%s: written", name)
		}
	}
}

func TestNoteOf(t *testing.T) {
	for hz, want := range map[float64]struct {
		note  int
		cents float64
	}{440: {69, 0}, 261.6255653: {60, 0}, 450: {69, 38.906}, 0: {60, 0}, 1e9: {60, 0}, math.Inf(1): {60, 0}} {
		note, cents := NoteOf(hz)
		if at, exact := float64(note)*100+cents, float64(want.note)*100+want.cents; math.Abs(at-exact) > 0.01 {
			t.Errorf("%g Hz is note %d and %g cents", hz, note, cents)
		}
	}
}
