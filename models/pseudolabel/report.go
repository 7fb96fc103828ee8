package pseudolabel

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// poor is the share of right assignments in the check below which a report warns.
const poor = 0.6

// Lines describe the assignment for a person.
func (r Report) Lines() []string {
	all, each := 0, make([]string, 0, len(r.Used))
	for _, label := range slices.Sorted(maps.Keys(r.Used)) {
		all += r.Used[label]
		each = append(each, fmt.Sprintf("%s %d", label, r.Used[label]))
	}
	lines := []string{fmt.Sprintf("labels    %d of %d unlabelled recordings are used with a label assigned by %d labelled ones: %s",
		all, r.Unlabelled, r.Labelled, strings.Join(each, ", "))}
	if r.Checked == 0 {
		return append(lines, "labels    they cannot be checked: that needs a label with two recordings or more")
	}
	lines = append(lines, fmt.Sprintf("labels    check: %d of %d labelled recordings were assigned their label while it was hidden", r.Right, r.Checked))
	if float64(r.Right) < poor*float64(r.Checked) {
		lines = append(lines, "labels    warning: many assigned labels are wrong; label more recordings, or train without the unlabelled ones")
	}
	return lines
}
