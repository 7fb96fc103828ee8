package dataset

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"wavemill/audio/npy"
	"wavemill/internal/atomicfile"
)

// recover takes up what an earlier process left: whole shards by the manifest, and of the shard it
// was writing the clips that are whole.
func (w *ShardWriter) recover() error {
	manifest := filepath.Join(w.dir, ManifestName)
	entries, whole, err := readEntries(manifest, true)
	if err != nil {
		return err
	}
	if info, err := os.Stat(manifest); err == nil && info.Size() > whole { // A torn line.
		if err := os.Truncate(manifest, whole); err != nil {
			return fmt.Errorf("dataset: %w", err)
		}
	}
	w.entries = entries
	for w.number = 0; w.exists(""); w.number++ {
	}
	if n := len(entries); n > 0 && entries[n-1].Shard >= shardName(w.number) {
		return fmt.Errorf("dataset: %s lists %s, but %s is missing", manifest, entries[n-1].Shard, shardName(w.number))
	}
	if w.number > 0 {
		w.number--
		if err := w.recoverNamed(); err != nil {
			return err
		}
		w.number++
	}
	if !w.exists(journalSuffix) {
		return nil
	}
	return w.recoverPart()
}

func (w *ShardWriter) exists(suffix string) bool {
	_, err := os.Stat(w.path(suffix))
	return err == nil
}

// recoverNamed completes the manifest when the process ended after it had named the last shard.
func (w *ShardWriter) recoverNamed() error {
	if !w.exists(journalSuffix) {
		return nil
	}
	lines, _, err := readEntries(w.path(journalSuffix), true)
	if err != nil {
		return err
	}
	listed := slices.ContainsFunc(w.entries, func(e Entry) bool { return e.Shard == shardName(w.number) })
	kept := slices.DeleteFunc(slices.Clone(w.entries), func(e Entry) bool { return e.Shard == shardName(w.number) })
	if n := len(w.entries) - len(kept); !listed || n < len(lines) {
		b, err := appendEntries(nil, append(kept, lines...)...)
		if err != nil {
			return err
		}
		if err := atomicfile.Write(filepath.Join(w.dir, ManifestName), b, atomicfile.Options{}); err != nil {
			return fmt.Errorf("dataset: %w", err)
		}
		w.entries = append(kept, lines...)
	}
	if err := os.Remove(w.path(journalSuffix)); err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	return nil
}

// recoverPart opens the shard that was being written after its last whole clip. Rows are compared
// with their sums: after a power failure the file may not hold all that was written.
func (w *ShardWriter) recoverPart() error {
	lines, _, err := readEntries(w.path(journalSuffix), true)
	if err != nil {
		return err
	}
	if w.file, err = os.OpenFile(w.path(partSuffix), os.O_RDWR|os.O_CREATE, 0o666); err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	head := make([]byte, npy.HeaderSize)
	if _, err := io.ReadFull(w.file, head); err != nil {
		lines = nil // Not even the head was written.
	} else if l, err := npy.Inspect(head); err != nil || len(l.Shape) != 2 || l.Shape[1] != w.bins {
		w.file.Close()
		w.file = nil
		return fmt.Errorf("dataset: %s was not begun with %d bins; choose another folder", w.path(partSuffix), w.bins)
	}
	w.mine, w.rows = nil, 0
	for _, e := range lines {
		if e.Shard != shardName(w.number) || e.Bins != w.bins || e.Offset != w.rows || !w.intact(e) {
			break
		}
		w.rows += e.Frames
		w.mine = append(w.mine, e)
	}
	w.entries = append(w.entries, w.mine...)
	if _, err := w.file.WriteAt(npy.Header([]int{0, w.bins}), 0); err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	if err := w.cut(); err != nil {
		return err
	}
	w.out, w.flushed = bufio.NewWriterSize(w.file, flushBytes), time.Now()
	return w.rewriteJournal()
}

// rewriteJournal makes the journal say what was kept, and leaves it open for more.
func (w *ShardWriter) rewriteJournal() error {
	b, err := appendEntries(nil, w.mine...)
	if err != nil {
		return err
	}
	if err := atomicfile.Write(w.path(journalSuffix), b, atomicfile.Options{}); err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	if w.journal, err = os.OpenFile(w.path(journalSuffix), os.O_WRONLY|os.O_APPEND, 0o666); err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	w.logged = len(w.mine)
	return nil
}

// intact reports whether the file holds an entry's rows.
func (w *ShardWriter) intact(e Entry) bool {
	sum := sha256.New()
	size := int64(e.Frames) * int64(4*w.bins)
	n, err := io.Copy(sum, io.NewSectionReader(w.file, w.end(), size))
	return err == nil && n == size && hex.EncodeToString(sum.Sum(nil)) == e.SHA256
}
