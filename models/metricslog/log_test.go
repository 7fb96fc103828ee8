package metricslog

import (
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wavemill/models"
)

func TestRowsAsJSONAndTable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.curves")
	l, err := Open(path, -1)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []Row{
		{Step: 10, Seconds: 0.5, Values: map[string]float64{"train/loss": 1e-9}},
		{Step: 20, Seconds: 1.25, Values: map[string]float64{"val/loss": 2, `odd "name", here`: 3}, Notes: []string{"a", "b"}},
	} {
		if err := l.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Add(Row{Values: map[string]float64{"x": math.NaN()}}); err == nil {
		t.Error("a row that is not a number was written")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(l.JSONL())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"step":10,"seconds":0.500,"train/loss":1e-9}
{"step":20,"seconds":1.250,"odd \"name\", here":3,"val/loss":2,"notes":["a","b"]}
`
	if string(text) != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	file, err := os.Open(l.CSV())
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	table, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]string{
		{"step", "seconds", `odd "name", here`, "train/loss", "val/loss", "notes"},
		{"10", "0.500", "", "1e-09", "", ""},
		{"20", "1.250", "3", "", "2", "a; b"},
	} {
		if !slices.Equal(table[i], want) {
			t.Errorf("line %d: %q, want %q", i, table[i], want)
		}
	}
}

func TestResumeCutsWhatWasNotSaved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.curves")
	l, err := Open(path, 30) // Resumed, but there are no curves: they begin now.
	if err != nil {
		t.Fatal(err)
	}
	for step := int64(10); step <= 50; step += 10 {
		if err := l.Add(row(step)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(l.JSONL())
	if err != nil {
		t.Fatal(err)
	}
	for name, tail := range map[string]string{"whole": "", "half a line": `{"step":60,"sec`, "damaged": "\x00\x00\n{\"step\":20,\"seconds\":1}\n"} {
		if err := os.WriteFile(l.JSONL(), append(slices.Clone(whole), tail...), 0o600); err != nil {
			t.Fatal(err)
		}
		for from, want := range map[int64]int{0: 0, 10: 1, 39: 3, 40: 4, 1000: 5} {
			if err := os.WriteFile(l.JSONL(), append(slices.Clone(whole), tail...), 0o600); err != nil {
				t.Fatal(err)
			}
			m, err := Open(path, from)
			if err != nil {
				t.Fatal(err)
			}
			if got := m.Last().Step; got != int64(10*want) {
				t.Errorf("%s, from %d: last step %d", name, from, got)
			}
			if err := m.Add(row(2000)); err != nil {
				t.Fatal(err)
			}
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(m.JSONL())
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.SplitAfter(strings.TrimSuffix(string(text), "\n"), "\n")
			if len(lines) != want+1 || !strings.HasPrefix(string(whole), strings.Join(lines[:want], "")) {
				t.Errorf("%s, from %d:\n%s", name, from, text)
			}
		}
	}
}

func TestFollowerPicksRows(t *testing.T) {
	f := &Follower{Earlier: 100 * time.Second}
	var rows []Row
	take := func(p models.Progress) {
		if r, ok := f.Row(p); ok {
			rows = append(rows, r)
		}
	}
	take(models.Progress{Event: models.EventStart})
	for step := int64(1); step <= 100; step++ { // a second in all
		take(models.Progress{Event: models.EventStep, Step: step, Elapsed: time.Duration(step) * 10 * time.Millisecond, Train: models.Losses{"loss": math.Inf(1), "kl": 1}, Rate: 0.1})
	}
	collapse := []models.Warning{{Kind: "collapse", Finding: "one clip", Advice: "less"}}
	look := models.Progress{
		Event: models.EventEval, Step: 100, Elapsed: time.Second, Val: models.Losses{"loss": 2},
		Metrics: map[string]float64{"preview/distance": 3}, EvaluatedAt: 100, Warnings: collapse,
	}
	take(look)
	look.Step, look.EvaluatedAt = 200, 200
	take(look)
	look.Step = 300 // not judged
	take(look)
	take(models.Progress{Event: models.EventRollback, Step: 200, Rollbacks: []models.Rollback{{Step: 310, To: 200, Reason: "NaN", Factor: 0.5}}})
	take(models.Progress{Event: models.EventSave, Step: 200})
	var steps []int64
	for _, r := range rows {
		steps = append(steps, r.Step)
	}
	if !slices.Equal(steps, []int64{10, 60, 100, 200, 300, 200}) {
		t.Fatalf("rows of steps %v", steps)
	}
	if r := rows[0]; r.Seconds != 100.1 || len(r.Values) != 2 || r.Values["learning_rate"] != 0.1 || r.Values["train/kl"] != 1 {
		t.Errorf("%+v", r)
	}
	if r := rows[2]; r.Values["preview/distance"] != 3 || r.Values["val/loss"] != 2 || len(r.Notes) != 1 || r.Notes[0] != "collapse: one clip; try: less" {
		t.Errorf("%+v", r)
	}
	if r := rows[3]; len(r.Notes) != 0 {
		t.Errorf("the same warning again: %v", r.Notes)
	}
	if _, ok := rows[4].Values["preview/distance"]; ok {
		t.Error("figures of an earlier step")
	}
	if r := rows[5]; len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "from step 310 to 200") {
		t.Errorf("%+v", r)
	}
}
