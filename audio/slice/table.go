package slice

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A Row is one clip of a table. Times are seconds.
type Row struct {
	Line       int
	File       string // File names the recording; empty: the only one there is.
	Start, End float64
	Label      string // Label may be empty.
}

// A BadRow is a row that cannot be used.
type BadRow struct {
	Line   int
	Reason string
}

// maxTable bounds a table in bytes.
const maxTable = 64 << 20

// ParseTable reads the times of clips from the text of a CSV file with the columns start and end, and perhaps label and file,
// separated by commas, semicolons or tabs; or of one without a heading, with start, end and label, as Audacity exports labels.
// A time is in seconds, or as 1:02:03.5. Rows come back by start; those that cannot be used come back beside them.
func ParseTable(b []byte) (rows []Row, bad []BadRow, err error) {
	text := strings.TrimPrefix(string(b), "\ufeff")
	switch {
	case len(b) > maxTable:
		return nil, nil, fmt.Errorf("it has more than %d MiB", maxTable>>20)
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		return nil, nil, errors.New("it is no UTF-8 text; save it as CSV in UTF-8")
	}
	if !strings.Contains(text, "\n") {
		text = strings.ReplaceAll(text, "\r", "\n") // Line ends of old spreadsheets.
	}
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.FieldsPerRecord, r.LazyQuotes, r.TrimLeadingSpace, r.ReuseRecord = separator(text), -1, true, false, true
	var c columns
	for n := 0; ; n++ {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		line, _ := r.FieldPos(0)
		if err != nil {
			bad = append(bad, BadRow{line, err.Error()})
			continue
		}
		if n == 0 {
			heading, err := c.read(fields)
			if err != nil {
				return nil, nil, err
			}
			if heading {
				continue
			}
		}
		if len(fields) == 1 && strings.TrimSpace(fields[0]) == "" || strings.HasPrefix(fields[0], "\\") {
			continue // Empty, or the frequencies that Audacity adds to a label.
		}
		row, err := c.row(fields)
		if row.Line = line; err != nil {
			bad = append(bad, BadRow{line, err.Error()})
			continue
		}
		rows = append(rows, row)
	}
	slices.SortStableFunc(rows, func(a, b Row) int { return cmp.Compare(a.Start, b.Start) })
	if len(rows) == 0 && len(bad) > 0 {
		return nil, bad, fmt.Errorf("none of its rows can be used; line %d: %s", bad[0].Line, bad[0].Reason)
	}
	return rows, bad, nil
}

// separator is the one that the first line has most of.
func separator(text string) rune {
	line, _, _ := strings.Cut(text, "\n")
	best, most := ',', 0
	for _, s := range "\t;," {
		if n := strings.Count(line, string(s)); n > most {
			best, most = s, n
		}
	}
	return best
}

// columns are the places of a row's fields; -1: there is none.
type columns struct{ start, end, label, file int }

// read finds the columns by a heading, and reports whether the fields are one.
func (c *columns) read(fields []string) (heading bool, err error) {
	*c = columns{0, 1, 2, -1}
	if len(fields) >= 2 {
		_, first := seconds(fields[0])
		_, second := seconds(fields[1])
		if first == nil && second == nil {
			return false, nil
		}
	}
	at := func(names ...string) int {
		return slices.IndexFunc(fields, func(f string) bool { return slices.Contains(names, strings.ToLower(strings.TrimSpace(f))) })
	}
	*c = columns{at("start", "begin", "onset", "start_s", "begin_s"), at("end", "stop", "offset", "end_s"), at("label", "class", "name"), at("file", "source", "path", "filename")}
	if c.start < 0 || c.end < 0 {
		return true, fmt.Errorf("its first line is %q: the columns start and end are needed, or rows of start, end and label", strings.Join(fields, " "))
	}
	return true, nil
}

func (c columns) row(fields []string) (r Row, err error) {
	get := func(k int) string {
		if k < 0 || k >= len(fields) {
			return ""
		}
		return strings.TrimSpace(fields[k])
	}
	r.Label, r.File = get(c.label), get(c.file)
	if r.Start, err = seconds(get(c.start)); err != nil {
		return r, fmt.Errorf("start: %w", err)
	}
	if r.End, err = seconds(get(c.end)); err != nil {
		return r, fmt.Errorf("end: %w", err)
	}
	switch n := r.End - r.Start; {
	case n <= 0:
		return r, fmt.Errorf("it ends at %v s, not after its start at %v s", r.End, r.Start)
	case n > LongestClip.Seconds():
		return r, fmt.Errorf("it takes %.0f s; a clip has at most %.0f", n, LongestClip.Seconds())
	}
	return r, nil
}

// seconds reads a time: 12.5, 1:02.5 or 1:02:03.5. A comma may stand for the point.
func seconds(text string) (float64, error) {
	parts := strings.Split(strings.ReplaceAll(strings.TrimSpace(text), ",", "."), ":")
	if len(parts) > 3 {
		return 0, fmt.Errorf("%q is no time", text)
	}
	var sum float64
	for _, p := range parts {
		v, err := strconv.ParseFloat(p, 64)
		if err != nil || math.IsNaN(v) || v < 0 || v > 1e9 {
			return 0, fmt.Errorf("%q is no time in seconds", text)
		}
		sum = 60*sum + v
	}
	return sum, nil
}
