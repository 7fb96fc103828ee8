package dataset

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"wavemill/internal/text"
)

// SkipGroup counts files that were left out for reasons of one kind.
type SkipGroup struct {
	Skip  // The first of them.
	Count int
	alike bool // All have the same reason, word for word.
}

// String is "3 files: hidden file" or, where reasons differ, "3 files, such as x.wav: REASON".
func (g SkipGroup) String() string {
	files := "files"
	if g.Count == 1 {
		files = "file"
	}
	if g.alike {
		return fmt.Sprintf("%d %s: %s", g.Count, files, g.Reason)
	}
	return fmt.Sprintf("%d %s, such as %s: %s", g.Count, files, g.Path, g.Reason)
}

// kind is the beginning of a reason, up to what differs from file to file.
func (s Skip) kind() string {
	if cut := strings.IndexAny(s.Reason, "0123456789\"':("); cut >= 0 {
		return s.Reason[:cut]
	}
	return s.Reason
}

// GroupSkips counts skips by the kind of their reason, the most frequent first. Reasons are of one kind where they begin
// with the same words, up to a number, a quoted text or a colon.
func GroupSkips(skips []Skip) []SkipGroup {
	at := map[string]int{}
	var groups []SkipGroup
	for _, s := range skips {
		kind := s.kind()
		i, known := at[kind]
		if !known {
			i = len(groups)
			at[kind] = i
			groups = append(groups, SkipGroup{Skip: s, alike: true})
		}
		groups[i].Count++
		groups[i].alike = groups[i].alike && groups[i].Reason == s.Reason
	}
	slices.SortStableFunc(groups, func(a, b SkipGroup) int { return cmp.Compare(b.Count, a.Count) })
	return groups
}

// Findings says in lines for a person what was left out and what the Notes say. Of more than a few files that were left
// out for reasons of one kind it gives the number and an example.
func (d Dataset) Findings() []string {
	const few = 10
	many := map[string]bool{}
	var lines []string
	for _, g := range GroupSkips(d.Skipped) {
		if g.Count > few {
			many[g.kind()] = true
			lines = append(lines, fmt.Sprintf("skipped %d files, such as %s: %s", g.Count, g.Path, g.Reason))
		}
	}
	for _, s := range d.Skipped {
		if !many[s.kind()] {
			lines = append(lines, fmt.Sprintf("skipped %s: %s", s.Path, s.Reason))
		}
	}
	return oneLine(append(lines, d.Notes...))
}

// oneLine keeps each line one, whatever the names in it hold.
func oneLine(lines []string) []string {
	for i, line := range lines {
		lines[i] = text.Line(line)
	}
	return lines
}
