package slice

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"strings"

	"wavemill/audio"
	"wavemill/audio/codec"
	"wavemill/audio/dataset"
	"wavemill/audio/wav"
	"wavemill/internal/atomicfile"
)

// blockFrames is how many frames are decoded at a time.
const blockFrames = 1 << 14

// sourceEnd is the last line of the record of a source that is finished.
type sourceEnd struct {
	Size   int64          `json:"size"`
	Rate   int            `json:"rate"`
	Counts Counts         `json:"counts"`
	Skips  []dataset.Skip `json:"skips,omitempty"`
}

// Encoding is the sample format that holds the samples of a file.
func Encoding(about codec.Info) wav.Encoding {
	switch {
	case about.Bits > 24, strings.HasPrefix(about.Encoding, "pcm_f"):
		return wav.Float32
	case about.Bits > 16:
		return wav.PCM24
	}
	return wav.PCM16
}

// files cuts the files that are not finished.
func (r *run) files(ctx context.Context) error {
	for i, it := range r.items {
		if err := ctx.Err(); err != nil {
			return err
		}
		record := r.record(it)
		end, err := readEnd(record)
		if err != nil || end == nil || end.Size != it.Size {
			if err := r.remove(record); err != nil {
				return err
			}
			if end, err = r.cut(ctx, i, record); err != nil {
				return err
			}
		} else {
			r.summary.AlreadyDone++
			r.done.Clips += end.Counts.Clips
		}
		r.add(*end)
		r.done.Bytes += it.Size
		r.done.Number++
		r.tell(r.done)
	}
	return nil
}

func (r *run) add(end sourceEnd) {
	s, c := &r.summary, end.Counts
	if rate := float64(end.Rate); rate > 0 {
		s.Seconds += float64(c.Frames) / rate
		s.KeptSeconds += float64(c.Kept) / rate
		s.ShortSeconds += float64(c.ShortFrames) / rate
		s.SilentSeconds += float64(c.SilentFrames) / rate
	}
	s.Clips += c.Clips
	s.Short += c.Short
	s.Silent += c.Silent
	r.skipped = append(r.skipped, end.Skips...)
}

// record is the file that lists the clips of a source.
func (r *run) record(it dataset.Item) string {
	sum := sha256.Sum256([]byte(it.Name))
	return filepath.Join(r.Out, recordsName, hex.EncodeToString(sum[:12])+".jsonl")
}

// stem is what the names of a source's clips begin with: its own name, and a digest of its path where another source of the job
// has that name too.
func (r *run) stem(i int) string {
	base := func(it dataset.Item) string { return strings.TrimSuffix(path.Base(it.Name), path.Ext(it.Name)) }
	name := base(r.items[i])
	for k, other := range r.items {
		if k != i && strings.EqualFold(base(other), name) {
			sum := sha256.Sum256([]byte(r.items[i].Name))
			return dataset.FileSlug(name) + "-" + hex.EncodeToString(sum[:4])
		}
	}
	return dataset.FileSlug(name)
}

// streamer is what cuts a stream.
type streamer interface {
	Write(samples []float32, emit func(Clip) error) error
	Close(emit func(Clip) error) error
	Counts() Counts
}

// cut cuts one file, and writes its record when it is finished.
func (r *run) cut(ctx context.Context, i int, record string) (*sourceEnd, error) {
	it := r.items[i]
	f, err := atomicfile.Create(record, atomicfile.Options{NoSync: true})
	if err != nil {
		return nil, err
	}
	defer f.Discard()
	w := bufio.NewWriter(f)
	end := sourceEnd{Size: it.Size}
	if err := r.decode(ctx, i, w, &end); err != nil {
		return nil, err
	}
	line, err := json.Marshal(end)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(append(line, '\n')); err != nil {
		return nil, err
	}
	if err := w.Flush(); err != nil {
		return nil, err
	}
	return &end, f.Commit()
}

// decode decodes a file and writes its clips. What is wrong with the file is noted in end; other errors are returned.
func (r *run) decode(ctx context.Context, i int, w io.Writer, end *sourceEnd) error {
	it := r.items[i]
	skip := func(partial bool, format string, args ...any) {
		end.Skips = append(end.Skips, dataset.Skip{Path: it.Path, Reason: fmt.Sprintf(format, args...), Partial: partial})
	}
	d, err := codec.Open(ctx, it.Path)
	if err != nil {
		skip(false, "%s", strings.TrimPrefix(err.Error(), it.Path+": "))
		return ctx.Err()
	}
	defer d.Close()
	about := d.Info()
	end.Rate = about.SampleRate
	var s streamer
	if r.rows != nil {
		s, err = newTable(r.rows[i], r.Config.Silent, about.SampleRate, about.Channels)
	} else {
		s, err = New(r.Config, about.SampleRate, about.Channels)
	}
	if err != nil {
		skip(false, "%s", strings.TrimPrefix(err.Error(), "slice: "))
		return nil
	}
	out := writer{r: r, item: it, stem: r.stem(i), about: about, list: w}
	block := make([]float32, blockFrames*about.Channels)
	for heard := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := d.ReadFrames(block)
		if failed := s.Write(block[:n*about.Channels], out.write); failed != nil {
			return failed
		}
		heard += int64(n)
		now := r.done
		now.Source, now.Clips = it.Path, now.Clips+out.clips
		if about.Frames > 0 {
			now.Bytes += int64(float64(it.Size) * min(1, float64(heard)/float64(about.Frames)))
		}
		r.tell(now)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			skip(true, "damaged after %.1f s, what follows was left out: %s", float64(heard)/float64(about.SampleRate), strings.TrimPrefix(err.Error(), it.Path+": "))
			break
		}
	}
	if err := s.Close(out.write); err != nil {
		return err
	}
	r.done.Clips += out.clips
	end.Counts = s.Counts()
	if d.Info().Truncated {
		skip(true, "the file ends before the data that its header declares; what is there was used")
	}
	if t, ok := s.(*tableSlicer); ok {
		for _, row := range t.Beyond() {
			skip(true, "line %d of the table ends at %.3f s, behind the end of the file", row.Line, row.End)
		}
	}
	return nil
}

// writer writes the clips of one source.
type writer struct {
	r     *run
	item  dataset.Item
	stem  string
	about codec.Info
	list  io.Writer
	last  string
	clips int64
}

func (w *writer) encoding() wav.Encoding {
	switch w.r.Encoding {
	case "16":
		return wav.PCM16
	case "24":
		return wav.PCM24
	case "32f":
		return wav.Float32
	}
	return Encoding(w.about)
}

// write writes one clip and its line.
func (w *writer) write(c Clip) error {
	label := w.item.Label
	if c.Label != "" {
		label = dataset.LabelName(c.Label)
	}
	rate := float64(w.about.SampleRate)
	rec := ClipRecord{
		Label: label, Group: w.item.Name, Source: w.item.Name, Start: float64(c.Start) / rate, End: float64(c.End) / rate,
		Rate: w.about.SampleRate, Peak: round(audio.Decibels(c.Peak)), RMS: round(audio.Decibels(c.RMS)), Ended: c.Ended, Row: c.Row,
	}
	if w.r.Group != "" && w.item.Group != "" {
		rec.Group = w.item.Group
	}
	rec.File = w.name(c, label)
	file := filepath.Join(w.r.Out, filepath.FromSlash(rec.File))
	provenance, err := json.Marshal(map[string]any{"source": rec.Source, "start": rec.Start, "end": rec.End})
	if err != nil {
		return err
	}
	body, err := wav.Encode(audio.Clip{Samples: c.Samples, Channels: w.about.Channels, Rate: w.about.SampleRate}, wav.Options{
		Encoding: w.encoding(), DitherSeed: uint64(c.Start), Tags: map[string]string{"INAM": label, "ICMT": string(provenance)},
	})
	if err != nil {
		return fmt.Errorf("%s at %.3f s: %w", w.item.Path, rec.Start, err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return err
	}
	if err := atomicfile.Write(file, body, atomicfile.Options{NoSync: true}); err != nil {
		return err
	}
	line, err := w.r.line(rec)
	if err != nil {
		return err
	}
	w.clips++
	_, err = w.list.Write(append(line, '\n'))
	return err
}

// line is a line of the manifest. It has the group also under the name that Job.Group gives it.
func (r *run) line(rec ClipRecord) ([]byte, error) {
	line, err := json.Marshal(rec)
	if err != nil || r.Group == "" {
		return line, err
	}
	var fields map[string]any
	if err := json.Unmarshal(line, &fields); err != nil {
		return nil, err
	}
	if _, taken := fields[r.Group]; !taken {
		fields[r.Group] = rec.Group
	}
	return json.Marshal(fields)
}

// name is the path of a clip below Out.
func (w *writer) name(c Clip, label string) string {
	name := fmt.Sprintf("%s_%09d", w.stem, c.Start*1000/int64(w.about.SampleRate))
	if c.Row > 0 {
		name = fmt.Sprintf("%s_row%05d", w.stem, c.Row)
	} else if name == w.last {
		name = fmt.Sprintf("%s_f%d", name, c.Start)
	} else {
		w.last = name
	}
	return dataset.FileSlug(label) + "/" + name + ".wav"
}

// round keeps a hundredth.
func round(db float64) float64 { return math.Round(100*db) / 100 }

// readEnd returns the last line of the record of a finished source; nil if there is none.
func readEnd(record string) (*sourceEnd, error) {
	f, err := os.Open(record)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // An answer: it is not finished.
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var last []byte
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<22)
	for lines.Scan() {
		last = append(last[:0], lines.Bytes()...)
	}
	var end sourceEnd
	d := json.NewDecoder(bytes.NewReader(last))
	d.DisallowUnknownFields() // A clip's line is none.
	if err := errors.Join(lines.Err(), d.Decode(&end)); err != nil {
		return nil, err
	}
	return &end, nil
}

// remove removes the clips of a source that has changed since they were cut.
func (r *run) remove(record string) error {
	return eachClip(record, func(rec ClipRecord, _ []byte) error {
		name := filepath.FromSlash(rec.File)
		if !filepath.IsLocal(name) {
			return fmt.Errorf("%s names the file %q", record, rec.File)
		}
		if err := os.Remove(filepath.Join(r.Out, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}

// finish writes the manifest and what was skipped.
func (r *run) finish() error {
	f, err := atomicfile.Create(r.summary.Manifest, atomicfile.Options{})
	if err != nil {
		return err
	}
	defer f.Discard()
	w := bufio.NewWriter(f)
	for _, it := range r.items {
		if err := r.list(w, r.record(it)); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := f.Commit(); err != nil {
		return err
	}
	var text []byte
	for _, s := range r.skipped {
		line, err := json.Marshal(s)
		if err != nil {
			return err
		}
		text = append(append(text, line...), '\n')
	}
	r.summary.Skipped = len(r.skipped)
	for _, g := range dataset.GroupSkips(r.skipped) {
		r.summary.Reasons = append(r.summary.Reasons, g.String())
	}
	return atomicfile.Write(filepath.Join(r.Out, SkippedName), text, atomicfile.Options{})
}

// list copies the clips of a finished source to the manifest, and counts their labels.
func (r *run) list(w io.Writer, record string) error {
	return eachClip(record, func(rec ClipRecord, line []byte) error {
		r.summary.Labels[rec.Label]++
		_, err := w.Write(append(line, '\n'))
		return err
	})
}

// eachClip calls f for the clips in the record of a source, if there is one, each with its line.
func eachClip(record string, f func(ClipRecord, []byte) error) error {
	file, err := os.Open(record)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<22)
	for lines.Scan() {
		var rec ClipRecord
		if err := json.Unmarshal(lines.Bytes(), &rec); err != nil {
			return fmt.Errorf("%s: %w", record, err)
		}
		if rec.File == "" {
			break // The last line.
		}
		if err := f(rec, lines.Bytes()); err != nil {
			return err
		}
	}
	return lines.Err()
}
