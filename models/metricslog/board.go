package metricslog

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"image/png"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"wavemill/internal/atomicfile"
)

// A Board is a TensorBoard event file, shown by `tensorboard --logdir DIR`. It is not safe for concurrent use.
type Board struct {
	file *os.File
	now  func() time.Time
}

// boardPattern matches the event files of this package in a folder.
const boardPattern = "events.out.tfevents.*.wavemill"

// OpenBoard begins an event file in dir, which is created if necessary, or continues an existing one of this package: it
// removes events after the step from, and incomplete ones that a killed process left. A negative from begins anew. Event
// files of other programs are not changed.
func OpenBoard(dir string, from int64) (*Board, error) {
	return openBoard(dir, from, time.Now)
}

func openBoard(dir string, from int64, now func() time.Time) (*Board, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("curves: %w", err)
	}
	old, err := filepath.Glob(filepath.Join(globEscape(dir), boardPattern))
	if err != nil {
		return nil, fmt.Errorf("curves: %w", err)
	}
	if from < 0 {
		for _, name := range old {
			if err := os.Remove(name); err != nil {
				return nil, fmt.Errorf("curves: %w", err)
			}
		}
		old = nil
	}
	b := &Board{now: now}
	if len(old) == 0 {
		name := filepath.Join(dir, fmt.Sprintf("events.out.tfevents.%010d.wavemill", now().Unix()))
		if b.file, err = os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644); err != nil {
			return nil, fmt.Errorf("curves: %w", err)
		}
		return b, b.write(putString(newEvent(b.wall(), 0), eventFileVersion, fileVersion))
	}
	name := old[len(old)-1]
	if err := cutEvents(name, from); err != nil {
		return nil, fmt.Errorf("curves: %s: %w", name, err)
	}
	if b.file, err = os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0o644); err != nil {
		return nil, fmt.Errorf("curves: %w", err)
	}
	return b, nil
}

// globEscape escapes a folder's name, so that as a pattern it matches only itself.
func globEscape(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// cutEvents rewrites a file without damaged events and those after a step.
func cutEvents(name string, from int64) error {
	in, err := os.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := atomicfile.Create(name, atomicfile.Options{Prefix: ".wavemill-events."}) // a name that TensorBoard does not read
	if err != nil {
		return err
	}
	defer out.Discard()
	w := bufio.NewWriter(out)
	for r := bufio.NewReader(in); err == nil; {
		var event []byte
		if event, err = readRecord(r); err != nil {
			break
		}
		if step, ok := stepOf(event); ok && step <= from {
			_, err = w.Write(appendRecord(nil, event))
		}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, errDamaged) {
		err = nil
	}
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		return err
	}
	return out.Commit()
}

func (b *Board) wall() float64 { return float64(b.now().UnixMicro()) / 1e6 }

func (b *Board) write(event []byte) error {
	if _, err := b.file.Write(appendRecord(nil, event)); err != nil {
		return fmt.Errorf("curves: %w", err)
	}
	return nil
}

// Add writes a row's figures as scalars and its notes as text.
func (b *Board) Add(r Row) error {
	var values [][]byte
	for _, name := range slices.Sorted(maps.Keys(r.Values)) {
		values = append(values, scalarValue(name, r.Values[name]))
	}
	if len(r.Notes) > 0 {
		values = append(values, textValue("notes", "- "+strings.Join(r.Notes, "\n- ")))
	}
	return b.write(summary(b.wall(), r.Step, values...))
}

// Picture writes a PNG under a name.
func (b *Board) Picture(step int64, name string, picture []byte) error {
	c, err := png.DecodeConfig(bytes.NewReader(picture))
	if err != nil {
		return fmt.Errorf("curves: %s: %w", name, err)
	}
	return b.write(summary(b.wall(), step, imageValue(name, c.Width, c.Height, picture)))
}

// Sound writes a WAV under a name. Its rate in Hz, channels and frames are those of wav.
func (b *Board) Sound(step int64, name string, rate, channels, frames int, wav []byte) error {
	return b.write(summary(b.wall(), step, audioValue(name, rate, channels, frames, wav)))
}

// Close closes the file.
func (b *Board) Close() error { return b.file.Close() }
