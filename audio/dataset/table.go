package dataset

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// The column names that tables in the wild use, in order of preference.
var (
	fileColumns  = []string{"file", "path", "filename", "file_name", "audio_filepath", "slice_file_name", "source", "name"}
	labelColumns = []string{"label", "category", "class", "class_name", "word", "target"}
	listColumns  = []string{"labels", "tags", "classes"} // of several labels a file
	groupColumns = []string{"speaker", "group", "speaker_id", "client_id"}
)

// maxLine bounds one line of a manifest.
const maxLine = 1 << 20

// byTable labels the items that a table lists. Rows that cannot be used, or that name no file that was found, become
// Skips. A file that rows label differently gets no label. group names the column that makes groups; "" (and a folder)
// stands for the first of groupColumns, if there is one.
func byTable(d *Dataset, files []found, name, group string) error {
	if _, byFolders, _ := folderLevels(group); byFolders {
		group = ""
	}
	t, err := readTable(d, name, group)
	if err != nil {
		return fmt.Errorf("dataset: label table %s: %w", name, err)
	}
	base := filepath.Base(name)
	for _, b := range t.bad {
		d.Skipped = append(d.Skipped, Skip{Path: cmp.Or(b.file, name), Reason: fmt.Sprintf("line %d of %s cannot be used: %s", b.line, base, b.reason)})
	}
	if len(t.good) == 0 && len(t.bad) > 0 {
		return fmt.Errorf("dataset: label table %s: none of its rows can be used; line %d: %s", name, t.bad[0].line, t.bad[0].reason)
	}
	folder, err := filepath.Abs(filepath.Dir(name))
	if err != nil {
		return fmt.Errorf("dataset: label table %s: %w", name, err)
	}
	ix := newFileIndex(d, files, folder)
	taken := make([]row, len(d.Items)) // The row that labelled an item.
	for _, r := range t.good {
		i, why := ix.find(r.file)
		switch {
		case why != "":
			d.Skipped = append(d.Skipped, Skip{Path: strings.TrimSpace(r.file), Reason: fmt.Sprintf("listed in %s line %d, but %s", base, r.line, why)})
		case taken[i].line != 0 && taken[i].label != r.label:
			d.Skipped = append(d.Skipped, Skip{Path: d.Items[i].Path, Reason: fmt.Sprintf("line %d of %s labels it %q, but line %d labels it %q", r.line, base, r.label, taken[i].line, taken[i].label)})
			d.Items[i].Label = conflict
		case d.Items[i].Label != conflict:
			taken[i], d.Items[i].Label, d.Items[i].Group, d.Items[i].LabelSet = r, r.label, r.group, t.lists
		}
	}
	d.Items = slices.DeleteFunc(d.Items, func(it Item) bool { return it.Label == conflict })
	return nil
}

// conflict marks an item that rows label differently. No label has a zero byte.
const conflict = "\x00"

// readTable reads a table of any of the known forms, and says in d.LabelSource what is unusual about its form.
func readTable(d *Dataset, name, group string) (rows, error) {
	text, encoding, err := readText(name)
	if err != nil {
		return rows{}, err
	}
	lower := strings.ToLower(name)
	read := readCSV
	if strings.HasSuffix(lower, ".jsonl") || strings.HasSuffix(lower, ".ndjson") {
		read = readJSONL
	}
	t, err := read(text, group)
	if err != nil {
		return rows{}, err
	}
	var form []string
	if t.lists {
		form = append(form, "several labels a file"+t.between)
	}
	if encoding != "" {
		form = append(form, encoding)
	}
	switch t.separator {
	case 0, ',':
	case '\t':
		form = append(form, "columns separated by tabs")
	default:
		form = append(form, fmt.Sprintf("columns separated by %q", t.separator))
	}
	if len(form) > 0 {
		d.LabelSource += " (" + strings.Join(form, ", ") + ")"
	}
	return t, nil
}
