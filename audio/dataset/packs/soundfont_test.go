package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wavemill/internal/allocation"
)

// chunk is a chunk of a RIFF file.
func chunk(name string, body ...any) []byte {
	var b bytes.Buffer
	for _, v := range body {
		if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
			panic(err)
		}
	}
	size := []byte{0, 0, 0, 0}
	binary.LittleEndian.PutUint32(size, uint32(b.Len()))
	return slices.Concat([]byte(name), size, b.Bytes(), make([]byte, b.Len()%2))
}

func name20(s string) (out [20]byte) {
	copy(out[:], s)
	return out
}

// aKit is a SoundFont file with a piano and a drum kit: a kick, a snare of two channels that are only named so, a hat of two
// linked channels, a crash that loops while it is loud, one that loops in its silence, and a stroke without a label. Keys without
// a label play the kick too, before and after its own.
func aKit() []byte {
	pcm := make([]int16, 600)
	for i := range pcm {
		pcm[i] = int16(100 + i)
	}
	clear(pcm[590:600]) // the end of the ride
	head := func(name string, start, end uint32, link, kind uint16) sampleHeader {
		return sampleHeader{Name: name20(name), Start: start, End: end, Rate: 22050, Link: link, Kind: kind}
	}
	zone := func(key, sample uint16, loop uint16) []generator {
		return []generator{{genKeys, key | key<<8}, {genLoop, loop}, {genSample, sample}}
	}
	instGens := slices.Concat(
		zone(34, 0, 0), zone(36, 0, 0), zone(38, 1, 0), zone(38, 2, 0), zone(42, 3, 0), zone(42, 4, 0), zone(49, 5, 1), zone(51, 6, 1), zone(72, 0, 0), zone(72, 7, 0), []generator{{}})
	instBags := make([]bag, 11)
	for i := range instBags {
		instBags[i].Generator = uint16(3 * i)
	}
	return chunk("RIFF", []byte("sfbk"),
		chunk("LIST", []byte("sdta"), chunk("smpl", pcm)),
		chunk("LIST", []byte("pdta"),
			chunk("phdr", []presetHeader{{Name: name20("Piano")}, {Name: name20("Room 1"), Bank: percussionBank, Bag: 1}, {Name: name20("EOP"), Bag: 2}}),
			chunk("pbag", []bag{{}, {Generator: 1}, {Generator: 2}}),
			chunk("pgen", []generator{{genInstrument, 0}, {genInstrument, 0}, {}}),
			chunk("inst", []instHeader{{Name: name20("kit")}, {Name: name20("EOI"), Bag: 10}}),
			chunk("ibag", instBags), chunk("igen", instGens),
			chunk("shdr", []sampleHeader{
				head("Deep", 0, 100, 0, 1), head("Snr(R)", 200, 300, 0, 1), head("Snr(L)", 100, 200, 0, 1),
				head("hh r", 300, 400, 4, kindRight), head("hh l", 200, 300, 3, kindLeft),
				head("Crash", 400, 500, 0, 1), head("Ride", 400, 600, 0, 1), head("Agogo", 0, 50, 0, 1), head("EOS", 0, 0, 0, 0),
			}),
		))
}

func TestSoundfonts(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kit.sf2")
	if err := os.WriteFile(file, aKit(), 0o600); err != nil {
		t.Fatal(err)
	}
	samples, skipped, err := soundfonts(file)
	if err != nil {
		t.Fatal(err)
	}
	s, err := load(t.Context(), samples, limits{longest: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range s.recordings {
		got = append(got, r.name)
	}
	if want := []string{"kick/room-1_01.wav", "snare/room-1_01.wav", "closed-hat/room-1_01.wav", "cymbal/room-1_01.wav"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for i, want := range map[int]struct {
		channels    uint16
		left, right int16
	}{1: {2, 200, 300}, 2: {2, 300, 400}} {
		wav := s.recordings[i].wav
		channels := binary.LittleEndian.Uint16(wav[22:])
		at := bytes.Index(wav, []byte("data")) + 8
		l, r := int16(binary.LittleEndian.Uint16(wav[at:])), int16(binary.LittleEndian.Uint16(wav[at+2:]))
		if channels != want.channels || l != want.left || r != want.right {
			t.Errorf("%s: %d channels that begin with %d and %d, want %+v", s.recordings[i].name, channels, l, r, want)
		}
	}
	if len(skipped) != 1 || !strings.Contains(skipped[0].path, "Agogo") || len(s.skipped) != 1 || !strings.Contains(s.skipped[0].reason, "loops before") {
		t.Errorf("skipped %q and %q", skipped, s.skipped)
	}
}

// TestSoundfontOfDrumsAlone: a file without a bank of drums is one where its names say so.
func TestSoundfontOfDrumsAlone(t *testing.T) {
	bank := binary.LittleEndian.AppendUint16(append([]byte("Room 1"), make([]byte, 16)...), percussionBank)
	if n := bytes.Count(aKit(), bank); n != 1 {
		t.Fatalf("%d headers of the kit, want 1", n)
	}
	moved := bytes.Replace(aKit(), bank, append(bank[:22:22], 0, 0), 1)
	file := filepath.Join(t.TempDir(), "drums.sf2")
	if err := os.WriteFile(file, moved, 0o600); err != nil {
		t.Fatal(err)
	}
	samples, _, err := soundfonts(file)
	if err != nil || len(samples) < 4 {
		t.Errorf("%d strokes, %v", len(samples), err)
	}
	for _, name := range []string{"Snr(R)", "Snr(L)", "Crash", "Ride"} {
		moved = bytes.ReplaceAll(moved, []byte(name), []byte("Piano!")[:len(name)])
	}
	if err := os.WriteFile(file, moved, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := soundfonts(file); err == nil || !strings.Contains(err.Error(), "no drum kit") {
		t.Errorf("a piano is taken for drums: %v", err)
	}
}

// TestBadSoundfonts: what is no SoundFont, has no kit, or is cut short is told with its file.
func TestBadSoundfonts(t *testing.T) {
	whole := aKit()
	piano := bytes.Replace(whole, []byte{'R', 'o', 'o', 'm', ' ', '1'}, []byte{'O', 'r', 'c', 'h', ' ', '1'}, 1)
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"a WAV file": {[]byte("RIFF\x04\x00\x00\x00WAVE"), "no SoundFont 2"}, "cut short": {whole[:len(whole)-100], "of which only"},
		"an orchestra": {piano, "has no drum kit"}, "nothing": {nil, "no SoundFont 2"},
	} {
		file := filepath.Join(t.TempDir(), "kit.sf2")
		if err := os.WriteFile(file, c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := soundfonts(file); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// FuzzSoundfont shows anything in the place of a SoundFont file: an error, or samples that can be read or say why not.
func FuzzSoundfont(f *testing.F) {
	whole := aKit()
	f.Add(whole)
	f.Add(whole[:len(whole)-46])
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<13 {
			t.Skip("tables that name each other take time in the square of their size")
		}
		file := filepath.Join(t.TempDir(), "kit.sf2")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		var samples []sample
		allocation.Check(t, len(data), 2000, func() { samples, _, _ = soundfonts(file) })
		for _, s := range samples[:min(len(samples), 50)] {
			if b, err := s.read(); err == nil && (s.label == "" || len(b) > 44+4*len(data)) {
				t.Errorf("%s, labelled %q: %d bytes of %d", s.path, s.label, len(b), len(data))
			}
		}
	})
}

func TestNamed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "samples", "drums")
	file(t, 1, dir, "bassdrum01.wav")
	file(t, 2, dir, "hihat_closed02.wav")
	file(t, 3, dir, "zap01.wav")
	file(t, 4, dir, "kick.txt")
	samples, skipped, err := named(dir)
	if err != nil || len(samples) != 2 || len(skipped) != 1 {
		t.Fatalf("%+v, skipped %+v: %v", samples, skipped, err)
	}
	if s := samples[1]; s.label != "closed-hat" || s.pack != "samples-drums" {
		t.Errorf("%+v", s)
	}
	if _, _, err := named(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no audio file") {
		t.Errorf("an empty folder: %v", err)
	}
}
