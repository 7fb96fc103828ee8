package text

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line returns s on one line of a terminal: control characters, line ends among them, and characters that change the
// direction of text become escapes such as \u001b and \n, bytes that are no UTF-8 such as \xe9. Names of files and labels
// can hold all of these.
func Line(s string) string { return escape(s, false) }

// Block is Line for text of several lines: it keeps line ends and tabs.
func Block(s string) string { return escape(s, true) }

// NewWriter returns a writer that passes on what Block makes of what is written. Text that is JSON stays JSON. A rune that
// the next write completes waits for it. The writer is not safe for concurrent use.
func NewWriter(w io.Writer) io.Writer { return &escaper{w: w} }

type escaper struct {
	w    io.Writer
	rest []byte // The beginning of a rune.
}

// Write implements io.Writer.
func (e *escaper) Write(p []byte) (int, error) {
	all := slices.Concat(e.rest, p)
	whole := len(all)
	for back := 1; back < utf8.UTFMax && back <= len(all); back++ {
		if utf8.RuneStart(all[len(all)-back]) {
			if !utf8.FullRune(all[len(all)-back:]) {
				whole = len(all) - back
			}
			break
		}
	}
	e.rest = all[whole:]
	if _, err := io.WriteString(e.w, Block(string(all[:whole]))); err != nil {
		return 0, err
	}
	return len(p), nil
}

func escape(s string, block bool) string {
	if strings.IndexFunc(s, func(r rune) bool { return unsafe(r, block) }) < 0 {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		_, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == utf8.RuneError || !unsafe(r, block):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// unsafe reports characters that a terminal acts on instead of showing them.
func unsafe(r rune, block bool) bool {
	if block && (r == '\n' || r == '\t') {
		return false
	}
	directs := r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' || r == '\u2028' || r == '\u2029'
	return unicode.IsControl(r) || directs || r == utf8.RuneError // Which stands for bytes that are no UTF-8.
}
