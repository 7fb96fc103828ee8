package dataset

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestTextName: texts are valid UTF-8, different names have different texts, and JSON keeps them.
func TestTextName(t *testing.T) {
	for name, want := range map[string]string{
		"kick.wav": "kick.wav", "größe": "größe", "caf\xe9.wav": "caf\ufffdE9.wav", "\xff\xfe": "\ufffdFF\ufffdFE",
		"a\ufffdb": "a\ufffdEF\ufffdBF\ufffdBDb", "100%E9": "100%E9",
	} {
		if got := TextName(name); got != want {
			t.Errorf("%q became %q, want %q", name, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		bytes := rapid.SliceOf(rapid.SampledFrom([]byte("aE9\xe9\xef\xbf\xbd\xc3\xa9")))
		a, b := string(bytes.Draw(t, "a")), string(bytes.Draw(t, "b"))
		text := TextName(a)
		if !utf8.ValidString(text) || (text == TextName(b)) != (a == b) {
			t.Fatalf("%q became %q, %q became %q", a, text, b, TextName(b))
		}
		var back Skip
		line, err := json.Marshal(Skip{Path: a})
		if err == nil {
			err = json.Unmarshal(line, &back)
		}
		if err != nil || back.Path != text {
			t.Fatalf("%q in JSON is %q, which is %q (%v)", a, line, back.Path, err)
		}
	})
}

// bytesTree is tree for names that some file systems refuse.
func bytesTree(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Skip("the file system refuses such names: ", err)
		}
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			t.Skip("the file system refuses such names: ", err)
		}
	}
	return dir
}

// Folders whose names are no UTF-8 stay two labels, and their names stay apart.
func TestScanNamesOfBytes(t *testing.T) {
	dir := bytesTree(t, "caf\xe8/x.wav", "caf\xe9/x.wav", "b/1\xff.wav")
	d := scan(t, "", dir)
	want := []string{"b/1\ufffdFF.wav=b", "caf\ufffdE8/x.wav=caf\ufffdE8", "caf\ufffdE9/x.wav=caf\ufffdE9"}
	if diff := cmp.Diff(want, labelled(d)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, it := range d.Items {
		if _, err := os.Stat(it.Path); err != nil {
			t.Errorf("the path of %s cannot be opened: %v", it.Name, err)
		}
	}
	// A table finds them by the same texts, and by the letters that the bytes are in Windows-1252.
	table := filepath.Join(dir, "t.csv")
	if err := os.WriteFile(table, []byte("file,label\ncaf\ufffdE8/x.wav,one\ncafé/x.wav,two\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := labelled(scan(t, table, dir)); !slices.Equal(got, []string{"caf\ufffdE8/x.wav=one", "caf\ufffdE9/x.wav=two"}) {
		t.Errorf("by a table: %q", got)
	}
}

// Spellings of one text are one label, wherever labels come from.
func TestScanNormalForms(t *testing.T) {
	const composed, decomposed = "\u00fcber", "u\u0308ber"
	files := []string{composed + "/" + composed + "_1.wav", decomposed + "/" + decomposed + "_2.wav", "b/b_3.wav"}
	dir := bytesTree(t, files...)
	for _, labels := range []string{"", "folder", "prefix", "{label}_{n}", "{label}/{n}"} {
		if got := scan(t, labels, dir).LabelNames(); !slices.Equal(got, []string{"b", composed}) {
			t.Errorf("labels from %q: %q", labels, got)
		}
	}
	d, err := Scan(t.Context(), []string{dir}, Options{Labels: "prefix", Group: "folder"})
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range d.Items {
		if it.Group != "b" && it.Group != composed {
			t.Errorf("%s is of the group %q", it.Name, it.Group)
		}
	}
	table := filepath.Join(dir, "t.csv")
	if err := os.WriteFile(table, []byte("file,label\n"+composed+"_2.wav,x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := labelled(scan(t, table, dir)); len(got) != 1 || !strings.HasSuffix(got[0], "_2.wav=x") {
		t.Errorf("a table in the other form: %q", got)
	}
}

// TestDetectNames finds the separator of file names, says why, and leaves names alone that do not fit.
func TestDetectNames(t *testing.T) {
	for name, tc := range map[string]struct {
		files  []string
		want   []string // labels
		source string
		note   string
	}{
		"dash and space":   {[]string{"kit/kick-1.wav", "kit/kick-2.wav", "kit/snare 1.wav", "kit/snare 2.wav"}, []string{"kick", "snare"}, "without the number", "fits all 4 files and makes 2 labels: kick (2), snare (2)"},
		"two files":        {[]string{"kick-1.wav", "snare 2.wav"}, []string{"kick", "snare"}, "without the number", "fits all 2 files"},
		"dashes":           {[]string{"kick-ann-1.wav", "kick-bob-2.wav", "snare-ann-1.wav", "snare-bob-7.wav"}, []string{"kick", "snare"}, "first -", "makes 2 labels"},
		"spaces":           {[]string{"kick a.wav", "kick b.wav", "snare a.wav", "snare b.wav"}, []string{"kick", "snare"}, "first space", "makes 2 labels"},
		"digits":           {[]string{"kick1.wav", "kick02.wav", "snare (1).wav", "snare #2.wav"}, []string{"kick", "snare"}, "without the number", "makes 2 labels"},
		"underscores":      {[]string{"kick_a-1.wav", "kick_b-2.wav", "snare_a-1.wav"}, []string{"kick", "snare"}, "first _", ""},
		"one without":      {[]string{"kick_1.wav", "kick_2.wav", "odd.wav"}, []string{"kick", "odd"}, "first _", "the whole name of 1 of 3 files"},
		"titles":           {[]string{"kicks/Kick 808.wav", "kicks/Deep House 1.wav", "kicks/Boom 3.wav", "kicks/Room 7.wav"}, []string{"kicks"}, "only folder", ""},
		"numbers only":     {[]string{"kick/1.wav", "kick/2.wav", "kick/3.wav"}, []string{"kick"}, "only folder", ""},
		"one word":         {[]string{"kick/hit-1.wav", "kick/hit-2.wav"}, []string{"kick"}, "only folder", ""},
		"parts, by name":   {[]string{"train/kick_1.wav", "train/bell_1.wav", "test/kick_2.wav"}, []string{"bell", "kick"}, "first _", "the folders test, train are parts of a data set"},
		"parts, dashes":    {[]string{"Train/kick-1.wav", "Train/bell-1.wav", "Test/kick-2.wav", "Test/bell-2.wav"}, []string{"bell", "kick"}, "first -", "the folders Test, Train are parts"},
		"parts below":      {[]string{"kick/train/1.wav", "kick/test/2.wav", "bell/train/1.wav", "bell/test/2.wav"}, []string{"bell", "kick"}, "folder above", "the folders above them are the labels"},
		"parts above":      {[]string{"train/kick/1.wav", "test/kick/2.wav", "train/bell/1.wav"}, []string{"bell", "kick"}, "name of the folder", ""},
		"parts only":       {[]string{"train/1.wav", "test/2.wav"}, []string{"test", "train"}, "name of the folder", "the file names have no labels either"},
		"a part among":     {[]string{"kick/1.wav", "bell/1.wav", "test/1.wav"}, []string{"bell", "kick", "test"}, "name of the folder", `the folder "test" has the name of a part`},
		"upper and lower":  {[]string{"Kick/1.wav", "kick/2.wav", "bell/3.wav"}, []string{"Kick", "bell", "kick"}, "name of the folder", `"Kick" (1 files) and "kick" (1 files)`},
		"upper, by prefix": {[]string{"Über_1.wav", "ÜBER_2.wav"}, []string{"ÜBER", "Über"}, "first _", `"ÜBER" (1 files) and "Über" (1 files)`},
	} {
		t.Run(name, func(t *testing.T) {
			d := scan(t, "", tree(t, tc.files...))
			if diff := cmp.Diff(tc.want, d.LabelNames()); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
			if !strings.Contains(d.LabelSource, tc.source) {
				t.Errorf("labels from %q, want %q", d.LabelSource, tc.source)
			}
			notes := strings.Join(d.Notes, "\n")
			if tc.note == "" && notes != "" || !strings.Contains(notes, tc.note) {
				t.Errorf("notes %q, want %q", notes, tc.note)
			}
			if len(d.Items) != len(tc.files) {
				t.Errorf("%d of %d files; %q", len(d.Items), len(tc.files), reasons(d))
			}
		})
	}
	if d := scan(t, "folder", tree(t, "train/a_1.wav", "test/a_2.wav")); len(d.Notes) != 2 || !slices.Equal(d.LabelNames(), []string{"test", "train"}) {
		t.Errorf("asked for folders: %q, %q", d.LabelNames(), d.Notes)
	}
}

// TestSkipsCounted: what is left out of a scan is counted, with each kind of reason.
func TestSkipsCounted(t *testing.T) {
	files := []string{"a/1.wav", "b/2.wav", ".old/1.wav", ".old/2/3.flac", ".old/readme", "a/.3.wav"}
	for i := range 12 {
		files = append(files, "a/note"+string(rune('a'+i))+".txt")
	}
	dir := tree(t, files...)
	if err := os.MkdirAll(filepath.Join(dir, "loud"), 0o755); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"loud/1.wav": "../a/1.wav", "loud/2.wav": "../b/2.wav"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Skip("no symbolic links: ", err)
		}
	}
	d := scan(t, "", dir)
	if len(d.Items) != 2 || len(d.Skipped) != 16 {
		t.Errorf("%d items, %d skips: %q", len(d.Items), len(d.Skipped), reasons(d))
	}
	var groups []string
	for _, g := range GroupSkips(d.Skipped) {
		groups = append(groups, strings.ReplaceAll(g.String(), dir, ""))
	}
	want := []string{
		"12 files: not a known audio file name",
		"2 files, such as /loud/1.wav: this link leads to a file that is listed already: /a/1.wav",
		"1 file: hidden folder, with 2 audio files",
		"1 file: hidden file",
	}
	if diff := cmp.Diff(want, groups); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if want := `there is no label "loud", because all 2 recordings`; len(d.Notes) != 1 || !strings.Contains(d.Notes[0], want) {
		t.Errorf("notes %q, want %q", d.Notes, want)
	}
	if lines := d.Findings(); len(lines) != 6 || !strings.HasPrefix(lines[0], "skipped 12 files, such as ") {
		t.Errorf("%q", lines)
	}
}
