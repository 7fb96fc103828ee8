package dataset

import (
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// label gives every item its label as the options say, and moves those that get none to Skipped.
func label(d *Dataset, files []found, o Options) error {
	mode := o.Labels
	if mode == "" {
		mode = detect(files)
	}
	switch lower := strings.ToLower(mode); {
	case mode == "folder":
		d.LabelSource = "name of the folder"
		byFolder(d, files)
	case mode == "prefix":
		d.LabelSource = "file name up to the first _"
		for i := range d.Items {
			d.Items[i].Label, _, _ = strings.Cut(stem(d.Items[i].Name), "_")
		}
	case mode == "root":
		d.LabelSource = "name of the only folder"
		for i, f := range files {
			d.Items[i].Label = filepath.Base(filepath.Dir(f.abs))
		}
	case strings.HasSuffix(lower, ".csv"), strings.HasSuffix(lower, ".jsonl"), strings.HasSuffix(lower, ".ndjson"):
		d.LabelSource = "table " + filepath.Base(mode)
		if err := byTable(d, files, mode); err != nil {
			return err
		}
	case strings.Contains(mode, "{"):
		d.LabelSource = "pattern " + mode
		p, err := parsePattern(mode)
		if err != nil {
			return err
		}
		for i := range d.Items {
			d.Items[i].Label, d.Items[i].Group = p.match(d.Items[i].Name)
		}
	default:
		return fmt.Errorf("dataset: labels from %q: want folder, prefix, FILE.csv, FILE.jsonl or a pattern such as {label}_{speaker}_{n}", mode)
	}
	d.dropUnlabelled()
	return nil
}

// dropUnlabelled moves items without a label to Skipped.
func (d *Dataset) dropUnlabelled() {
	d.Items = slices.DeleteFunc(d.Items, func(it Item) bool {
		if it.Label == "" {
			d.Skipped = append(d.Skipped, Skip{it.Path, "no label from the " + d.LabelSource})
		}
		return it.Label == ""
	})
}

// detect chooses between folders and file names.
func detect(files []found) string {
	folders := map[string]bool{}
	for _, f := range files {
		folders[folderLabel(f)] = true
	}
	delete(folders, "")
	tops := map[string]bool{}
	underscore := false
	for _, f := range files {
		tops[filepath.Dir(f.abs)] = true
		underscore = underscore || strings.Contains(stem(f.abs), "_")
	}
	switch {
	case len(folders) >= 2:
		return "folder"
	case len(folders) == 0 && len(tops) >= 2: // Several roots: wavemill … three four.
		return "folder"
	case !underscore && len(tops) == 1:
		return "root"
	}
	return "prefix"
}

// folderLabel is the name of the folder a file lies in, "" when that is the root itself.
func folderLabel(f found) string {
	dir := filepath.Dir(f.abs)
	if dir == f.top {
		return ""
	}
	return filepath.Base(dir)
}

// byFolder labels by folder. A root's own name counts only when no root has folders below it.
func byFolder(d *Dataset, files []found) {
	nested := slices.ContainsFunc(files, func(f found) bool { return folderLabel(f) != "" })
	for i, f := range files {
		d.Items[i].Label = folderLabel(f)
		if !nested {
			d.Items[i].Label = filepath.Base(filepath.Dir(f.abs))
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
	segments     int // Path segments it covers, counted from the file.
	label, group int // Submatch indices; group 0 when there is none.
}

var field = regexp.MustCompile(`\{[^{}]*\}`)

// parsePattern compiles "{label}_{speaker}_{n}". A field matches the shortest text that lets the
// rest match, and never a slash.
func parsePattern(text string) (pattern, error) {
	p := pattern{segments: strings.Count(text, "/") + 1}
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
		switch name := rest[at[0]+1 : at[1]-1]; name {
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
	re, err := regexp.Compile(expr.String())
	if err != nil {
		return pattern{}, fmt.Errorf("dataset: pattern %q: %w", text, err)
	}
	p.expr = re
	return p, nil
}

// match returns empty strings when the name does not fit.
func (p pattern) match(name string) (label, group string) {
	name = strings.TrimSuffix(name, path.Ext(name))
	parts := strings.Split(name, "/")
	if len(parts) < p.segments {
		return "", ""
	}
	m := p.expr.FindStringSubmatch(strings.Join(parts[len(parts)-p.segments:], "/"))
	if m == nil {
		return "", ""
	}
	if p.group > 0 {
		group = m[p.group]
	}
	return m[p.label], group
}
