package dataset

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// nameRule takes a label from the beginning of a file's name.
type nameRule struct {
	title string // What LabelSource says.
	// label is the label of a file name without folders and extension, "" where the rule does not apply.
	label func(stem string) string
}

// underscore is the rule that counts where it can be applied; the other nameRules follow in the order of preference.
var underscore = nameRule{"file name up to the first _", upTo("_")}

var otherNameRules = []nameRule{
	{"file name up to the first -", upTo("-")},
	{"file name up to the first space", upTo(" ")},
	{"file name without the number at its end", withoutNumber},
}

func upTo(separator string) func(string) string {
	return func(stem string) string {
		label, _, found := strings.Cut(stem, separator)
		if !found {
			return ""
		}
		return strings.TrimSpace(label)
	}
}

// withoutNumber takes "kick" from "kick1", "kick-1", "kick 01" and "kick (1)".
func withoutNumber(stem string) string {
	const digits, separators = "0123456789", " _-.#"
	end := strings.TrimSuffix(stem, ")")
	word := strings.TrimRight(end, digits)
	if word == end {
		return ""
	}
	if end != stem {
		word = strings.TrimSuffix(word, "(")
	}
	return strings.TrimRight(word, separators)
}

// count applies a rule to all files: how many labels it makes, of how many files the smallest is, and to how many files
// the rule does not apply.
func (r nameRule) count(files []found) (labels map[string]int, without int) {
	labels = map[string]int{}
	for _, f := range files {
		if label := r.label(stem(TextName(filepath.Base(f.abs)))); label != "" {
			labels[label]++
		} else {
			without++
		}
	}
	return labels, without
}

// chooseNameRule finds the rule that fits the file names, and describes the evidence. An underscore in all names decides.
// Another rule must apply to all files and make at least two labels, of two files each on average where there are more
// than three files. ok is false where no rule fits.
func chooseNameRule(files []found) (r nameRule, evidence string, ok bool) {
	if _, without := underscore.count(files); without == 0 && len(files) > 0 {
		return underscore, "", true
	}
	for _, r := range otherNameRules {
		labels, without := r.count(files)
		const few = 3
		if without > 0 || len(labels) < 2 || len(files) > few && 2*len(labels) > len(files) {
			continue
		}
		return r, fmt.Sprintf("labels: the rule %q fits all %d files and makes %d labels: %s; --labels folder, a pattern or a table would make others", r.title, len(files), len(labels), counted(labels)), true
	}
	return nameRule{}, "", false
}

// counted lists labels with their numbers of files, the largest first.
func counted(labels map[string]int) string {
	const shown = 8
	names := make([]string, 0, len(labels))
	for name := range labels {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(labels[b]-labels[a], strings.Compare(a, b)) })
	var parts []string
	for _, name := range names[:min(len(names), shown)] {
		parts = append(parts, fmt.Sprintf("%s (%d)", name, labels[name]))
	}
	if n := len(names) - shown; n > 0 {
		parts = append(parts, fmt.Sprintf("%d more", n))
	}
	return strings.Join(parts, ", ")
}

// byName labels by the file name. Where the names have no underscore, the rule that fits them counts. A name to which the
// rule does not apply is its own label.
func byName(d *Dataset, files []found) {
	rule, evidence, ok := chooseNameRule(files)
	if !ok {
		rule = underscore
	}
	d.LabelSource = rule.title
	if evidence != "" {
		d.Notes = append(d.Notes, evidence)
	}
	var whole []string
	for i := range d.Items {
		name := stem(d.Items[i].Name)
		if d.Items[i].Label = rule.label(name); d.Items[i].Label == "" && !strings.Contains(name, "_") {
			d.Items[i].Label = name
			whole = append(whole, d.Items[i].Name)
		}
	}
	if len(whole) > 0 {
		d.Notes = append(d.Notes, fmt.Sprintf("labels: the whole name of %d of %d files is their label, because it has no _, such as %s", len(whole), len(d.Items), whole[0]))
	}
}
