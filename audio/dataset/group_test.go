package dataset

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestScanGroups makes groups of fields, columns and folders.
func TestScanGroups(t *testing.T) {
	dir := tree(t, "data/x/ann/one_r1_0.wav", "data/x/bob/two_r2_0.wav", "data/y/ann/two_r1_1.wav")
	table := filepath.Join(dir, "t.csv")
	if err := os.WriteFile(table, []byte("file,label,speaker,Room name\none_r1_0.wav,one,ann,kitchen\ntwo_r2_0.wav,two,bob,hall\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	bare := filepath.Join(dir, "bare.csv")
	if err := os.WriteFile(bare, []byte("one_r1_0.wav,one,ann\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	lines := filepath.Join(dir, "t.jsonl")
	if err := os.WriteFile(lines, []byte(`{"file":"one_r1_0.wav","label":"one","room":7}`+"\n"+`{"file":"two_r2_0.wav","label":"two","speaker":"bob"}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		labels, group string
		want          []string // of the items by name, or the error
	}{
		{"{label}_{room}_{n}", "room", []string{"r1", "r2", "r1"}},
		{"{label}_{room}_{n}", "", []string{"", "", ""}},
		{"{label}_{speaker}_{n}", "", []string{"r1", "r2", "r1"}},
		{"{label}_{speaker}_{n}", "n", []string{"0", "0", "1"}},
		{"{set}/{who}/{label}_{speaker}_{n}", "set", []string{"x", "x", "y"}},
		{"{label}_{speaker}_{n}", "folder", []string{"ann", "bob", "ann"}},
		{"prefix", "folder", []string{"ann", "bob", "ann"}},
		{"folder", "folder:2", []string{"x", "x", "y"}},
		{"folder", "folder:3", []string{"data", "data", "data"}},
		{table, "", []string{"ann", "bob"}},
		{table, "room name", []string{"kitchen", "hall"}},
		{table, "folder:2", []string{"x", "x"}},
		{bare, "", []string{"ann"}},
		{bare, "speaker", []string{"ann"}},
		{lines, "", []string{"", "bob"}},
		{lines, "room", []string{"7", ""}},
		{"folder", "folder:4", []string{"no file lies that deep"}},
		{"folder", "folder:0", []string{"folder:2 for the folder above"}},
		{"prefix", "folder:x", []string{"folder:2 for the folder above"}},
		{"prefix", "speaker", []string{"name no fields; group by folder or folder:2"}},
		{"", "speaker", []string{"name no fields"}},
		{"{label}_{room}_{n}", "speaker", []string{`group by "speaker": the pattern has the fields room, n`}},
		{"{label}_{room}_{n}", "label", []string{"the pattern has the fields room, n"}},
		{"{label}", "room", []string{"no field but {label}"}},
		{table, "age", []string{`no column "age" to group by; line 1 names file, label, speaker, Room name`}},
		{bare, "age", []string{"no line of column names"}},
		{lines, "age", []string{`no field "age" to group by; the lines have file, label, room, speaker`}},
	} {
		d, err := Scan(t.Context(), []string{filepath.Join(dir, "data")}, Options{Labels: tc.labels, Group: tc.group})
		if err != nil {
			if len(tc.want) != 1 || !strings.Contains(err.Error(), tc.want[0]) {
				t.Errorf("%s by %q: %v, want %q", tc.labels, tc.group, err, tc.want)
			}
			continue
		}
		var got []string
		for _, it := range d.Items {
			got = append(got, it.Group)
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s by %q: groups %q, want %q", tc.labels, tc.group, got, tc.want)
		}
	}
}
