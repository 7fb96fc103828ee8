package text_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"wavemill/internal/text"
)

func TestLine(t *testing.T) {
	for s, want := range map[string]string{
		"größe 鼓.wav": "größe 鼓.wav", "a\x1b[2Jb": `a\u001b[2Jb`, "a\nb\tc\r": `a\nb\u0009c\u000d`, "caf\xe9": `caf\xe9`, "a\u202eb": `a\u202eb`, "\u0085\x7f": `\u0085\u007f`, "a\ufffdE9": "a\ufffdE9",
	} {
		if got := text.Line(s); got != want {
			t.Errorf("%q became %q, want %q", s, got, want)
		}
	}
	if got := text.Block("a\x1b\n\tb"); got != "a\\u001b\n\tb" {
		t.Errorf("%q", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOf(rapid.Byte()).Draw(t, "s"))
		got := text.Line(s)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, unicode.IsControl) {
			t.Fatalf("%q became %q", s, got)
		}
	})
}

// What is written comes out whole, however it is cut, and JSON keeps its values.
func TestWriter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		line, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		w := text.NewWriter(&out)
		cut := rapid.IntRange(0, len(line)).Draw(t, "cut")
		for _, part := range [][]byte{line[:cut], line[cut:]} {
			if n, err := w.Write(part); n != len(part) || err != nil {
				t.Fatal(n, err)
			}
		}
		var back string
		if err := json.Unmarshal([]byte(out.String()), &back); err != nil || back != s {
			t.Fatalf("%s became %s: %q, %v", line, out.String(), back, err)
		}
		if strings.ContainsFunc(strings.ToValidUTF8(out.String(), ""), unicode.IsControl) {
			t.Fatalf("%q", out.String())
		}
	})
}
