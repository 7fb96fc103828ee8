package main

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wavemill/pipeline"
)

// chartFolder is where the Helm chart is.
var chartFolder = filepath.Join("..", "..", "charts")

// kind is what the chart must know of an operator.
type kind struct {
	From      string `json:"from"`      // From is the stream that it reads by itself.
	To        string `json:"to"`        // To is the stream that it writes by itself; empty: none, or the one that it reads.
	InHand    int    `json:"inHand"`    // InHand is how many messages a worker may have unacknowledged, at most.
	OneWorker bool   `json:"oneWorker"` // OneWorker: it keeps state, and runs with one worker.
	Standby   bool   `json:"standby"`   // Standby: one replica works, the others stand by.
}

// TestChartKnowsTheOperators compares charts/wavemill/files/kinds.json with the operators; -update-fields writes it.
func TestChartKnowsTheOperators(t *testing.T) {
	kinds := map[string]kind{}
	for name, factory := range operators(hooks{}) {
		// Of embed, the features with which it has the most messages in hand.
		op, err := factory([]byte(map[string]string{"topup": "to: 10", "embed": "features: mel-statistics"}[name]), pipeline.Env{Pipeline: "p", Operator: name, From: "a", To: "b", Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		k := kind{InHand: pipeline.InHand(op)}
		if c, ok := op.(pipeline.Consumer); ok {
			k.From = c.Input()
		}
		if p, ok := op.(pipeline.Producer); ok && p.Output() != pipeline.TypeModel && p.Output() != k.From {
			k.To = p.Output()
		}
		_, k.OneWorker = op.(pipeline.Runner)
		_, k.Standby = op.(pipeline.Waiter)
		kinds[name] = k
	}
	want, err := json.MarshalIndent(kinds, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(chartFolder, "wavemill", "files", "kinds.json")
	if *updateFields {
		if err := os.WriteFile(file, append(want, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want)+"\n", string(got)); diff != "" {
		t.Errorf("%s is not what the operators say; run `go test ./cmd/wavemill -run TestChartKnows -update-fields` (-want +got):\n%s", file, diff)
	}
}

// TestChartsPipelineRuns checks the pipeline files that the Helm chart renders (its tests keep them as goldens) with the
// operators of this binary, and the arguments of its containers with our flags.
func TestChartsPipelineRuns(t *testing.T) {
	goldens, err := filepath.Glob(filepath.Join(chartFolder, "test", "testdata", "*.golden.yaml"))
	if err != nil || len(goldens) < 5 {
		t.Fatal(goldens, err)
	}
	for _, name := range goldens {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files := 0
		for _, part := range strings.Split(string(text), ".yaml: |\n")[1:] {
			file, _, _ := strings.Cut(part, "\n---")
			var lines []string
			for line := range strings.SplitSeq(file, "\n") {
				if !strings.HasPrefix(line, "    ") {
					break
				}
				lines = append(lines, line[4:])
			}
			spec, err := pipeline.ParseSpec([]byte(strings.Join(lines, "\n")))
			if err == nil {
				err = pipeline.Check(spec, operators(hooks{}))
			}
			for _, o := range spec.Operators { // Each pod runs one operator of the file.
				if one, e := spec.Only(o.Name); err == nil && e == nil {
					err = pipeline.Check(one, operators(hooks{}))
				}
			}
			if err != nil {
				t.Errorf("%s: %v\n%s", name, err, strings.Join(lines, "\n"))
			}
			files++
		}
		if files < 2 {
			t.Errorf("%s: %d pipeline files", name, files)
		}
	}
}
