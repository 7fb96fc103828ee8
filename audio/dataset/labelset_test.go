package dataset

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSeveralLabels: lists of labels are sets, in whatever order and form a table has them.
func TestSeveralLabels(t *testing.T) {
	for name, tc := range map[string]struct {
		file, text string
		want       string // labels of a.wav, b.wav and c.wav; "-" for none
		set        bool
		said       string // in the source of the labels, or among the reasons
	}{
		"lists":                {"t.jsonl", `{"file":"a.wav","labels":["pluck","bass"]}` + "\n" + `{"file":"b.wav","labels":["bass","pluck","bass"]}` + "\n" + `{"file":"c.wav","labels":["bass"]}`, "bass+pluck bass+pluck bass", true, "several labels a file"},
		"a list named label":   {"t.jsonl", `{"file":"a.wav","label":["x",7]}` + "\n" + `{"file":"b.wav","label":"x"}` + "\n" + `{"file":"c.wav","label":[]}`, "7+x x -", true, "several labels"},
		"lists of one":         {"t.jsonl", `{"file":"a.wav","labels":["x"]}` + "\n" + `{"file":"b.wav","labels":["c++"]}` + "\n" + `{"file":"c.wav","label":"y"}`, "x c++ y", false, ""},
		"cells":                {"t.csv", "file,labels\na.wav,\"pluck, bass\"\nb.wav,\"bass,pluck\"\nc.wav,bass\n", "bass+pluck bass+pluck bass", true, `separated by ","`},
		"cells with bars":      {"t.csv", "file;tags\na.wav;pluck|bass\nb.wav;x, y\nc.wav;bass\n", "bass+pluck x, y bass", true, `separated by "|"`},
		"cells of one":         {"t.csv", "file,labels\na.wav,x\nb.wav,c++\nc.wav,y\n", "x c++ y", false, ""},
		"one label with comma": {"t.csv", "file,label\na.wav,\"x, y\"\nb.wav,x\nc.wav,a+b\n", "x, y x a+b", false, ""},
		"a joined label":       {"t.csv", "file,labels\na.wav,x|y\nb.wav,c++\nc.wav,x||y\n", "x+y - -", true, "which joins the labels"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, f := range []string{"a.wav", "b.wav", "c.wav"} {
				if err := os.WriteFile(filepath.Join(dir, f), []byte("x"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			table := filepath.Join(dir, tc.file)
			if err := os.WriteFile(table, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			d, err := Scan(t.Context(), []string{dir}, Options{Labels: table})
			if err != nil {
				t.Fatal(err)
			}
			labels := map[string]string{}
			for _, it := range d.Items {
				labels[it.Name] = it.Label
				if it.LabelSet != tc.set {
					t.Errorf("%s: set %v", it.Name, it.LabelSet)
				}
			}
			var got []string
			for _, f := range []string{"a.wav", "b.wav", "c.wav"} {
				if labels[f] == "" {
					labels[f] = "-"
				}
				got = append(got, labels[f])
			}
			lines := []string{d.LabelSource}
			for _, s := range d.Skipped {
				lines = append(lines, s.Reason)
			}
			said := strings.Join(lines, "\n")
			if strings.Join(got, " ") != tc.want || !strings.Contains(said, tc.said) {
				t.Errorf("%q, want %q; %s", got, tc.want, said)
			}
		})
	}
}

func TestJoinLabels(t *testing.T) {
	if a, err := JoinLabels([]string{" b", "a", "b"}); err != nil || a != "a+b" {
		t.Errorf("%q, %v", a, err)
	}
	if set, err := JoinLabels([]string{"u\u0308", "\u00fc"}); err != nil || set != "\u00fc" {
		t.Errorf("%q, %v", set, err)
	}
	if SplitLabels("a+b")[1] != "b" || FileSlug("a+b") == FileSlug("a-b") {
		t.Error("a set has the file name of another label")
	}
	for _, bad := range [][]string{nil, {""}, {"a", " "}, {"a+b", "c"}} {
		if set, err := JoinLabels(bad); err == nil {
			t.Errorf("%q became %q", bad, set)
		}
	}
}
