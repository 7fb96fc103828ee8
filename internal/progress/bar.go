package progress

import (
	"io"
	"strings"
	"unicode"

	"github.com/rivo/uniseg"
)

// The width of the bar proper, in columns.
const (
	mostBar  = 24
	leastBar = 6
)

// draw shows the bar of a task in the last row of the screen, in place of what was shown there. The row is drawn here
// and not by a library because it has to fit: a row as wide as the terminal or wider wraps, and each further picture
// of it then takes another row.
func (c *Console) draw(t *Task) error {
	limit := max(c.columns()-1, 0) // a row that is full makes some terminals wrap
	row := t.row(limit)
	columns := uniseg.StringWidth(row)
	// Spaces remove the rest of a longer row; unlike escape sequences, every terminal knows them.
	_, err := io.WriteString(c.w, "\r"+row+strings.Repeat(" ", max(0, min(c.shown, limit)-columns)))
	c.shown = columns
	return err
}

// clear takes the bar off the screen.
func (c *Console) clear() error {
	if c.shown == 0 {
		return nil
	}
	_, err := io.WriteString(c.w, "\r"+strings.Repeat(" ", min(c.shown, max(c.columns()-1, 0)))+"\r")
	c.shown = 0
	return err
}

// row is a task in at most that many columns: "train  33% |████    | 10s left, recon 0.031, 40/120 steps, 8.1 steps/s".
// What does not fit is left out, the least important first: the rate, the count, the note, the time left, the bar and
// last the end of the title.
func (t *Task) row(columns int) string {
	f := t.figures(t.c.now())
	title, note := printable(t.title), printable(t.note)
	details := nonEmpty(f.left, note, f.count, f.rate)
	if t.total == 0 { // then the count is the most important
		details = nonEmpty(f.count, note, f.rate)
	}
	for n := len(details); n >= 0; n-- {
		text := strings.Join(details[:n], ", ")
		if row, ok := t.rowWith(title, f.percent, text, columns); ok {
			return row
		}
	}
	head := title
	if f.percent != "" {
		head = shorten(head, columns-len(f.percent)-1) + " " + f.percent
	}
	return shorten(head, columns)
}

// rowWith puts title, percentage, bar and details into a row, if they fit.
func (t *Task) rowWith(title, percent, details string, columns int) (row string, ok bool) {
	left := columns - uniseg.StringWidth(title)
	if details != "" {
		left -= 1 + uniseg.StringWidth(details)
		details = " " + details
	}
	if percent == "" {
		return title + details, left >= 0
	}
	left -= 1 + 4 + 3 // the percentage and the frame of the bar
	if left < leastBar {
		return "", false
	}
	wide := min(left, mostBar)
	filled := int(int64(wide) * t.done / t.total)
	bar := strings.Repeat("█", filled) + strings.Repeat(" ", wide-filled)
	return title + " " + strings.Repeat(" ", 4-len(percent)) + percent + " |" + bar + "|" + details, true
}

// nonEmpty returns the texts that are not empty.
func nonEmpty(texts ...string) []string {
	var out []string
	for _, t := range texts {
		if t != "" {
			out = append(out, t)
		}
	}
	return out
}

// shorten cuts s to so many columns, with an ellipsis where something is missing.
func shorten(s string, columns int) string {
	if uniseg.StringWidth(s) <= columns {
		return s
	}
	if columns < 1 {
		return ""
	}
	var out strings.Builder
	left := columns - 1
	for g := uniseg.NewGraphemes(s); g.Next() && g.Width() <= left; {
		out.WriteString(g.Str())
		left -= g.Width()
	}
	return out.String() + "…"
}

// printable replaces control characters, which would move the cursor, by spaces.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}
