package dataset

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"os"
	"path/filepath"
	"time"

	"wavemill/audio/npy"
)

// DefaultShardBytes is the size at which a shard ends and the next begins: large enough that files are
// few, small enough to load whole.
const DefaultShardBytes = 256 << 20

// The suffixes of a shard that is being written: its rows, and its manifest lines so far.
const (
	partSuffix    = ".part"
	journalSuffix = ".journal"
)

// flushBytes and flushTime bound the work that a killed process loses.
const (
	flushBytes = 1 << 20
	flushTime  = 250 * time.Millisecond
)

// ShardWriter writes arrays of one width, row by row, into a folder of shards: .npy files of float32
// [rows, bins] and a manifest. At any moment the process may be killed: a new ShardWriter takes up
// what was complete and drops the rest. A shard has its name, and its lines are in the manifest, only
// when it is whole. A ShardWriter is not safe for concurrent use, and a folder must have but one.
type ShardWriter struct {
	dir     string
	bins    int
	max     int64
	entries []Entry // All that are complete, in this run or an earlier one.
	number  int     // Of the current shard.
	file    *os.File
	journal *os.File
	out     *bufio.Writer
	rows    int     // Rows of complete clips in the current shard.
	mine    []Entry // Entries of the current shard, those not yet in the journal last.
	logged  int     // How many of mine are in the journal.
	flushed time.Time
	current int // Rows of the clip being written.
	sum     hash.Hash
	err     error
}

// OpenShardWriter begins or takes up writing shards of bins columns in an existing folder.
// A shard ends with the clip that makes it reach maxBytes (0: DefaultShardBytes); a clip is never split. It is an error when the folder holds shards of another width.
func OpenShardWriter(dir string, bins int, maxBytes int64) (*ShardWriter, error) {
	if bins < 1 || maxBytes < 0 {
		return nil, fmt.Errorf("dataset: shards of %d bins and %d bytes", bins, maxBytes)
	}
	if maxBytes == 0 {
		maxBytes = DefaultShardBytes
	}
	w := &ShardWriter{dir: dir, bins: bins, max: maxBytes, sum: sha256.New()}
	if err := w.recover(); err != nil {
		return nil, err
	}
	for _, e := range w.entries {
		if e.Bins != bins {
			_ = w.Suspend() // The error that led here is the one to report.
			return nil, fmt.Errorf("dataset: %s holds arrays of %d bins, not %d; choose another folder", dir, e.Bins, bins)
		}
	}
	return w, nil
}

// Entries lists the clips that are complete, in the order they were added. The caller must not
// change it.
func (w *ShardWriter) Entries() []Entry { return w.entries }

func (w *ShardWriter) path(suffix string) string {
	return filepath.Join(w.dir, shardName(w.number)+suffix)
}

func shardName(n int) string { return fmt.Sprintf("shard-%05d.npy", n) }

// WriteRows appends whole rows to the current clip, as little-endian float32 (see EncodeRows).
func (w *ShardWriter) WriteRows(rows []byte) error {
	if w.err != nil {
		return w.err
	}
	if len(rows)%(4*w.bins) != 0 {
		return fmt.Errorf("dataset: %d bytes do not fill whole rows of %d bins", len(rows), w.bins)
	}
	if w.err = w.begin(); w.err != nil {
		return w.err
	}
	w.sum.Write(rows)
	_, w.err = w.out.Write(rows)
	w.current += len(rows) / (4 * w.bins)
	return w.err
}

// EncodeRows appends float32 values in the byte order of shards.
func EncodeRows(b []byte, rows []float32) []byte {
	at := len(b)
	b = append(b, make([]byte, 4*len(rows))...)
	for i, v := range rows {
		binary.LittleEndian.PutUint32(b[at+4*i:], math.Float32bits(v))
	}
	return b
}

// begin makes sure that there is a shard for the current clip. Where one ends depends on the complete
// clips alone, so that an interruption changes nothing.
func (w *ShardWriter) begin() error {
	if w.file != nil && w.current == 0 && int64(w.rows)*int64(4*w.bins) >= w.max {
		if err := w.finish(); err != nil {
			return err
		}
	}
	if w.file != nil {
		return nil
	}
	var err error
	if w.file, err = os.OpenFile(w.path(partSuffix), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666); err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	if w.journal, err = os.OpenFile(w.path(journalSuffix), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666); err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	w.out = bufio.NewWriterSize(w.file, flushBytes)
	w.rows, w.mine, w.logged, w.flushed = 0, nil, 0, time.Now()
	_, err = w.out.Write(npy.Header([]int{0, w.bins})) // Overwritten when the number of rows is known.
	return err
}

// Commit completes the current clip, which may be empty. It fills in the entry's Shard, Offset,
// Frames, Bins and SHA256.
func (w *ShardWriter) Commit(e Entry) error {
	if w.err != nil {
		return w.err
	}
	if w.err = w.begin(); w.err != nil {
		return w.err
	}
	e.Shard, e.Offset, e.Frames, e.Bins = shardName(w.number), w.rows, w.current, w.bins
	e.SHA256 = hex.EncodeToString(w.sum.Sum(nil))
	if err := e.validate(); err != nil {
		return fmt.Errorf("dataset: entry of %s: %w", e.Source, err)
	}
	w.rows += w.current
	w.current = 0
	w.sum.Reset()
	w.mine, w.entries = append(w.mine, e), append(w.entries, e)
	if w.out.Buffered() >= flushBytes/2 || time.Since(w.flushed) > flushTime {
		return w.Flush()
	}
	return nil
}

// Abort drops the rows of the current clip.
func (w *ShardWriter) Abort() error {
	if w.err != nil || w.current == 0 {
		return w.err
	}
	w.err = w.out.Flush()
	if w.err == nil {
		w.err = w.cut()
	}
	w.current = 0
	w.sum.Reset()
	return w.err
}

// cut shortens the file to the complete clips.
func (w *ShardWriter) cut() error {
	end := w.end()
	if err := w.file.Truncate(end); err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	if _, err := w.file.Seek(end, io.SeekStart); err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	return nil
}

// end is where in the file the complete clips end.
func (w *ShardWriter) end() int64 { return npy.HeaderSize + int64(w.rows)*int64(4*w.bins) }

// Flush makes all complete clips safe from the end of this process: their rows first, then the
// journal's lines.
func (w *ShardWriter) Flush() error {
	if w.err != nil || w.file == nil {
		return w.err
	}
	w.flushed = time.Now()
	if w.err = w.out.Flush(); w.err != nil || w.logged == len(w.mine) {
		return w.err
	}
	var lines []byte
	if lines, w.err = appendEntries(nil, w.mine[w.logged:]...); w.err == nil {
		_, w.err = w.journal.Write(lines)
		w.logged = len(w.mine)
	}
	return w.err
}

// finish gives the current shard its name and its lines in the manifest.
func (w *ShardWriter) finish() error {
	if err := w.Flush(); err != nil {
		return err
	}
	if len(w.mine) == 0 { // All that was begun was dropped.
		err := errors.Join(w.file.Close(), w.journal.Close(), os.Remove(w.path(partSuffix)), os.Remove(w.path(journalSuffix)))
		w.file, w.journal = nil, nil
		return err
	}
	if _, err := w.file.WriteAt(npy.Header([]int{w.rows, w.bins}), 0); err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	if err := errors.Join(w.file.Sync(), w.file.Close(), w.journal.Close()); err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	w.file, w.journal = nil, nil
	if err := os.Rename(w.path(partSuffix), w.path("")); err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	if err := w.list(w.mine); err != nil {
		return err
	}
	if err := os.Remove(w.path(journalSuffix)); err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	w.number++
	return nil
}

// list appends entries to the manifest.
func (w *ShardWriter) list(entries []Entry) error {
	lines, err := appendEntries(nil, entries...)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(w.dir, ManifestName), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	_, err = f.Write(lines)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	return nil
}

// Suspend stops in the middle: complete clips are kept for the next OpenShardWriter to go on after
// them, so that an interrupted run ends with the same bytes as one that was not.
func (w *ShardWriter) Suspend() error {
	if w.file == nil {
		return w.err
	}
	err := errors.Join(w.Abort(), w.Flush(), w.file.Close(), w.journal.Close())
	w.file, w.journal = nil, nil
	w.err = errors.New("dataset: the ShardWriter is closed")
	return err
}

// Close finishes the last shard. A clip that was not committed is dropped.
func (w *ShardWriter) Close() error {
	if w.err != nil {
		if w.file != nil {
			w.file.Close()
			w.journal.Close()
			w.file, w.journal = nil, nil
		}
		return w.err
	}
	err := w.Abort()
	if err == nil && w.file != nil {
		err = w.finish()
	}
	if w.err = err; err == nil {
		w.err = errors.New("dataset: the ShardWriter is closed")
	}
	return err
}
