package dataset

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
)

// ManifestName is the file that says what is in a folder of shards.
const ManifestName = "manifest.jsonl"

// Entry is one line of a manifest: where an array lies and what it was made of.
type Entry struct {
	Shard   string          `json:"shard"`             // The .npy file, in the manifest's folder.
	Offset  int             `json:"offset"`            // The first row.
	Frames  int             `json:"frames"`            // The number of rows.
	Bins    int             `json:"bins"`              // The number of columns, the same throughout a shard.
	Label   string          `json:"label"`             // What it is an example of.
	Source  string          `json:"source"`            // The Name of the item.
	Group   string          `json:"group,omitempty"`   // The Group of the item.
	Samples int64           `json:"samples,omitempty"` // The frames of sound that the rows stand for, at the config's rate.
	SHA256  string          `json:"sha256"`            // Of the rows' bytes, in hexadecimal.
	Config  json.RawMessage `json:"config,omitempty"`  // What made the rows, as JSON.
}

// validate holds an entry against everything that can be known without its shard.
func (e Entry) validate() error {
	switch {
	case e.Shard == "" || e.Shard != filepath.Base(e.Shard) || strings.ContainsAny(e.Shard, `/\:`) || !strings.HasSuffix(e.Shard, ".npy"):
		return fmt.Errorf("shard %q is not the bare name of an .npy file", e.Shard)
	case e.Offset < 0 || e.Frames < 0 || e.Bins < 1 || e.Samples < 0:
		return fmt.Errorf("offset %d, frames %d, bins %d, samples %d: none may be negative, and bins must be positive", e.Offset, e.Frames, e.Bins, e.Samples)
	case e.Offset > math.MaxInt-e.Frames || e.Offset+e.Frames > math.MaxInt/4/e.Bins:
		return fmt.Errorf("offset %d and %d frames of %d bins are beyond any file", e.Offset, e.Frames, e.Bins)
	}
	if sum, err := hex.DecodeString(e.SHA256); err != nil || len(sum) != 32 || e.SHA256 != strings.ToLower(e.SHA256) {
		return fmt.Errorf("sha256 %q is not 64 lower-case hexadecimal digits", e.SHA256)
	}
	return nil
}

// ReadManifest reads one entry a line, strictly: an unknown field, a missing one, and a value out of
// range are errors that name the line. It holds no more than the lines themselves.
func ReadManifest(r io.Reader) ([]Entry, error) {
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, maxLine)
	var entries []Entry
	line := 0
	for sc.Scan() {
		line++
		if len(bytes.TrimSpace(sc.Bytes())) == 0 {
			continue
		}
		e, err := parseEntry(sc.Bytes())
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		entries = append(entries, e)
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", line+1, err)
	}
	return entries, nil
}

func parseEntry(line []byte) (Entry, error) {
	var e Entry
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		return Entry{}, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Entry{}, errors.New("more than one value")
	}
	return e, e.validate()
}

// readEntries reads a manifest or journal file; one that is not there has no entries. When torn is
// allowed, an incomplete last line, which a killed process leaves, is dropped, and whole is the
// length without it.
func readEntries(path string, torn bool) (entries []Entry, whole int64, err error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("dataset: %w", err)
	}
	if torn {
		b = b[:bytes.LastIndexByte(b, '\n')+1]
	}
	entries, err = ReadManifest(bytes.NewReader(b))
	if err != nil {
		return nil, 0, fmt.Errorf("dataset: %s: %w", path, err)
	}
	return entries, int64(len(b)), nil
}

// appendEntries writes lines for the entries.
func appendEntries(b []byte, entries ...Entry) ([]byte, error) {
	for _, e := range entries {
		line, err := json.Marshal(e)
		if err != nil {
			return nil, fmt.Errorf("dataset: manifest entry of %s: %w", e.Source, err)
		}
		if len(line) >= maxLine {
			return nil, fmt.Errorf("dataset: manifest entry of %.200s takes %d bytes", e.Source, len(line))
		}
		b = append(append(b, line...), '\n')
	}
	return b, nil
}
