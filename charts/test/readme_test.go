package charttest

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	yamlv3 "go.yaml.in/yaml/v3"
)

// TestReadmeIsGenerated compares README.md of the chart with readme.md and the comments of values.yaml.
func TestReadmeIsGenerated(t *testing.T) {
	var document yamlv3.Node
	if err := yamlv3.Unmarshal([]byte(readFile(t, chartDir, "values.yaml")), &document); err != nil {
		t.Fatal(err)
	}
	var kinds map[string]any
	if err := json.Unmarshal([]byte(readFile(t, chartDir, "files", "kinds.json")), &kinds); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString(strings.ReplaceAll(readFile(t, "readme.md"), "KINDS", strings.Join(slices.Sorted(maps.Keys(kinds)), ", ")))
	b.WriteString("| value | default | is |\n|---|---|---|\n")
	rows(t, &b, "", document.Content[0])
	checkGenerated(t, filepath.Join(chartDir, "README.md"), b.String())
}

// rows writes a row for each value below a mapping. A mapping with a comment has a row too.
func rows(t *testing.T, b *strings.Builder, path string, mapping *yamlv3.Node) {
	t.Helper()
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		key, value := mapping.Content[i], mapping.Content[i+1]
		name := strings.TrimPrefix(path+"."+key.Value, ".")
		text := comment(key.HeadComment)
		if value.Kind == yamlv3.MappingNode && len(value.Content) > 0 && value.Style&yamlv3.FlowStyle == 0 {
			if text != "" {
				fmt.Fprintf(b, "| **`%s`** | | %s |\n", name, text)
			}
			rows(t, b, name, value)
			continue
		}
		fmt.Fprintf(b, "| `%s` | `%s` | %s |\n", name, flow(t, value), text)
	}
}

// comment returns the last paragraph of a comment as one line.
func comment(text string) string {
	if i := strings.LastIndex(text, "\n\n"); i >= 0 {
		text = text[i+2:]
	}
	var words []string
	for line := range strings.SplitSeq(text, "\n") {
		words = append(words, strings.Fields(strings.TrimPrefix(line, "#"))...)
	}
	return strings.ReplaceAll(strings.Join(words, " "), "|", "\\|")
}

// flow writes a value on one line.
func flow(t *testing.T, value *yamlv3.Node) string {
	t.Helper()
	var v any
	if err := value.Decode(&v); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
