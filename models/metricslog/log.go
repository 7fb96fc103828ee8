package metricslog

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"wavemill/internal/atomicfile"
)

// A Row holds the figures of one step.
type Row struct {
	Step    int64
	Seconds float64            // of training, those before a resume included
	Values  map[string]float64 // finite, by name, such as "train/loss"
	Notes   []string           // what happened, such as warnings
}

// Names of the fields of a row that are not figures.
const (
	fieldStep    = "step"
	fieldSeconds = "seconds"
	fieldNotes   = "notes"
)

// MarshalJSON writes one flat object, as tables are read from: {"step":10,"seconds":1.5,"train/loss":0.3}.
func (r Row) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"%s":%d,"%s":%s`, fieldStep, r.Step, fieldSeconds, number(r.Seconds))
	for _, name := range slices.Sorted(maps.Keys(r.Values)) {
		key, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(r.Values[name])
		if err != nil {
			return nil, fmt.Errorf("curves: step %d: %s: %w", r.Step, name, err)
		}
		fmt.Fprintf(&b, ",%s:%s", key, value)
	}
	if len(r.Notes) > 0 {
		notes, err := json.Marshal(r.Notes)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, `,"%s":%s`, fieldNotes, notes)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// number writes seconds to the millisecond.
func number(seconds float64) string { return strconv.FormatFloat(seconds, 'f', 3, 64) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (r *Row) UnmarshalJSON(b []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		return err
	}
	*r = Row{Values: map[string]float64{}}
	if fields[fieldStep] == nil || fields[fieldSeconds] == nil {
		return errors.New("curves: a row without step or seconds")
	}
	for name, text := range fields {
		var err error
		switch name {
		case fieldStep:
			err = json.Unmarshal(text, &r.Step)
		case fieldSeconds:
			err = json.Unmarshal(text, &r.Seconds)
		case fieldNotes:
			err = json.Unmarshal(text, &r.Notes)
		default:
			var v float64
			err = json.Unmarshal(text, &v)
			r.Values[name] = v
		}
		if err != nil {
			return fmt.Errorf("curves: %s: %w", name, err)
		}
	}
	return nil
}

// A Log writes rows to PATH.jsonl at once, and to PATH.csv when it is flushed. It is not safe for concurrent use.
type Log struct {
	path  string
	file  *os.File
	names map[string]bool
	last  Row
	rows  int
}

// Open begins the log at path, without extension, or continues an existing one: it removes rows after the step from, and an
// incomplete row that a killed process left. A negative from begins anew.
func Open(path string, from int64) (*Log, error) {
	l := &Log{path: path, names: map[string]bool{}}
	var keep int64
	if from >= 0 {
		err := l.read(func(r Row, end int64) bool {
			if r.Step > from {
				return false
			}
			l.note(r)
			keep = end
			return true
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("curves: %w", err)
		}
	}
	f, err := os.OpenFile(l.JSONL(), os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("curves: %w", err)
	}
	err = f.Truncate(keep)
	if err == nil {
		_, err = f.Seek(keep, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("curves: %w", err), f.Close())
	}
	l.file = f
	return l, nil
}

// JSONL returns the path of the file of JSON lines.
func (l *Log) JSONL() string { return l.path + ".jsonl" }

// CSV returns the path of the table.
func (l *Log) CSV() string { return l.path + ".csv" }

// Last returns the newest row, or the zero Row if there is none.
func (l *Log) Last() Row { return l.last }

// note records the columns of a row.
func (l *Log) note(r Row) {
	for name := range r.Values {
		l.names[name] = true
	}
	l.last = r
	l.rows++
}

// read calls f with every whole row and the offset at which it ends, until f returns false or a row is damaged.
func (l *Log) read(f func(r Row, end int64) bool) error {
	file, err := os.Open(l.JSONL())
	if err != nil {
		return err
	}
	defer file.Close()
	var end int64
	for lines := bufio.NewReader(file); ; {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		end += int64(len(line))
		var r Row
		if json.Unmarshal(line, &r) != nil || !f(r, end) {
			return nil
		}
	}
}

// Add writes a row.
func (l *Log) Add(r Row) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if _, err := l.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("curves: %w", err)
	}
	l.note(r)
	return nil
}

// Flush writes the table of all rows so far: step, seconds, the figures by name, and the notes. A figure that a row
// does not have is an empty field.
func (l *Log) Flush() error {
	f, err := atomicfile.Create(l.CSV(), atomicfile.Options{NoSync: true}) // It is made again from the log.
	if err != nil {
		return fmt.Errorf("curves: %w", err)
	}
	defer f.Discard()
	if err := l.writeTable(f); err != nil {
		return fmt.Errorf("curves: %w", err)
	}
	if err := f.Commit(); err != nil {
		return fmt.Errorf("curves: %w", err)
	}
	return nil
}

func (l *Log) writeTable(w io.Writer) error {
	names := slices.Sorted(maps.Keys(l.names))
	table := csv.NewWriter(w)
	if err := table.Write(slices.Concat([]string{fieldStep, fieldSeconds}, names, []string{fieldNotes})); err != nil {
		return err
	}
	var failed error
	err := l.read(func(r Row, _ int64) bool {
		record := []string{strconv.FormatInt(r.Step, 10), number(r.Seconds)}
		for _, name := range names {
			text := ""
			if v, ok := r.Values[name]; ok {
				text = strconv.FormatFloat(v, 'g', -1, 64)
			}
			record = append(record, text)
		}
		failed = table.Write(append(record, strings.Join(r.Notes, "; ")))
		return failed == nil
	})
	table.Flush()
	return errors.Join(err, failed, table.Error())
}

// Close flushes and closes the log.
func (l *Log) Close() error {
	return errors.Join(l.Flush(), l.file.Close())
}
