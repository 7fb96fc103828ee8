package dataset

import (
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// label gives every item its label as the options say, and moves those that get none to Skipped.
func label(d *Dataset, files []found, o Options) error {
	mode := o.Labels
	if mode == "" {
		from, notes := detect(files)
		mode, d.Notes = string(from), append(d.Notes, notes...)
	}
	isTable, isPattern := IsTable(mode), strings.Contains(mode, "{")
	_, byFolders, err := folderLevels(o.Group)
	switch {
	case err != nil:
		return err
	case o.Group != "" && !byFolders && !isTable && !isPattern:
		return fmt.Errorf("dataset: group by %q: labels from %q name no fields; group by folder or folder:2, or take labels from a pattern such as {label}_{%s}_{n} or from a table", o.Group, mode, o.Group)
	case mode == string(fromFolder):
		d.LabelSource = folderSource
		byFolder(d, files)
	case mode == string(fromNames):
		byName(d, files)
	case o.Labels == "" && mode == string(fromAbove):
		d.LabelSource = "name of the folder above"
		for i, f := range files {
			d.Items[i].Label = aboveLabel(f)
		}
	case o.Labels == "" && mode == string(fromRoot):
		d.LabelSource = "name of the only folder"
		for i, f := range files {
			d.Items[i].Label = TextName(filepath.Base(filepath.Dir(f.abs)))
		}
	case isTable:
		d.LabelSource = "table " + filepath.Base(mode)
		if err := byTable(d, files, mode, o.Group); err != nil {
			return err
		}
	case isPattern:
		d.LabelSource = "pattern " + mode
		p, err := parsePattern(mode)
		if err != nil {
			return err
		}
		if err := p.groupBy(o.Group); err != nil {
			return err
		}
		for i := range d.Items {
			d.Items[i].Label, d.Items[i].Group = p.match(d.Items[i].Name)
		}
	default:
		return fmt.Errorf("dataset: labels from %q: want folder, prefix, FILE.csv, FILE.tsv, FILE.jsonl or a pattern such as {label}_{speaker}_{n}", mode)
	}
	if byFolders {
		if err := groupByFolder(d, files, o.Group); err != nil {
			return err
		}
	}
	d.dropUnlabelled()
	for i := range d.Items {
		it := &d.Items[i]
		it.Label, it.Group = norm.NFC.String(it.Label), norm.NFC.String(it.Group)
	}
	warnLabels(d, o.Labels != "")
	warnNested(d, files)
	return nil
}

// folderSource is the LabelSource of labels that are names of folders.
const folderSource = "name of the folder"

// IsTable reports whether a source of labels (Options.Labels) is the name of a table, a file that Scan reads.
func IsTable(labels string) bool {
	lower := strings.ToLower(labels)
	return slices.Contains([]string{".csv", ".tsv", ".jsonl", ".ndjson"}, filepath.Ext(lower))
}

// folderLevels parses "folder" and "folder:N": 1 is the folder a file lies in, 2 the one above.
func folderLevels(group string) (levels int, ok bool, err error) {
	number, ok := strings.CutPrefix(group, "folder:")
	if group == "folder" {
		return 1, true, nil
	}
	if !ok {
		return 0, false, nil
	}
	levels, err = strconv.Atoi(number)
	if err != nil || levels < 1 {
		return 0, false, fmt.Errorf("dataset: group by %q: want folder, or folder:2 for the folder above", group)
	}
	return levels, true, nil
}

// groupByFolder makes groups of folder names, up to the root's own. A file that lies less deep has no group.
func groupByFolder(d *Dataset, files []found, group string) error {
	levels, _, err := folderLevels(group)
	if err != nil {
		return err
	}
	some := false
	for i, f := range files {
		names := strings.Split(path.Join(filepath.Base(f.top), relative(f.top, f.abs)), "/")
		if at := len(names) - 1 - levels; at >= 0 {
			d.Items[i].Group = TextName(names[at])
			some = true
		}
	}
	if !some && len(files) > 0 {
		return fmt.Errorf("dataset: group by %q: no file lies that deep; %s lies in the folder given", group, files[0].path)
	}
	return nil
}

// dropUnlabelled moves items without a label to Skipped.
func (d *Dataset) dropUnlabelled() {
	d.Items = slices.DeleteFunc(d.Items, func(it Item) bool {
		if it.Label == "" {
			d.Skipped = append(d.Skipped, Skip{Path: it.Path, Reason: "no label from the " + d.LabelSource})
		}
		return it.Label == ""
	})
}

// folderLabel is the name of the folder a file lies in, "" when that is the root itself.
func folderLabel(f found) string {
	dir := filepath.Dir(f.abs)
	if dir == f.top {
		return ""
	}
	return TextName(filepath.Base(dir))
}

// byFolder labels by folder. A root's own name counts only when no root has folders below it.
func byFolder(d *Dataset, files []found) {
	nested := slices.ContainsFunc(files, func(f found) bool { return folderLabel(f) != "" })
	for i, f := range files {
		d.Items[i].Label = folderLabel(f)
		if !nested {
			d.Items[i].Label = TextName(filepath.Base(filepath.Dir(f.abs)))
		}
	}
}

// stem is a file's name without folders and extension.
func stem(name string) string {
	base := path.Base(filepath.ToSlash(name))
	return strings.TrimSuffix(base, path.Ext(base))
}

// pattern takes the label and the group from a file's name.
type pattern struct {
	expr         *regexp.Regexp
	segments     int      // Path segments it covers, counted from the file; 0: all of them.
	label, group int      // Submatch indices; group 0 when there is none.
	fields       []string // Names of the submatches, from the first.
}

// groupBy chooses the field that makes the group; "" keeps {speaker} or {group}.
func (p *pattern) groupBy(name string) error {
	if _, byFolders, _ := folderLevels(name); name == "" || byFolders {
		return nil
	}
	at := slices.Index(p.fields, name)
	if at < 0 || name == "label" {
		others := slices.DeleteFunc(slices.Clone(p.fields), func(f string) bool { return f == "label" })
		if len(others) == 0 {
			return fmt.Errorf("dataset: group by %q: the pattern has no field but {label}; it could be {label}_{%[1]s}_{n}, or group by folder", name)
		}
		return fmt.Errorf("dataset: group by %q: the pattern has the fields %s", name, strings.Join(others, ", "))
	}
	p.group = at + 1
	return nil
}

var field = regexp.MustCompile(`\{[^{}]*\}`)

// anyFolders is the segment of a pattern that stands for any number of folders, or at the end for folders and file.
const anyFolders = "**"

// parsePattern compiles "{label}_{speaker}_{n}". A field matches the shortest text that lets the
// rest match, and never a slash. The segment anyFolders matches any number of folders; a pattern with one covers the path of a file
// from the folder of the data on.
func parsePattern(text string) (pattern, error) {
	p := pattern{segments: strings.Count(text, "/") + 1}
	for segment := range strings.SplitSeq(text, "/") {
		switch {
		case segment == anyFolders:
			p.segments = 0
		case strings.Contains(segment, anyFolders):
			return pattern{}, fmt.Errorf("dataset: pattern %q: %s stands for whole folders, as in {label}/%[2]s/{n}", text, anyFolders)
		}
	}
	var expr strings.Builder
	expr.WriteString("^")
	rest, n := text, 0
	for {
		at := field.FindStringIndex(rest)
		if at == nil {
			break
		}
		expr.WriteString(regexp.QuoteMeta(rest[:at[0]]) + "([^/]+?)")
		n++
		name := rest[at[0]+1 : at[1]-1]
		p.fields = append(p.fields, name)
		switch name {
		case "label":
			if p.label != 0 {
				return pattern{}, fmt.Errorf("dataset: pattern %q has {label} twice", text)
			}
			p.label = n
		case "speaker", "group":
			if p.group != 0 {
				return pattern{}, fmt.Errorf("dataset: pattern %q has two group fields; use one of {speaker} and {group}, once", text)
			}
			p.group = n
		}
		rest = rest[at[1]:]
	}
	expr.WriteString(regexp.QuoteMeta(rest) + "$")
	if p.label == 0 {
		return pattern{}, fmt.Errorf("dataset: pattern %q has no {label}", text)
	}
	anyQuoted := regexp.QuoteMeta(anyFolders)
	source := strings.ReplaceAll(expr.String(), anyQuoted+"/", "(?:[^/]+/)*")
	re, err := regexp.Compile(strings.ReplaceAll(source, anyQuoted+"$", ".+$"))
	if err != nil {
		return pattern{}, fmt.Errorf("dataset: pattern %q: %w", text, err)
	}
	p.expr = re
	return p, nil
}

// match returns empty strings when the name does not fit.
func (p pattern) match(name string) (label, group string) {
	name = strings.TrimSuffix(name, path.Ext(name))
	if p.segments > 0 {
		parts := strings.Split(name, "/")
		if len(parts) < p.segments {
			return "", ""
		}
		name = strings.Join(parts[len(parts)-p.segments:], "/")
	}
	m := p.expr.FindStringSubmatch(name)
	if m == nil {
		return "", ""
	}
	if p.group > 0 {
		group = m[p.group]
	}
	return m[p.label], group
}
