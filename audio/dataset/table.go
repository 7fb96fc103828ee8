package dataset

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"wavemill/audio/codec"
)

// row is one line of a label table.
type row struct {
	line               int
	file, label, group string
}

// The column names that tables in the wild use, in order of preference.
var (
	fileColumns  = []string{"file", "path", "filename", "file_name", "audio_filepath", "slice_file_name", "source", "name"}
	labelColumns = []string{"label", "category", "class", "class_name", "word", "target"}
	groupColumns = []string{"speaker", "group", "speaker_id", "client_id"}
)

// byTable labels the items that a table lists. Its file column is matched against the path below
// the root, the path from the table's own folder, and the bare file name where that is unique. group names the column
// that makes groups; "" (and a folder) stands for the first of groupColumns, if there is one.
func byTable(d *Dataset, files []found, name, group string) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("dataset: label table: %w", err)
	}
	defer f.Close()
	read := readJSONL
	if strings.HasSuffix(strings.ToLower(name), ".csv") {
		read = readCSV
	}
	if _, byFolders, _ := folderLevels(group); byFolders {
		group = ""
	}
	rows, err := read(f, group)
	if err != nil {
		return fmt.Errorf("dataset: label table %s: %w", name, err)
	}
	folder, err := filepath.Abs(filepath.Dir(name))
	if err != nil {
		return fmt.Errorf("dataset: label table %s: %w", name, err)
	}
	byPath, byBase := index(d, files)
	taken := make([]int, len(d.Items)) // The line that labelled an item.
	for _, r := range rows {
		i, ok := find(r.file, folder, byPath, byBase)
		if !ok {
			d.Skipped = append(d.Skipped, Skip{r.file, fmt.Sprintf("listed in %s line %d, but no such file was found", filepath.Base(name), r.line)})
			continue
		}
		if taken[i] != 0 && d.Items[i].Label != r.label {
			return fmt.Errorf("dataset: label table %s: line %d labels %s %q, but line %d labels it %q", name, r.line, r.file, r.label, taken[i], d.Items[i].Label)
		}
		taken[i], d.Items[i].Label, d.Items[i].Group = r.line, r.label, r.group
	}
	return nil
}

// index maps absolute paths, paths below the root, and unique bare names to items.
func index(d *Dataset, files []found) (byPath, byBase map[string]int) {
	byPath, byBase = map[string]int{}, map[string]int{}
	for i, f := range files {
		byPath[f.abs] = i
		byPath[d.Items[i].Name] = i
		byPath[relative(f.top, f.abs)] = i
		base := path.Base(d.Items[i].Name)
		if _, twice := byBase[base]; twice {
			byBase[base] = -1
		} else {
			byBase[base] = i
		}
	}
	return byPath, byBase
}

func find(file, folder string, byPath, byBase map[string]int) (int, bool) {
	slashed := path.Clean(strings.ReplaceAll(file, "\\", "/"))
	for _, key := range []string{filepath.Join(folder, filepath.FromSlash(slashed)), filepath.FromSlash(slashed), slashed} {
		if i, ok := byPath[key]; ok {
			return i, true
		}
	}
	i, ok := byBase[path.Base(slashed)]
	return i, ok && i >= 0
}

// readCSV reads a table with a header line, or one of two or three bare columns: file, label, group. by names the column
// that makes groups, "" for the first of groupColumns.
func readCSV(r io.Reader, by string) ([]row, error) {
	cr := csv.NewReader(r)
	cr.FieldsPerRecord = -1
	cr.TrimLeadingSpace = true
	var rows []row
	file, label, group := -1, -1, -1
	for first := true; ; first = false {
		rec, err := cr.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		line, _ := cr.FieldPos(0)
		if first {
			rec[0] = strings.TrimPrefix(rec[0], "\ufeff")
			file, label, group = column(rec, fileColumns), column(rec, labelColumns), column(rec, groupNames(by))
			if file >= 0 && label >= 0 {
				if by != "" && group < 0 {
					return nil, fmt.Errorf("no column %q to group by; line 1 names %s", by, strings.Join(rec, ", "))
				}
				continue
			}
			if !codec.IsAudioName(rec[0]) || len(rec) < 2 {
				return nil, fmt.Errorf("line 1 names no file column (%s) and label column (%s)", strings.Join(fileColumns, ", "), strings.Join(labelColumns, ", "))
			}
			file, label, group = 0, 1, 2
			if by != "" && !slices.Contains(groupColumns, by) {
				return nil, fmt.Errorf("no column %q to group by; the table has no line of column names", by)
			}
		}
		if file >= len(rec) || label >= len(rec) {
			return nil, fmt.Errorf("line %d has %d columns; the file and the label are columns %d and %d", line, len(rec), file+1, label+1)
		}
		out := row{line: line, file: rec[file], label: strings.TrimSpace(rec[label])}
		if group >= 0 && group < len(rec) {
			out.group = rec[group]
		}
		if out.file == "" || out.label == "" {
			return nil, fmt.Errorf("line %d has an empty file or label", line)
		}
		rows = append(rows, out)
	}
	return rows, nil
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

// maxLine bounds one line of a manifest or label table.
const maxLine = 1 << 20

// readJSONL reads one object a line with a file, a label and perhaps a group, under the names that
// a CSV header may have. Empty lines are skipped. by names the field that makes groups, "" for the first of groupColumns;
// some line must have it.
func readJSONL(r io.Reader, by string) ([]row, error) {
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, maxLine)
	var rows []row
	names := map[string]bool{}
	grouped := by == ""
	for line := 1; sc.Scan(); line++ {
		text := strings.TrimSpace(sc.Text())
		if text == "" {
			continue
		}
		var fields map[string]any
		if err := json.Unmarshal([]byte(text), &fields); err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		out := row{line: line, file: pick(fields, fileColumns), label: pick(fields, labelColumns), group: pick(fields, groupNames(by))}
		if out.file == "" || out.label == "" {
			return nil, fmt.Errorf("line %d needs a file (%s) and a label (%s)", line, strings.Join(fileColumns, ", "), strings.Join(labelColumns, ", "))
		}
		rows = append(rows, out)
		grouped = grouped || out.group != ""
		for name := range fields {
			if len(names) < 100 {
				names[name] = true
			}
		}
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", len(rows)+1, err)
	}
	if !grouped {
		return nil, fmt.Errorf("no field %q to group by; the lines have %s", by, listed(names))
	}
	return rows, nil
}

// pick is the first of the names that has a text or number, as text.
func pick(fields map[string]any, names []string) string {
	for _, name := range names {
		switch v := fields[name].(type) {
		case string:
			return strings.TrimSpace(v)
		case float64, bool:
			return fmt.Sprint(v)
		}
	}
	return ""
}
