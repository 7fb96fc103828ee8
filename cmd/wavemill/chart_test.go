package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wavemill/pipeline"
)

// TestChartsPipelineRuns checks the pipeline file that the Helm chart renders (its tests keep it as a golden) with the
// operators of this binary, and the arguments of its pods with our flags. The values of "guard" have an operator of the
// user's own between spectrogram and train.
func TestChartsPipelineRuns(t *testing.T) {
	registry := operators(hooks{})
	registry["guard"] = func([]byte, pipeline.Env) (pipeline.Operator, error) { return pipeline.OperatorFunc(nil), nil }
	for name, want := range map[string]int{"minimal": 3, "full": 3, "guard": 5} {
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
		if len(spec.Operators) != want {
			t.Errorf("%s: %d operators", name, len(spec.Operators))
		}
		if err := pipeline.Check(spec, registry); err != nil {
			t.Errorf("%s: %v", name, err)
		}

		for _, o := range spec.Operators { // Each pod runs one operator of the file; a stock binary has no guard.
			one, err := spec.Only(o.Name)
			if err == nil && o.Operator != "guard" {
				err = pipeline.Check(one, operators(hooks{}))
			}
			if err != nil {
				t.Errorf("%s: operator %s: %v", name, o.Name, err)
			}
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
