package dataset

import (
	"encoding/binary"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// scanTable labels files below set by a table of the given name and bytes, which lies beside set.
func scanTable(t *testing.T, name, table string, files ...string) Dataset {
	t.Helper()
	dir := tree(t, files...)
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
	return scan(t, file, filepath.Join(dir, "set"))
}

// utf16Of is text in UTF-16 of an order, behind a byte order mark or not.
func utf16Of(text string, order binary.AppendByteOrder, mark bool) string {
	if mark {
		text = "\ufeff" + text
	}
	var b []byte
	for _, u := range utf16.Encode([]rune(text)) {
		b = order.AppendUint16(b, u)
	}
	return string(b)
}

// TestTableForms reads what spreadsheets and other programs write: every form gives the same exact labels.
func TestTableForms(t *testing.T) {
	want := []string{"a.wav=größe/ann", "b c.wav=1000000/bob"}
	const header = "file,label,speaker\n"
	for name, table := range map[string]string{
		"plain":                    header + "a.wav,größe,ann\nb c.wav,1000000,bob\n",
		"no header":                "a.wav,größe,ann\nb c.wav,1000000,bob\n",
		"mark and quotes":          "\ufeff\"file\",\"label\",\"speaker\"\r\n\"a.wav\",\"größe\",\"ann\"\r\n\"b c.wav\",\"1000000\",\"bob\"\r\n",
		"semicolons":               "file;label;speaker\na.wav;größe;ann\nb c.wav;1000000;bob\n",
		"semicolons, no header":    "a.wav;größe;ann\nb c.wav;1000000;bob\n",
		"tabs, an empty field":     "file\tnote\tlabel\tspeaker\na.wav\t\tgröße\tann\nb c.wav\tx, y\t1000000\tbob\n",
		"bars":                     "file|label|speaker\na.wav|größe|ann\nb c.wav|1000000|bob\n",
		"blanks":                   "file , label , speaker \n a.wav , größe , ann \nb c.wav\u00a0,1000000 ,bob\n",
		"empty rows":               header + ",,\n\na.wav,größe,ann\n  , ,\nb c.wav,1000000,bob\n,,,,,\n",
		"Latin letters":            header + "a.wav,gr\xf6\xdfe,ann\nb c.wav,1000000,bob\n",
		"UTF-16, little, mark":     utf16Of(header+"a.wav,größe,ann\r\nb c.wav,1000000,bob\r\n", binary.LittleEndian, true),
		"UTF-16, big, mark":        utf16Of(header+"a.wav,größe,ann\nb c.wav,1000000,bob\n", binary.BigEndian, true),
		"UTF-16, little, no mark":  utf16Of("file\tlabel\tspeaker\na.wav\tgröße\tann\nb c.wav\t1000000\tbob\n", binary.LittleEndian, false),
		"UTF-16, big, no mark":     utf16Of(header+"a.wav,größe,ann\nb c.wav,1000000,bob\n", binary.BigEndian, false),
		"decomposed letters":       header + "a.wav,gro\u0308ße,ann\nb c.wav,1000000,bob\n",
		"CR alone":                 strings.ReplaceAll(header+"a.wav,größe,ann\nb c.wav,1000000,bob\n", "\n", "\r"),
		"the same row again":       header + "a.wav,größe,ann\na.wav,größe,ann\nb c.wav,1000000,bob\n",
		"other columns and quotes": "id,\"file\",length,label,speaker\n1,a.wav,\"1,5\",größe,ann\n2,b c.wav,\"2\n3\",1000000,bob\n",
	} {
		t.Run(name, func(t *testing.T) {
			d := scanTable(t, "t.csv", table, "set/a.wav", "set/b c.wav")
			if diff := cmp.Diff(want, labelled(d)); diff != "" {
				t.Errorf("(-want +got):\n%s%s", diff, reasons(d))
			}
			if len(d.Skipped) != 0 {
				t.Errorf("skipped %s", reasons(d))
			}
			for mark, says := range map[string]string{"UTF-16": "UTF-16", "Latin": "Windows-1252", "semicolons": `separated by ';'`, "tabs": "separated by tabs"} {
				if strings.HasPrefix(name, mark) != strings.Contains(d.LabelSource, says) && !strings.Contains(name, "no mark") {
					t.Errorf("labels from %q", d.LabelSource)
				}
			}
		})
	}
}

func TestTableJSONForms(t *testing.T) {
	for name, tc := range map[string]struct {
		table string
		want  []string
	}{
		"byte order mark": {"\ufeff" + `{"file":"a.wav","label":"x"}` + "\n", []string{"a.wav=x"}},
		"whole numbers": {
			`{"file":"a.wav","label":1000000}` + "\n" + `{"file":"b c.wav","label":12345678901234567890}` + "\n",
			[]string{"a.wav=1000000", "b c.wav=12345678901234567890"},
		},
		"other numbers": {`{"file":"a.wav","label":-0.50}` + "\r\n" + `{"file":"b c.wav","label":true}`, []string{"a.wav=-0.50", "b c.wav=true"}},
		"UTF-16":        {utf16Of(`{"file":"a.wav","label":"ä"}`+"\n", binary.LittleEndian, true), []string{"a.wav=ä"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, labelled(scanTable(t, "t.jsonl", tc.table, "set/a.wav", "set/b c.wav"))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestTableBadRows reports rows that cannot be used, and uses the others.
func TestTableBadRows(t *testing.T) {
	good := []string{"a.wav=dog", "b.wav=cat"}
	for name, tc := range map[string]struct {
		file, table, skip string
		want              []string
	}{
		"no label":     {"t.csv", "file,label\na.wav,dog\nc.wav,\nb.wav,cat\n", "c.wav: line 3 of t.csv cannot be used: the label is empty", good},
		"no file":      {"t.csv", "file,label\na.wav,dog\n,cow\nb.wav,cat\n", "t.csv: line 3 of t.csv cannot be used: the file is empty", good},
		"short":        {"t.csv", "file,label\na.wav,dog\nc.wav\nb.wav,cat\n", "c.wav: line 3 of t.csv cannot be used: it has 1 columns", good},
		"open quote":   {"t.csv", "file,label\na.wav,dog\n\"c.wav,cow\nb.wav,cat\n", "t.csv: line 3 of t.csv cannot be used: extraneous or missing \"", good},
		"no such file": {"t.csv", "file,label\na.wav,dog\nnone.wav,cow\nb.wav,cat\n", "none.wav: listed in t.csv line 3, but no such file was found", good},
		"two labels":   {"t.csv", "file,label\na.wav,dog\nb.wav,cat\nc.wav,cow\nc.wav,hen\n", `c.wav: line 5 of t.csv labels it "hen", but line 4 labels it "cow"`, good},
		"no JSON":      {"t.jsonl", `{"file":"a.wav","label":"dog"}` + "\n{oops\n" + `{"file":"b.wav","label":"cat"}` + "\n", "t.jsonl: line 2 of t.jsonl cannot be used: invalid character", good},
		"two values":   {"t.jsonl", `{"file":"a.wav","label":"dog"}` + "\n{} {}\n" + `{"file":"b.wav","label":"cat"}` + "\n", "t.jsonl: line 2 of t.jsonl cannot be used: something follows", good},
		"no label field": {
			"t.jsonl", `{"file":"a.wav","label":"dog"}` + "\n" + `{"file":"c.wav","label":[]}` + "\n" + `{"file":"b.wav","label":"cat"}` + "\n",
			"c.wav: line 2 of t.jsonl cannot be used: it needs a file", good,
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := scanTable(t, tc.file, tc.table, "set/a.wav", "set/b.wav", "set/c.wav")
			if diff := cmp.Diff(tc.want, labelled(d)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !slices.ContainsFunc(reasons(d), func(r string) bool { return strings.HasPrefix(r, tc.skip) }) {
				t.Errorf("skipped %q, want %q", reasons(d), tc.skip)
			}
		})
	}
	// A quote within a field is part of the name.
	if d := scanTable(t, "t.csv", "file,label\na \"b\".wav,dog\n", `set/a "b".wav`); !slices.Equal(labelled(d), []string{`a "b".wav=dog`}) {
		t.Errorf("%q %q", labelled(d), reasons(d))
	}
}

// TestTableFolders never labels a file by a row that names another folder.
func TestTableFolders(t *testing.T) {
	files := []string{"set/spk1/001.wav", "set/spk1/002.wav", "set/spk3/003.wav", "set/004.wav"}
	for row, want := range map[string]string{
		"spk1/001.wav":                     "spk1/001.wav=x",
		`spk1\001.wav`:                     "spk1/001.wav=x",
		"./spk1/../spk1/001.wav":           "spk1/001.wav=x",
		"set/spk1/001.wav":                 "spk1/001.wav=x",
		"/home/ann/set/spk1/001.wav":       "spk1/001.wav=x",
		`D:\ann\set\spk1\001.wav`:          "spk1/001.wav=x",
		"001.wav":                          "spk1/001.wav=x",
		"004.wav":                          "004.wav=x",
		"spk2/001.wav":                     "",
		"other/004.wav":                    "",
		"spk1/003.wav":                     "",
		"/home/ann/other/spk1/001.wav":     "",
		"xspk1/001.wav":                    "",
		"set/spk1/001.wav/../../../01.wav": "",
		"pk1/001.wav":                      "",
	} {
		d := scanTable(t, "t.csv", "file,label\n"+row+",x\n", files...)
		got := strings.Join(labelled(d), " ")
		if got != want {
			t.Errorf("%s labels %q, want %q", row, got, want)
		}
		listed := slices.ContainsFunc(d.Skipped, func(s Skip) bool { return strings.Contains(s.Reason, "listed in t.csv line 2") })
		if listed != (want == "") {
			t.Errorf("%s: skipped %q", row, reasons(d))
		}
	}
	// The root is the folder itself: the rows name it, or another one.
	dir := tree(t, "spk1/001.wav", "spk1/002.wav")
	table := filepath.Join(dir, "t.csv")
	if err := os.WriteFile(table, []byte("file,label\nspk2/001.wav,wrong\nspk1/002.wav,right\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := labelled(scan(t, table, filepath.Join(dir, "spk1"))); !slices.Equal(got, []string{"002.wav=right"}) {
		t.Errorf("%q", got)
	}
}

// TestTablePaths: a table of the paths of any tree labels each file by its own row.
func TestTablePaths(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		part := rapid.SampledFrom([]string{"a", "b", "c"})
		names := map[string]bool{}
		for range rapid.IntRange(1, 8).Draw(rt, "files") {
			folders := rapid.SliceOfN(part, 0, 2).Draw(rt, "folders")
			names[path.Join("set", path.Join(folders...), part.Draw(rt, "name")+".wav")] = true
		}
		var files, want []string
		table := []string{"file,label"}
		for name := range names {
			files = append(files, name)
			table = append(table, name+","+strings.ReplaceAll(name, "/", "-"))
			below, _ := strings.CutPrefix(name, "set/")
			want = append(want, below+"="+strings.ReplaceAll(name, "/", "-"))
		}
		slices.Sort(want)
		got := labelled(scanTable(t, "t.csv", strings.Join(table, "\n"), files...))
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatalf("(-want +got):\n%s", diff)
		}
	})
}
