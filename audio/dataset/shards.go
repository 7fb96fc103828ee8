package dataset

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"wavemill/audio/npy"
)

// Shards is a folder of shards opened for reading. It is safe for concurrent use, and keeps no file
// open between calls.
type Shards struct {
	dir     string
	entries []Entry
	offsets map[string]int64 // Where in a shard's file the rows begin.
}

// OpenShards reads the manifest of a folder (or the manifest file itself) and holds every entry
// against the shard it names: what is returned can be read, short of a changed or failing disk.
func OpenShards(path string) (*Shards, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, ManifestName)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	defer f.Close()
	entries, err := ReadManifest(f)
	if err != nil {
		return nil, fmt.Errorf("dataset: %s: %w", path, err)
	}
	s := &Shards{dir: filepath.Dir(path), entries: entries, offsets: map[string]int64{}}
	shapes := map[string][]int{}
	for i, e := range entries {
		shape, ok := shapes[e.Shard]
		if !ok {
			if shape, err = s.inspect(e.Shard); err != nil {
				return nil, fmt.Errorf("dataset: %s: %w", path, err)
			}
			shapes[e.Shard] = shape
		}
		if shape[1] != e.Bins || e.Offset+e.Frames > shape[0] {
			return nil, fmt.Errorf("dataset: %s: entry %d (%s): rows %d to %d of %d bins are not in %s, whose shape is %v", path, i+1, e.Source, e.Offset, e.Offset+e.Frames, e.Bins, e.Shard, shape)
		}
	}
	return s, nil
}

// inspect reads a shard's head and holds its shape against the file's size.
func (s *Shards) inspect(shard string) ([]int, error) {
	f, err := os.Open(filepath.Join(s.dir, shard))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	head := make([]byte, min(info.Size(), npy.MaxHead))
	if _, err := io.ReadFull(f, head); err != nil {
		return nil, fmt.Errorf("%s: %w", shard, err)
	}
	l, err := npy.Inspect(head)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", shard, err)
	}
	if l.Descr != "<f4" || len(l.Shape) != 2 {
		return nil, fmt.Errorf("%s: an array of %s with shape %v; shards are <f4 with two dimensions", shard, l.Descr, l.Shape)
	}
	if size, err := l.Size(); err != nil || size != info.Size() {
		return nil, errors.Join(fmt.Errorf("%s: shape %v does not fit its %d bytes", shard, l.Shape, info.Size()), err)
	}
	s.offsets[shard] = int64(l.Offset)
	return l.Shape, nil
}

// Entries lists the manifest. The caller must not change it.
func (s *Shards) Entries() []Entry { return s.entries }

// Read returns the rows of an entry, row-major, and an error when they are not those that were
// written.
func (s *Shards) Read(e Entry) ([]float32, error) {
	r, err := s.Open(e)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	rows := make([]float32, e.Frames*e.Bins)
	if _, err := r.ReadRows(rows); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if _, err := r.ReadRows(make([]float32, e.Bins)); !errors.Is(err, io.EOF) {
		return nil, err
	}
	return rows, nil
}

// Open begins to read the rows of an entry block by block.
func (s *Shards) Open(e Entry) (*RowReader, error) {
	offset, ok := s.offsets[e.Shard]
	if !ok {
		return nil, fmt.Errorf("dataset: %s is not of this folder", e.Shard)
	}
	f, err := os.Open(filepath.Join(s.dir, e.Shard))
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	width := int64(4 * e.Bins)
	sum := sha256.New()
	section := io.NewSectionReader(f, offset+int64(e.Offset)*width, int64(e.Frames)*width)
	return &RowReader{e: e, f: f, r: io.TeeReader(section, sum), sum: func() string { return hex.EncodeToString(sum.Sum(nil)) }, left: e.Frames}, nil
}

// RowReader reads the rows of one entry. It is not safe for concurrent use.
type RowReader struct {
	e    Entry
	f    *os.File
	r    io.Reader
	sum  func() string
	left int
	buf  []byte
}

// ReadRows reads as many rows as dst holds and returns how many. After the last it returns 0 and
// io.EOF, or an error when the rows are not those that were written.
func (r *RowReader) ReadRows(dst []float32) (int, error) {
	n := min(len(dst)/r.e.Bins, r.left)
	if r.left == 0 {
		if got := r.sum(); got != r.e.SHA256 {
			return 0, fmt.Errorf("dataset: %s: the rows of %s have the SHA-256 %s, not %s: the shard is damaged", r.e.Shard, r.e.Source, got, r.e.SHA256)
		}
		return 0, io.EOF
	}
	size := 4 * n * r.e.Bins
	if cap(r.buf) < size {
		r.buf = make([]byte, size)
	}
	b := r.buf[:size]
	if _, err := io.ReadFull(r.r, b); err != nil {
		return 0, fmt.Errorf("dataset: %s: %w", r.e.Shard, err)
	}
	for i := range dst[:n*r.e.Bins] {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	r.left -= n
	return n, nil
}

// Close releases the file.
func (r *RowReader) Close() error { return r.f.Close() }
