package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wavemill/pipeline"
)

// TestChartsPipelineIsOurs holds the pipeline file that the Helm chart renders (its tests keep it as a golden) against
// the operators of this binary, and the arguments of its pods against our flags.
func TestChartsPipelineIsOurs(t *testing.T) {
	for _, name := range []string{"minimal", "full"} {
		golden, err := os.ReadFile(filepath.Join("..", "..", "charts", "test", "testdata", name+".golden.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		_, rest, ok := strings.Cut(string(golden), "  pipeline.yaml: |\n")
		text, _, end := strings.Cut(rest, "\n---")
		if !ok || !end {
			t.Fatalf("%s: no pipeline file in the golden", name)
		}
		spec, err := pipeline.ParseSpec([]byte(strings.ReplaceAll(text, "\n    ", "\n")[4:]))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(spec.Operators) != 3 {
			t.Errorf("%s: %d operators", name, len(spec.Operators))
		}
		if err := pipeline.Check(spec, operators(hooks{})); err != nil {
			t.Errorf("%s: %v", name, err)
		}

		cmd := newOperator(&app{})
		for line := range strings.SplitSeq(string(golden), "\n") {
			if arg, ok := strings.CutPrefix(strings.TrimSpace(line), "- --"); ok {
				flag, _, _ := strings.Cut(arg, "=")
				if flag != "log" && cmd.Flags().Lookup(flag) == nil {
					t.Errorf("%s: the chart passes --%s, which `wavemill operator` does not have", name, flag)
				}
			}
		}
	}
}
