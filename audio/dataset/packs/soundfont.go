package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"wavemill/audio"
	"wavemill/audio/wav"
)

// Generators and kinds of samples of SoundFont 2.04, sections 8.1 and 7.10.
const (
	genInstrument  = 41
	genKeys        = 43
	genSample      = 53
	genLoop        = 54
	percussionBank = 128
	kindRight      = 2
	kindLeft       = 4
)

// A soundfont is what is read of a file in the format SoundFont 2 (E-mu, SoundFont Technical Specification 2.04).
type soundfont struct {
	file       string
	data       int64 // where its 16-bit samples begin in the file
	frames     uint32
	presets    []presetHeader
	presetBags []bag
	presetGens []generator
	insts      []instHeader
	instBags   []bag
	instGens   []generator
	samples    []sampleHeader
}

// These are the records of the chunk pdta, in the layout of the file.
type (
	presetHeader struct {
		Name              [20]byte
		Preset, Bank, Bag uint16
		_                 [12]byte
	}
	instHeader struct {
		Name [20]byte
		Bag  uint16
	}
	bag          struct{ Generator, Modulator uint16 }
	generator    struct{ Kind, Amount uint16 }
	sampleHeader struct {
		Name                           [20]byte
		Start, End, LoopStart, LoopEnd uint32
		Rate                           uint32
		Pitch                          uint8
		Correction                     int8
		Link, Kind                     uint16
	}
)

// soundfonts lists the strokes of the drum kits (bank 128) of a SoundFont file, labelled by the keys of General MIDI. A kit is
// a pack. In a file without that bank every preset counts, where a third or more of the samples' names say what their keys do: files of
// drums alone, such as those of avldrums.lv2, have it. The first key with a label says what a sample is; other keys play it too, some of them for instruments that have no label
// here. Samples that loop before they have decayed are left out: what they hold is no whole stroke.
func soundfonts(file string) ([]sample, []skip, error) {
	f, err := readSoundfont(file)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	var samples []sample
	var skipped []skip
	other := regexp.MustCompile(`orch|timpani|brush|sfx`)
	kits := slices.ContainsFunc(f.presets, func(p presetHeader) bool { return p.Bank == percussionBank })
	taken := map[uint16]bool{}
	named := 0                   // samples whose names have the labels of their keys
	refused := map[uint16]skip{} // the reason of the first key
	var order []uint16           // of what was refused
	for p := 0; p+1 < len(f.presets); p++ {
		preset := f.presets[p]
		if kits && preset.Bank != percussionBank {
			continue
		}
		kit := text(preset.Name)
		for _, z := range f.zones(p) {
			at := fmt.Sprintf("%s: kit %s, key %d", file, kit, z.key)
			if int(z.sample) >= len(f.samples) {
				skipped = append(skipped, skip{at, "its sample is not in the file"})
				continue
			}
			head := f.samples[z.sample]
			if taken[z.sample] {
				continue
			}
			partner, paired := f.partner(z.sample)
			name := text(head.Name)
			label, reason := "", "General MIDI has no label of these for its key"
			if said := keys(z.key); said != "" {
				label, reason = classify(said, name)
			}
			if other.MatchString(words(kit + " " + name)) {
				label, reason = "", "no drum, or a brush"
			}
			if reason != "" {
				if _, before := refused[z.sample]; !before {
					refused[z.sample] = skip{at + ", " + name, reason}
					order = append(order, z.sample)
				}
				continue
			}
			taken[z.sample] = true
			if byName, _ := classify("", name); byName == label {
				named++
			}
			taken[partner] = taken[partner] || paired
			parts := []sampleHeader{head}
			if paired {
				parts = append(parts, f.samples[partner])
				if head.Kind == kindRight || strings.HasSuffix(name, right) {
					parts[0], parts[1] = parts[1], parts[0]
				}
			}
			samples = append(samples, sample{
				path: file + "#" + name, label: label, pack: slug(kit), instrument: kit + " " + name,
				read: func() ([]byte, error) { return f.wav(parts, z.loops) },
			})
		}
	}
	for _, number := range order {
		if !taken[number] {
			skipped = append(skipped, refused[number])
		}
	}
	if len(samples) == 0 || !kits && 3*named < len(samples) {
		return nil, nil, fmt.Errorf("%s has no drum kit (bank 128) with labelled strokes", file)
	}
	return samples, skipped, nil
}

// keys is what General MIDI 1 calls the instrument of a key, as far as classify knows it.
func keys(key uint8) string {
	switch key {
	case 35, 36:
		return "kick"
	case 37:
		return "side stick"
	case 38, 40:
		return "snare"
	case 39:
		return "clap"
	case 41, 43, 45, 47, 48, 50:
		return "tom"
	case 42:
		return "closed hat"
	case 44:
		return "pedal hat"
	case 46:
		return "open hat"
	case 49, 51, 52, 53, 55, 57, 59:
		return "cymbal"
	case 54:
		return "tambourine"
	case 56:
		return "cowbell"
	}
	return ""
}

// A zone is a sample on the keys of a kit.
type zone struct {
	key    uint8 // the lowest
	sample uint16
	loops  bool
}

// zones lists the samples of a preset's instruments, with their keys. A key range of the preset narrows that of the instrument;
// kits map each instrument whole, or to a key of its own.
func (f *soundfont) zones(preset int) []zone {
	var out []zone
	for b := f.presets[preset].Bag; b < f.presets[preset+1].Bag; b++ {
		gens := between(f.presetGens, f.presetBags, b)
		inst, known := amount(gens, genInstrument)
		if !known || int(inst)+1 >= len(f.insts) {
			continue // The first zone may hold what is the same for all.
		}
		within, narrowed := amount(gens, genKeys)
		var loopsAll bool
		for i := f.insts[inst].Bag; i < f.insts[inst+1].Bag; i++ {
			gens := between(f.instGens, f.instBags, i)
			loop, said := amount(gens, genLoop)
			number, sounds := amount(gens, genSample)
			if !sounds {
				loopsAll = loop&1 != 0
				continue
			}
			keys, _ := amount(gens, genKeys)
			low := uint8(keys)
			if narrowed {
				low = max(low, uint8(within))
			}
			out = append(out, zone{low, number, said && loop&1 != 0 || !said && loopsAll})
		}
	}
	return out
}

// Many files name the channels of a recording so, instead of linking them.
const left, right = "(L)", "(R)"

// partner finds the other channel of a sample: the one that it is linked with, or the one with its name.
func (f *soundfont) partner(of uint16) (uint16, bool) {
	head := f.samples[of]
	if head.Kind == kindLeft || head.Kind == kindRight {
		if int(head.Link) < len(f.samples) && f.samples[head.Link].Link == of {
			return head.Link, true
		}
	}
	name := text(head.Name)
	wanted := ""
	if stem, cut := strings.CutSuffix(name, left); cut {
		wanted = stem + right
	} else if stem, cut := strings.CutSuffix(name, right); cut {
		wanted = stem + left
	}
	for i, other := range f.samples {
		if wanted != "" && text(other.Name) == wanted {
			return uint16(i), true
		}
	}
	return 0, false
}

// between lists the generators of a bag.
func between(gens []generator, bags []bag, i uint16) []generator {
	if int(i)+1 >= len(bags) {
		return nil
	}
	from, to := int(bags[i].Generator), int(bags[i+1].Generator)
	if from > to || to > len(gens) {
		return nil
	}
	return gens[from:to]
}

func amount(gens []generator, kind uint16) (uint16, bool) {
	for _, g := range gens {
		if g.Kind == kind {
			return g.Amount, true
		}
	}
	return 0, false
}

func text(name [20]byte) string {
	s, _, _ := strings.Cut(string(name[:]), "\x00")
	return strings.TrimSpace(s)
}

// readSoundfont reads the tables of a file; samples are read when they are asked for.
func readSoundfont(file string) (*soundfont, error) {
	r, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	info, err := r.Stat()
	if err != nil {
		return nil, err
	}
	var head [12]byte
	if _, err := io.ReadFull(r, head[:]); err != nil || string(head[:4]) != "RIFF" || string(head[8:]) != "sfbk" {
		return nil, fmt.Errorf("no SoundFont 2: it begins with %q", head[:])
	}
	f := &soundfont{file: file}
	return f, f.chunks(io.NewSectionReader(r, 0, info.Size()), 12, info.Size())
}

// chunks reads the chunks from one place of a file to another.
func (f *soundfont) chunks(r *io.SectionReader, from, to int64) error {
	for from+8 <= to {
		var head struct {
			Name [4]byte
			Size uint32
		}
		if err := binary.Read(io.NewSectionReader(r, from, 8), binary.LittleEndian, &head); err != nil {
			return err
		}
		name, body := string(head.Name[:]), from+8
		end := body + int64(head.Size)
		if end > to {
			return fmt.Errorf("chunk %q at %d has %d bytes, of which only %d are there", name, from, head.Size, to-body)
		}
		var err error
		switch name {
		case "LIST":
			err = f.chunks(r, body+4, end)
		case "smpl":
			f.data, f.frames = body, head.Size/2
		case "phdr":
			f.presets, err = records[presetHeader](r, body, head.Size, 38)
		case "pbag":
			f.presetBags, err = records[bag](r, body, head.Size, 4)
		case "pgen":
			f.presetGens, err = records[generator](r, body, head.Size, 4)
		case "inst":
			f.insts, err = records[instHeader](r, body, head.Size, 22)
		case "ibag":
			f.instBags, err = records[bag](r, body, head.Size, 4)
		case "igen":
			f.instGens, err = records[generator](r, body, head.Size, 4)
		case "shdr":
			f.samples, err = records[sampleHeader](r, body, head.Size, 46)
		}
		if err != nil {
			return fmt.Errorf("chunk %q: %w", name, err)
		}
		from = end + end%2
	}
	return nil
}

// records reads a chunk of records of one size.
func records[T any](r *io.SectionReader, at int64, size uint32, each int) ([]T, error) {
	out := make([]T, int(size)/each)
	return out, binary.Read(bufio.NewReader(io.NewSectionReader(r, at, int64(size))), binary.LittleEndian, out)
}

// wav is a WAV file of a sample, of two where they are the channels left and right of one recording.
func (f *soundfont) wav(parts []sampleHeader, loops bool) ([]byte, error) {
	frames := int64(parts[0].End) - int64(parts[0].Start)
	for _, p := range parts {
		if p.End <= p.Start || p.End > f.frames || p.Rate != parts[0].Rate || p.Rate == 0 {
			return nil, fmt.Errorf("sample %s lies from %d to %d of %d at %d Hz", text(p.Name), p.Start, p.End, f.frames, p.Rate)
		}
		frames = min(frames, int64(p.End)-int64(p.Start))
	}
	r, err := os.Open(f.file)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	clip := audio.Clip{Rate: int(parts[0].Rate), Channels: len(parts), Samples: make([]float32, int(frames)*len(parts))}
	for c, p := range parts {
		raw := make([]int16, frames)
		if err := binary.Read(io.NewSectionReader(r, f.data+2*int64(p.Start), 2*frames), binary.LittleEndian, raw); err != nil {
			return nil, err
		}
		for i, v := range raw {
			clip.Samples[i*len(parts)+c] = float32(v) / 32768
		}
	}
	last := clip
	last.Samples = clip.Samples[len(clip.Samples)-len(clip.Samples)/20/len(parts)*len(parts):]
	if loops && last.Peak() > clip.Peak()/100 {
		return nil, errors.New("loops before it has decayed by 40 dB")
	}
	return wav.Encode(clip, wav.Options{Encoding: wav.PCM16, NoDither: true})
}
