package dataset

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// SetSeparator joins the labels of a recording that has several.
const SetSeparator = "+"

// SplitLabels returns the labels of a set.
func SplitLabels(set string) []string { return strings.Split(set, SetSeparator) }

// JoinLabels returns the label of a set: its labels without blanks around them, in Unicode normalization form C, sorted,
// each once, joined by "+". The order in which they are given does not matter. An empty set, an empty label and one with a
// "+" are an error.
func JoinLabels(labels []string) (string, error) {
	set := make([]string, len(labels))
	for i, label := range labels {
		set[i] = norm.NFC.String(strings.TrimSpace(label))
		switch {
		case set[i] == "":
			return "", errors.New("a label of several is empty")
		case strings.Contains(set[i], SetSeparator):
			return "", fmt.Errorf("the label %q has a %q, which joins the labels of a recording with several: write it in another way", label, SetSeparator)
		}
	}
	if len(set) == 0 {
		return "", errors.New("the list of labels is empty")
	}
	slices.Sort(set)
	return strings.Join(slices.Compact(set), SetSeparator), nil
}

// listSeparators are those between the labels of a cell, in the order in which they are tried.
var listSeparators = []string{"|", ";", ","}

// cellLabels are the labels in a cell of a column of lists.
func cellLabels(cell, separator string) []string {
	if separator == "" {
		return []string{cell}
	}
	return strings.Split(cell, separator)
}

// listSeparator is the separator in the cells of a column of lists, "" where every cell has one label.
func listSeparator(cells []string) string {
	for _, separator := range listSeparators {
		if slices.ContainsFunc(cells, func(cell string) bool { return strings.Contains(cell, separator) }) {
			return separator
		}
	}
	return ""
}
