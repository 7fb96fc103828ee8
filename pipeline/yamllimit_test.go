package pipeline

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// TestYAMLLimits: documents that stand for more than a pipeline needs are refused, without the memory that they ask for.
func TestYAMLLimits(t *testing.T) {
	bomb := []string{"a0: &a0 [x,x,x,x,x,x,x,x,x,x]"}
	for i := 1; i < 10; i++ {
		one := fmt.Sprintf("*a%d", i-1)
		bomb = append(bomb, fmt.Sprintf("a%d: &a%d [%s]", i, i, strings.Join([]string{one, one, one, one, one, one, one, one, one, one}, ",")))
	}
	var deep strings.Builder
	for i := range 200 {
		fmt.Fprintf(&deep, "%sa:\n", strings.Repeat(" ", i))
	}
	for name, tc := range map[string]struct{ doc, want string }{
		"aliases of aliases":     {strings.Join(bomb, "\n") + "\nname: wavemill\n", "more than 10000 values"},
		"aliases in mappings":    {"a: &a {b: 1}\nc: &c {d: *a, e: *a}\nname: [" + strings.Repeat("{x: *c}, ", 3000) + "1]", "more than 10000 values"},
		"in a sequence":          {"x:\n  b: &b {x: 1, y: 2}\n  c:\n" + strings.Repeat("  - *b\n", 6000), "more than 10000 values"},
		"an alias of itself":     {"a: &a [1, *a]\n", "within its own anchor"},
		"brackets":               {"name: " + strings.Repeat("[", 100000), "nested more than 64 deep"},
		"braces":                 {strings.Repeat("{a: ", 65), "nested more than 64 deep"},
		"entries on a line":      {strings.Repeat("- ", 100000) + "x", "nested more than 64 deep"},
		"keys on a line":         {strings.Repeat("? ", 100000) + "x", "nested more than 64 deep"},
		"indented":               {deep.String(), "nested more than 64 deep"},
		"long":                   {"name: wavemill #" + strings.Repeat("x", 1<<20), "at most 1048576 are read"},
		"aliases, few":           {"name: &n wavemill\nnats: *n\n", ""},
		"brackets within a text": {"name: wavemill # " + strings.Repeat("[", 1000) + "\nnats: \"" + strings.Repeat("{", 1000) + "\"\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := ParseSpec([]byte(tc.doc))
			runtime.ReadMemStats(&after)
			switch {
			case tc.want == "" && err != nil && (strings.Contains(err.Error(), "nested") || strings.Contains(err.Error(), "values")):
				t.Errorf("refused: %.200v", err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("%.200v, want %q", err, tc.want)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 200<<20 {
				t.Errorf("%d bytes take %d MiB", len(tc.doc), used>>20)
			}
		})
	}
}
