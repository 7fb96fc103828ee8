package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"wavemill/audio"
	"wavemill/audio/codec"
	"wavemill/audio/fingerprint"
	"wavemill/audio/wav"
)

// limits say which labels and recordings are left out.
type limits struct {
	packs, recordings int
	longest           time.Duration
}

// A set is the recordings that are written.
type set struct {
	recordings []recording
	skipped    []skip
}

// A recording is a sample and its file.
type recording struct {
	sample
	wav  []byte
	name string // LABEL/PACK_NN.wav
}

// load decodes samples. Left out are those that cannot be decoded, are silent or too long, or have the samples of one
// before them, and labels that are too rare.
func load(ctx context.Context, samples []sample, keep limits) (*set, error) {
	s := &set{}
	known := map[string]bool{}
	for _, from := range samples {
		read := from.read
		if read == nil {
			read = func() ([]byte, error) { return os.ReadFile(from.path) }
		}
		data, err := read()
		if err != nil {
			s.skipped = append(s.skipped, skip{from.path, err.Error()})
			continue
		}
		clip, _, err := codec.Decode(ctx, from.path, data)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		digest := fmt.Sprint(fingerprint.Digest(clip))
		switch {
		case err != nil:
			s.skipped = append(s.skipped, skip{from.path, err.Error()})
			continue
		case clip.Peak() == 0:
			s.skipped = append(s.skipped, skip{from.path, "silent"})
			continue
		case clip.Duration() > keep.longest:
			s.skipped = append(s.skipped, skip{from.path, "longer than " + keep.longest.String()})
			continue
		case known[digest]:
			s.skipped = append(s.skipped, skip{from.path, "the same sound as another"})
			continue
		}
		known[digest] = true
		file, err := asWAV(clip, data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", from.path, err)
		}
		s.recordings = append(s.recordings, recording{sample: from, wav: file})
	}
	s.leaveOutRare(keep)
	s.number()
	return s, nil
}

// asWAV is the file of a clip as WAV: itself if it is one.
func asWAV(clip audio.Clip, data []byte) ([]byte, error) {
	if bytes.HasPrefix(data, []byte("RIFF")) {
		return data, nil
	}
	return wav.Encode(clip, wav.Options{Encoding: wav.PCM24, NoDither: true})
}

// leaveOutRare leaves out the labels that too few packs or recordings have.
func (s *set) leaveOutRare(keep limits) {
	packs, count := map[string]map[string]bool{}, map[string]int{}
	for _, r := range s.recordings {
		if packs[r.label] == nil {
			packs[r.label] = map[string]bool{}
		}
		packs[r.label][r.pack] = true
		count[r.label]++
	}
	s.recordings = slices.DeleteFunc(s.recordings, func(r recording) bool {
		rare := len(packs[r.label]) < keep.packs || count[r.label] < keep.recordings
		if rare {
			reason := fmt.Sprintf("%s has %d recordings from %d packs", r.label, count[r.label], len(packs[r.label]))
			s.skipped = append(s.skipped, skip{r.path, reason})
		}
		return rare
	})
}

// number gives each recording its name.
func (s *set) number() {
	next := map[string]int{}
	for i := range s.recordings {
		r := &s.recordings[i]
		base := r.label + "/" + r.pack
		next[base]++
		r.name = fmt.Sprintf("%s_%02d.wav", base, next[base])
	}
}

// write writes the recordings to a folder that must not be there yet, and where they are from to a table beside it.
func (s *set) write(out string) error {
	if len(s.recordings) == 0 {
		return fmt.Errorf("no sample is left of %d: lower -packs and -recordings, raise -longest", len(s.skipped))
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(out, 0o755); err != nil {
		return fmt.Errorf("%w; remove it or name another folder", err)
	}
	var table bytes.Buffer
	w := csv.NewWriter(&table)
	_ = w.Write([]string{"path", "label", "pack", "instrument", "source"})
	for _, r := range s.recordings {
		path := filepath.Join(out, filepath.FromSlash(r.name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, r.wav, 0o644); err != nil {
			return err
		}
		_ = w.Write([]string{r.name, r.label, r.pack, r.instrument, filepath.Base(r.path)})
	}
	w.Flush()
	return os.WriteFile(filepath.Clean(out)+".csv", table.Bytes(), 0o644)
}

// report writes how many recordings there are of each label and pack, and how many were skipped for which reason.
func (s *set) report(w io.Writer) {
	byLabel, byPack, reasons := map[string]int{}, map[string]map[string]int{}, map[string]int{}
	for _, r := range s.recordings {
		byLabel[r.label]++
		if byPack[r.pack] == nil {
			byPack[r.pack] = map[string]int{}
		}
		byPack[r.pack][r.label]++
	}
	for _, k := range s.skipped {
		reasons[k.reason]++
	}
	fmt.Fprintf(w, "%d recordings\n", len(s.recordings))
	for _, label := range slices.Sorted(maps.Keys(byLabel)) {
		fmt.Fprintf(w, "%6d %s\n", byLabel[label], label)
	}
	if len(byPack) < len(s.recordings)/2 { // Where each recording is a pack of its own there is nothing to see.
		fmt.Fprintf(w, "from %d packs\n", len(byPack))
		for _, pack := range slices.Sorted(maps.Keys(byPack)) {
			fmt.Fprintf(w, "       %s:", pack)
			for _, label := range slices.Sorted(maps.Keys(byPack[pack])) {
				fmt.Fprint(w, " ", label, " ", strconv.Itoa(byPack[pack][label]))
			}
			fmt.Fprintln(w)
		}
	}
	fmt.Fprintf(w, "%d samples skipped\n", len(s.skipped))
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		fmt.Fprintf(w, "%6d %s\n", reasons[reason], reason)
	}
}
