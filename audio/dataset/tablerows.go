package dataset

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"wavemill/audio/codec"
)

// row is one line of a label table.
type row struct {
	line               int
	file, label, group string   // file as the table has it, the others without blanks around them, in normalization form C.
	labels             []string // of a file with several; nil for one
}

// badRow is a line that labels nothing.
type badRow struct {
	line   int
	file   string // "" when it names none.
	reason string
}

// rows is the content of a table.
type rows struct {
	good      []row
	bad       []badRow
	separator rune   // 0 for JSON lines.
	lists     bool   // Labels are sets: some file has several.
	between   string // How a table says so, for people.
}

// join makes labels of lists: where some row has several, the label of every row is a set. cut divides the cell of a row
// without a list.
func (t *rows) join(cut func(label string) []string) {
	t.lists = slices.ContainsFunc(t.good, func(r row) bool { return len(r.labels) > 1 || len(cut(r.label)) > 1 })
	good := t.good
	t.good = nil
	for _, r := range good {
		if r.labels == nil {
			r.labels = cut(r.label)
		}
		if !t.lists {
			r.label = r.labels[0]
			t.take(r)
			continue
		}
		label, err := JoinLabels(r.labels)
		if err != nil {
			t.reject(r.line, strings.TrimSpace(r.file), "%v", err)
			continue
		}
		r.label = label
		t.take(r)
	}
}

// one is the list of a cell that is one label.
func one(label string) []string { return []string{label} }

func (t *rows) reject(line int, file, format string, args ...any) {
	t.bad = append(t.bad, badRow{line, file, fmt.Sprintf(format, args...)})
}

// take adds a row, or rejects it when it lacks something. A row of blanks is none.
func (t *rows) take(r row) {
	file := strings.TrimSpace(r.file)
	r.label, r.group = norm.NFC.String(strings.TrimSpace(r.label)), norm.NFC.String(strings.TrimSpace(r.group))
	switch {
	case file == "" && r.label == "":
	case file == "":
		t.reject(r.line, "", "the file is empty")
	case r.label == "":
		t.reject(r.line, file, "the label is empty")
	default:
		t.good = append(t.good, r)
	}
}

// separators are those that a table may have, in the order in which they are tried.
var separators = []rune{',', ';', '\t', '|'}

// columns says where a table has what; group is -1 where it has none.
type columns struct {
	file, label, group int
	headless           bool // The first line is a row.
	lists              bool // A cell of the label's column may have several.
}

// findColumns detects the separator by the first line: one that gives it a file and a label column, or the name of an
// audio file in the first of two columns or more.
func findColumns(text, by string) (columns, rune, error) {
	if strings.TrimSpace(text) == "" {
		return columns{}, 0, errors.New("it is empty")
	}
	for _, headless := range []bool{false, true} {
		for _, separator := range separators {
			rec, err := newCSV(text, separator).Read()
			if err != nil {
				continue
			}
			if headless {
				if len(rec) < 2 || !codec.IsAudioName(strings.TrimSpace(rec[0])) {
					continue
				}
				if by != "" && !slices.Contains(groupColumns, by) {
					return columns{}, 0, fmt.Errorf("no column %q to group by; the table has no line of column names", by)
				}
				return columns{file: 0, label: 1, group: 2, headless: true}, separator, nil
			}
			c := columns{file: column(rec, fileColumns), label: column(rec, labelColumns), group: column(rec, groupNames(by))}
			if c.label < 0 {
				c.label, c.lists = column(rec, listColumns), true
			}
			if c.file < 0 || c.label < 0 {
				continue
			}
			if by != "" && c.group < 0 {
				return columns{}, 0, fmt.Errorf("no column %q to group by; line 1 names %s", by, strings.Join(rec, ", "))
			}
			return c, separator, nil
		}
	}
	return columns{}, 0, fmt.Errorf("line 1 names no file column (%s) and label column (%s)", strings.Join(fileColumns, ", "), strings.Join(labelColumns, ", "))
}

func newCSV(text string, separator rune) *csv.Reader {
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.FieldsPerRecord = separator, -1
	r.TrimLeadingSpace = separator != '\t' // A tab is a space, but an empty field must stay one.
	return r
}

// maxOpenQuotes is how many quotes that never end a table may have: after each the rest of the table is read again.
const maxOpenQuotes = 64

// readCSV reads a table with a header line, or one of two or three bare columns: file, label, group. by names the column
// that makes groups, "" for the first of groupColumns. Lines that cannot be used are in bad.
func readCSV(text, by string) (rows, error) {
	where, separator, err := findColumns(text, by)
	if err != nil {
		return rows{}, err
	}
	t := rows{separator: separator}
	cr, before := newCSV(text, separator), 0 // Lines before those that cr reads.
	for first, open := !where.headless, 0; ; first = false {
		at := cr.InputOffset()
		rec, err := cr.Read()
		wrong, bad := errors.AsType[*csv.ParseError](err)
		switch {
		case errors.Is(err, io.EOF):
			if where.lists {
				t.joinCells()
			}
			return t, nil
		case bad && errors.Is(wrong.Err, csv.ErrBareQuote): // 12" drum.wav,kick
			line, _, _ := strings.Cut(strings.TrimLeft(text[at:], "\r\n"), "\n")
			lazy := newCSV(line, separator)
			lazy.LazyQuotes = true
			if rec, err = lazy.Read(); err != nil {
				return rows{}, err
			}
			t.takeRecord(before+wrong.StartLine, rec, where)
		case bad:
			t.reject(before+wrong.StartLine, "", "%v", wrong.Err)
			if wrong.Line == wrong.StartLine {
				break
			}
			if open++; open > maxOpenQuotes { // Each takes all lines that follow with it.
				return rows{}, fmt.Errorf("line %d: more than %d quotes are opened and not closed", before+wrong.StartLine, maxOpenQuotes)
			}
			_, text, _ = strings.Cut(strings.TrimLeft(text[at:], "\r\n"), "\n")
			before += wrong.StartLine
			cr = newCSV(text, separator)
		case err != nil:
			return rows{}, err
		case !first:
			line, _ := cr.FieldPos(0)
			t.takeRecord(before+line, rec, where)
		}
	}
}

// joinCells makes labels of cells with several.
func (t *rows) joinCells() {
	cells := make([]string, len(t.good))
	for i, r := range t.good {
		cells[i] = r.label
	}
	separator := listSeparator(cells)
	t.join(func(cell string) []string { return cellLabels(cell, separator) })
	if t.lists {
		t.between = fmt.Sprintf(", separated by %q", separator)
	}
}

// takeRecord adds a line of a table.
func (t *rows) takeRecord(line int, rec []string, c columns) {
	blank := !slices.ContainsFunc(rec, func(f string) bool { return strings.TrimSpace(f) != "" })
	if blank {
		return
	}
	if most := max(c.file, c.label); most >= len(rec) {
		file := ""
		if c.file < len(rec) {
			file = strings.TrimSpace(rec[c.file])
		}
		t.reject(line, file, "it has %d columns; the file and the label are columns %d and %d", len(rec), c.file+1, c.label+1)
		return
	}
	r := row{line: line, file: rec[c.file], label: rec[c.label]}
	if c.group >= 0 && c.group < len(rec) {
		r.group = rec[c.group]
	}
	t.take(r)
}

// readJSONL reads one object a line with a file, a label and perhaps a group, under the names that
// a CSV header may have. Empty lines are skipped; lines that cannot be used are in bad. by names the field that makes
// groups, "" for the first of groupColumns; some line must have it.
func readJSONL(text, by string) (rows, error) {
	var t rows
	names := map[string]bool{}
	grouped := by == ""
	line := 0
	for content := range strings.Lines(text) {
		line++
		if content = strings.TrimSpace(content); content == "" {
			continue
		}
		var fields map[string]any
		d := json.NewDecoder(strings.NewReader(content))
		d.UseNumber() // A number is a label as it is written: 1000000 is not 1e+06.
		if err := d.Decode(&fields); err != nil {
			t.reject(line, "", "%v", err)
			continue
		}
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			t.reject(line, "", "something follows the object")
			continue
		}
		r := row{line: line, file: pick(fields, fileColumns), label: pick(fields, slices.Concat(labelColumns, listColumns)), group: pick(fields, groupNames(by))}
		if list := pickList(fields); list != nil {
			r.labels, r.label = list, strings.Join(list, SetSeparator)
		}
		if strings.TrimSpace(r.file) == "" || strings.TrimSpace(r.label) == "" {
			t.reject(line, r.file, "it needs a file (%s) and a label (%s)", strings.Join(fileColumns, ", "), strings.Join(labelColumns, ", "))
			continue
		}
		t.take(r)
		grouped = grouped || r.group != ""
		for name := range fields {
			if len(names) < 100 {
				names[name] = true
			}
		}
	}
	if !grouped && len(t.good) > 0 {
		return rows{}, fmt.Errorf("no field %q to group by; the lines have %s", by, listed(names))
	}
	if slices.ContainsFunc(t.good, func(r row) bool { return r.labels != nil }) {
		t.join(one)
	}
	return t, nil
}

// pick is the first of the names that has a text or number, as text.
func pick(fields map[string]any, names []string) string {
	for _, name := range names {
		switch v := fields[name].(type) {
		case string:
			return v
		case json.Number, bool:
			return fmt.Sprint(v)
		}
	}
	return ""
}

// pickList is the first of the label's fields that has a list, as texts; nil where none has.
func pickList(fields map[string]any) []string {
	for _, name := range slices.Concat(labelColumns, listColumns) {
		list, ok := fields[name].([]any)
		if !ok {
			continue
		}
		out := make([]string, len(list))
		for i, v := range list {
			out[i] = pick(map[string]any{name: v}, []string{name})
		}
		return out
	}
	return nil
}

// groupNames lists the names of the column that makes groups.
func groupNames(by string) []string {
	if by == "" {
		return groupColumns
	}
	return []string{by}
}

// column finds the first of the names that heads a column, -1 if none does.
func column(heads, names []string) int {
	for _, name := range names {
		if i := slices.IndexFunc(heads, func(h string) bool { return strings.EqualFold(strings.TrimSpace(h), name) }); i >= 0 {
			return i
		}
	}
	return -1
}
