package convert

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"wavemill/audio/dataset"
	"wavemill/audio/spectrogram"
	"wavemill/audio/wav"
	"wavemill/internal/atomicfile"
)

// stateName is the file in Out that says what conversion it holds.
const stateName = "convert.json"

// lockName is the file in Out that is there, and locked, while a conversion runs.
const lockName = ".convert.lock"

// partialName is the folder in Out for files that are not whole yet.
const partialName = ".partial"

// state is what must be the same for two runs to be one conversion.
type state struct {
	To       Target              `json:"to"`
	Rate     int                 `json:"rate,omitempty"`
	Config   *spectrogram.Config `json:"config,omitempty"`
	Shard    int64               `json:"shard_bytes,omitempty"`
	Phase    *spectrogram.Phase  `json:"phase,omitempty"`
	Encoding string              `json:"encoding,omitempty"`
}

// state describes this conversion.
func (p *plan) state() state {
	s := state{To: p.o.target(), Rate: p.rate, Config: p.config}
	switch s.To {
	case NPY:
		s.Shard = p.o.ShardBytes
	case WAV:
		s.Encoding = p.encodingState()
		if len(p.jobs) > 0 && p.jobs[0].shards != nil {
			s.Phase = &p.o.Phase
		}
	}
	return s
}

// readState reads what an earlier run left, nil when there was none.
func readState(out string) (*state, error) {
	path := filepath.Join(out, stateName)
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil // No earlier run is an answer, not an error.
	}
	if err != nil {
		return nil, fmt.Errorf("convert: %w", err)
	}
	var s state
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return nil, fmt.Errorf("convert: %s was not written by an earlier run (%w); choose another folder", path, err)
	}
	return &s, nil
}

// compare refuses to mix two conversions in one folder.
func (s state) compare(now state, out string) error {
	was, is := s.lines(), now.lines()
	for i := range was {
		if was[i] != is[i] {
			return fmt.Errorf("convert: %s was written with other settings: %s there, %s now; choose another folder or remove it", out, was[i], is[i])
		}
	}
	return nil
}

// lines describes each part of a state in words.
func (s state) lines() []string {
	config, phase := "no config", "no phase reconstruction"
	if s.Config != nil {
		config = fmt.Sprintf("config %+v", *s.Config)
	}
	if s.Phase != nil {
		phase = fmt.Sprintf("phase reconstruction %+v", *s.Phase)
	}
	return []string{
		"target " + string(s.To), fmt.Sprintf("rate %d Hz", s.Rate), config, fmt.Sprintf("shards of %d bytes", s.Shard), phase, "encoding " + s.Encoding,
	}
}

func (s state) write(out string) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("convert: %w", err)
	}
	return writeFile(filepath.Join(out, stateName), append(b, '\n'))
}

// writeFile writes one of the files about a conversion.
func writeFile(path string, data []byte) error {
	if err := atomicfile.Write(path, data, atomicfile.Options{}); err != nil {
		return fmt.Errorf("convert: %w", err)
	}
	return nil
}

// removeTemporaries removes what an earlier run was writing when it was killed. Only files that this
// package and the shards write are touched.
func removeTemporaries(out string) error {
	err := atomicfile.Sweep(out, func(base string) bool {
		shard, err := filepath.Match("shard-*.npy.journal", base)
		return shard && err == nil || slices.Contains([]string{stateName, SkippedName, LabelsName, dataset.ManifestName}, base)
	})
	if err != nil {
		return fmt.Errorf("convert: %w", err)
	}
	return nil
}

// close ends the conversion: it completes the shards, or leaves them to be gone on with, and writes
// down what was skipped and the labels.
func (p *plan) close(m *meter, s Summary) error {
	var err error
	if p.writer != nil {
		if s.Converted+s.Skipped-len(p.skipped) < len(p.jobs) {
			err = p.writer.Suspend()
		} else {
			err = p.writer.Close()
		}
	}
	err = errors.Join(err, p.writeSkipped(m))
	if p.o.target() != NPY {
		err = errors.Join(err, p.writeLabels(m), os.RemoveAll(filepath.Join(p.o.Out, partialName)))
	}
	return err
}

// writeSkipped writes skipped.jsonl, sorted by path, also when it is empty. Files of which a part is missing, because it
// could not be decoded or is not there, have lines that are marked as partial.
func (p *plan) writeSkipped(m *meter) error {
	var b []byte
	parts := slices.DeleteFunc(slices.Clone(m.faults), func(s dataset.Skip) bool { return !s.Partial })
	for _, s := range sortedSkips(p.skipped, m.skipped, parts) {
		line, err := json.Marshal(s)
		if err != nil {
			return fmt.Errorf("convert: %w", err)
		}
		b = append(append(b, line...), '\n')
	}
	return writeFile(filepath.Join(p.o.Out, SkippedName), b)
}

// writeLabels writes labels.csv: the files that are there with their labels.
func (p *plan) writeLabels(m *meter) error {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	rows := [][]string{{"file", "label", "group"}}
	for _, j := range p.finished(m) {
		rows = append(rows, []string{j.result, j.item.Label, j.item.Group})
	}
	if err := w.WriteAll(rows); err != nil {
		return fmt.Errorf("convert: %w", err)
	}
	return writeFile(filepath.Join(p.o.Out, LabelsName), b.Bytes())
}

// whole reports whether a result is complete. Results get their names only when they are, but they
// are not synced one by one: after a power failure one may be there and yet cut short.
func whole(path string, to Target) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	if to == WAV {
		r, err := wav.NewReader(f)
		return err == nil && r.Complete()
	}
	const end = "\x00\x00\x00\x00IEND\xaeB`\x82" // The last chunk of every PNG.
	info, err := f.Stat()
	if err != nil || info.Size() < int64(len(end)) {
		return false
	}
	tail := make([]byte, len(end))
	_, err = f.ReadAt(tail, info.Size()-int64(len(end)))
	return (err == nil || errors.Is(err, io.EOF)) && string(tail) == end
}
