package dataset

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// tree makes files of so many bytes as their name is long, and returns the folder.
func tree(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, make([]byte, len(name)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func scan(t *testing.T, labels string, roots ...string) Dataset {
	t.Helper()
	d, err := Scan(t.Context(), roots, Options{Labels: labels})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// labelled is name=label[/group] of each item.
func labelled(d Dataset) []string {
	var out []string
	for _, it := range d.Items {
		s := it.Name + "=" + it.Label
		if it.Group != "" {
			s += "/" + it.Group
		}
		out = append(out, s)
	}
	return out
}

func reasons(d Dataset) []string {
	var out []string
	for _, s := range d.Skipped {
		out = append(out, filepath.Base(s.Path)+": "+s.Reason)
	}
	return out
}

func TestScan(t *testing.T) {
	for _, tc := range []struct {
		name, labels string
		files        []string
		roots        []string // Below the folder; the folder itself when empty.
		want, skip   []string
		source       string
	}{
		{
			name: "prefixes", files: []string{"3_ann_0.wav", "3_ann_1.wav", "7_bob_0.flac", "README.md", ".hidden", ".git/x.wav"},
			want: []string{"3_ann_0.wav=3", "3_ann_1.wav=3", "7_bob_0.flac=7"}, source: "file name up to the first _",
			skip: []string{".git: hidden folder, with 1 audio files", ".hidden: hidden file", "README.md: not a known audio file name"},
		},
		{
			name: "folders", files: []string{"cat/b_1.wav", "cat/a_1.ogg", "dog/1.MP3", "loose.wav"},
			want: []string{"cat/a_1.ogg=cat", "cat/b_1.wav=cat", "dog/1.MP3=dog"}, source: "name of the folder",
			skip: []string{"loose.wav: no label from the name of the folder"},
		},
		{
			name: "folders below parts", files: []string{"train/cat/1.wav", "test/cat/2.wav", "train/dog/1.wav"},
			want: []string{"test/cat/2.wav=cat", "train/cat/1.wav=cat", "train/dog/1.wav=dog"}, source: "name of the folder",
		},
		{
			name: "several roots", files: []string{"cat/1.wav", "dog/1.wav", "cow/1.wav"}, roots: []string{"dog", "cat"},
			want: []string{"cat/1.wav=cat", "dog/1.wav=dog"}, source: "name of the folder",
		},
		{
			name: "one folder without underscores", files: []string{"kick/1.wav", "kick/2.wav"}, roots: []string{"kick"},
			want: []string{"1.wav=kick", "2.wav=kick"}, source: "name of the only folder",
		},
		{
			name: "one folder below", files: []string{"a/3_x.wav", "a/4_x.wav"},
			want: []string{"a/3_x.wav=3", "a/4_x.wav=4"}, source: "file name up to the first _",
		},
		{
			name: "single files", files: []string{"3_x.wav", "4_x.weird"}, roots: []string{"4_x.weird", "3_x.wav"},
			want: []string{"3_x.wav=3", "4_x.weird=4"}, source: "file name up to the first _",
		},
		{
			name: "a file twice", files: []string{"a/3_x.wav", "b/3_y.wav"}, roots: []string{"a", ".", "a/3_x.wav"}, labels: "prefix",
			want: []string{"a/3_x.wav=3", "b/3_y.wav=3"}, source: "file name up to the first _",
		},
		{
			name: "pattern", labels: "{label}_{speaker}_{n}", files: []string{"3_ann_0.wav", "7_bob_0.wav", "odd.wav"},
			want: []string{"3_ann_0.wav=3/ann", "7_bob_0.wav=7/bob"}, source: "pattern {label}_{speaker}_{n}",
			skip: []string{"odd.wav: no label from the pattern {label}_{speaker}_{n}"},
		},
		{
			name: "pattern with folders", labels: "{group}/{label}-{take}", files: []string{"x/ann/kick-1.wav", "x/bob/snare-2.wav", "flat-1.wav"},
			want: []string{"x/ann/kick-1.wav=kick/ann", "x/bob/snare-2.wav=snare/bob"}, source: "pattern {group}/{label}-{take}",
			skip: []string{"flat-1.wav: no label from the pattern {group}/{label}-{take}"},
		},
		{
			name: "pattern with any folders", labels: "{label}/**", files: []string{"en/1.wav", "en/digits/1.wav", "en/a/b/c.d.wav", "fr/digits/1.wav", "flat.wav"},
			want: []string{"en/1.wav=en", "en/a/b/c.d.wav=en", "en/digits/1.wav=en", "fr/digits/1.wav=fr"}, source: "pattern {label}/**",
			skip: []string{"flat.wav: no label from the pattern {label}/**"},
		},
		{
			name: "pattern with any folders between", labels: "{group}/**/{label}_{n}", files: []string{"en/kick_1.wav", "en/a/b/kick_2.wav", "kick_3.wav"},
			want: []string{"en/a/b/kick_2.wav=kick/en", "en/kick_1.wav=kick/en"}, source: "pattern {group}/**/{label}_{n}",
			skip: []string{"kick_3.wav: no label from the pattern {group}/**/{label}_{n}"},
		},
		{
			name: "pattern with any folders before", labels: "**/takes/{label}", files: []string{"takes/kick.wav", "a/b/takes/snare.wav", "a/tom.wav"},
			want: []string{"a/b/takes/snare.wav=snare", "takes/kick.wav=kick"}, source: "pattern **/takes/{label}",
			skip: []string{"tom.wav: no label from the pattern **/takes/{label}"},
		},
		{name: "nothing", want: nil, source: "file name up to the first _"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := tree(t, tc.files...)
			roots := []string{dir}
			if tc.roots != nil {
				roots = nil
			}
			for _, r := range tc.roots {
				roots = append(roots, filepath.Join(dir, r))
			}
			d := scan(t, tc.labels, roots...)
			if diff := cmp.Diff(tc.want, labelled(d)); diff != "" {
				t.Errorf("items (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.skip, reasons(d)); diff != "" {
				t.Errorf("skipped (-want +got):\n%s", diff)
			}
			if d.LabelSource != tc.source {
				t.Errorf("labels by %q, want %q", d.LabelSource, tc.source)
			}
			for _, it := range d.Items {
				if info, err := os.Stat(it.Path); err != nil || info.Size() != it.Size {
					t.Errorf("%+v: %v", it, err)
				}
			}
		})
	}
}

func TestScanTables(t *testing.T) {
	files := []string{"audio/a.wav", "audio/b.wav", "audio/sub/c.wav", "audio/d.wav", "audio/sub/d.wav", "meta/x"}
	for _, tc := range []struct {
		name, file, text string
		want             []string
		skip             []string
		err              string
	}{
		{
			name: "ESC-50's columns", file: "meta/x.csv", text: "\ufefffilename,fold,category\na.wav,1,dog\n\"b.wav\",2,\"cat, big\"\nc.wav,1,dog\n",
			want: []string{"a.wav=dog", "b.wav=cat, big", "sub/c.wav=dog"},
			skip: []string{"d.wav: no label from the table x.csv", "d.wav: no label from the table x.csv"},
		},
		{
			name: "paths from the table", file: "meta/x.csv", text: "path,label,speaker\n../audio/a.wav,dog,ann\n../audio/sub/d.wav,cat,bob\nsub/c.wav,cow,\n",
			want: []string{"a.wav=dog/ann", "sub/c.wav=cow", "sub/d.wav=cat/bob"},
			skip: []string{"b.wav: no label from the table x.csv", "d.wav: no label from the table x.csv"},
		},
		{
			name: "no header", file: "meta/x.csv", text: "a.wav,dog\nb.wav,cat\nnone.wav,cat\nd.wav,cow\n",
			want: []string{"a.wav=dog", "b.wav=cat", "d.wav=cow"},
			skip: []string{"c.wav: no label from the table x.csv", "d.wav: no label from the table x.csv", "none.wav: listed in x.csv line 3, but no such file was found"},
		},
		{
			name: "JSON lines", file: "meta/x.jsonl", text: `{"audio_filepath": "a.wav", "label": "dog", "speaker": "ann", "more": [1]}` + "\n\n" + `{"file": "sub\\c.wav", "label": 3}` + "\n",
			want: []string{"a.wav=dog/ann", "sub/c.wav=3"},
			skip: []string{"b.wav: no label from the table x.jsonl", "d.wav: no label from the table x.jsonl", "d.wav: no label from the table x.jsonl"},
		},
		{name: "no columns", file: "x.csv", text: "one,two\n1,2\n", err: "line 1 names no file column"},
		{name: "empty label", file: "x.csv", text: "file,label\na.wav,\n", err: "none of its rows can be used; line 2: the label is empty"},
		{name: "short line", file: "x.csv", text: "file,other,label\na.wav,dog\n", err: "line 2: it has 2 columns"},
		{name: "open quote", file: "x.csv", text: "file,label\n\"a.wav,dog\n", err: `quote`},
		{name: "no JSON", file: "x.jsonl", text: "{\n", err: "line 1: "},
		{name: "no file field", file: "x.jsonl", text: `{"label": "x"}`, err: "line 1: it needs a file"},
		{name: "no table", file: "", text: "", err: "no such file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := tree(t, files...)
			table := filepath.Join(dir, "none.csv")
			if tc.file != "" {
				table = filepath.Join(dir, filepath.FromSlash(tc.file))
				if err := os.WriteFile(table, []byte(tc.text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			d, err := Scan(t.Context(), []string{filepath.Join(dir, "audio")}, Options{Labels: table})
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("%v, want %q", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, labelled(d)); diff != "" {
				t.Errorf("items (-want +got):\n%s", diff)
			}
			got := reasons(d)
			slices.Sort(got)
			if diff := cmp.Diff(tc.skip, got); diff != "" {
				t.Errorf("skipped (-want +got):\n%s", diff)
			}
		})
	}
}

func TestScanRefuses(t *testing.T) {
	dir := tree(t, "a_1.wav")
	for labels, want := range map[string]string{
		"folders": "want folder, prefix", "{n}_{speaker}": "no {label}", "{label}{label}": "{label} twice", "{label}_{speaker}_{group}": "two group fields",
		"{label}/a**/{n}": "stands for whole folders",
	} {
		if _, err := Scan(t.Context(), []string{dir}, Options{Labels: labels}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", labels, err, want)
		}
	}
	if _, err := Scan(t.Context(), []string{filepath.Join(dir, "none")}, Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a root that is not there: %v", err)
	}
	if _, err := Scan(t.Context(), nil, Options{}); err == nil {
		t.Error("no root at all")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Scan(ctx, []string{dir}, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// Folders in folders with recordings are labels of their own, which is said.
func TestScanNested(t *testing.T) {
	dir := tree(t, "en/1.wav", "en/digits/1.wav", "en/digits/old/1.wav", "fr/digits/1.wav", "fr/2.wav", "it/digits/1.wav")
	const want = "warning: en holds recordings, and so do folders in it, such as en/digits (3 folders like this): each recording has the label of its innermost folder; --labels '{label}/**' takes the outermost"
	if d := scan(t, "", dir); !slices.Contains(d.Notes, want) {
		t.Errorf("notes: %q", d.Notes)
	}
	for labels, root := range map[string]string{"{label}/**": dir, "": filepath.Join(dir, "it"), "folder": tree(t, "kit/kick/1.wav", "other/kick/1.wav")} {
		if d := scan(t, labels, root); len(d.Notes) > 0 {
			t.Errorf("%s by %q: %q", root, labels, d.Notes)
		}
	}
}

// TestScanLinks follows links, and stops where they lead in circles or nowhere.
func TestScanLinks(t *testing.T) {
	dir := tree(t, "real/cat/1.wav", "data/dog/1.wav")
	for link, target := range map[string]string{"data/cat": "../real/cat", "data/dog/loop": "..", "data/dog/self": ".", "data/gone.wav": "nowhere.wav", "data/dog/2.wav": "1.wav"} {
		if err := os.Symlink(filepath.FromSlash(target), filepath.Join(dir, filepath.FromSlash(link))); err != nil {
			t.Skip("no symbolic links: ", err)
		}
	}
	d := scan(t, "folder", filepath.Join(dir, "data"))
	if diff := cmp.Diff([]string{"cat/1.wav=cat", "dog/1.wav=dog"}, labelled(d)); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
	loop := "directory loop: this link leads back to a folder it lies in"
	twice := "this link leads to a file that is listed already: " + filepath.Join(dir, "data", "dog", "1.wav")
	if diff := cmp.Diff([]string{"2.wav: " + twice, "loop: " + loop, "self: " + loop, "gone.wav: cannot read: no such file or directory"}, reasons(d)); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
}

func TestScanUnreadable(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root reads everything")
	}
	dir := tree(t, "a_1.wav", "locked/a_2.wav")
	locked := filepath.Join(dir, "locked")
	if err := os.Chmod(locked, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(locked, 0o700) })
	d := scan(t, "", dir)
	if len(d.Items) != 1 || len(d.Skipped) != 1 || !strings.Contains(d.Skipped[0].Reason, "permission denied") {
		t.Errorf("%+v", d)
	}
}

func TestHash(t *testing.T) {
	files := []string{"3_a.wav", "3_b.wav", "4_a.wav"}
	one, two := scan(t, "", tree(t, files...)), scan(t, "", tree(t, files...))
	if one.Hash() != two.Hash() || len(one.Hash()) != 64 {
		t.Errorf("the same data in two places: %s, %s", one.Hash(), two.Hash())
	}
	slices.Reverse(two.Items)
	if one.Hash() != two.Hash() {
		t.Error("the order counts")
	}
	for name, change := range map[string]func(*Item){
		"label": func(it *Item) { it.Label = "5" },
		"name":  func(it *Item) { it.Name = "x.wav" },
		"size":  func(it *Item) { it.Size++ },
	} {
		d := Dataset{Items: slices.Clone(one.Items)}
		change(&d.Items[1])
		if d.Hash() == one.Hash() {
			t.Errorf("another %s, the same hash", name)
		}
	}
	if names := one.LabelNames(); !slices.Equal(names, []string{"3", "4"}) {
		t.Errorf("labels %q", names)
	}
}

func TestFileSlug(t *testing.T) {
	for label, want := range map[string]string{
		"three": "three", "Kick_2-b": "Kick_2-b", "v1.5": "v1.5", "größe": "größe", "": "unlabelled",
		"a b": "a-b-c8687a08", "../x": "x-0c93bb7a", "con": "con-", "COM1.x": "COM1.x-", "-rf": "rf-", "???": "label-", ".": "label-", "a/b": "a-b-",
	} {
		if got := FileSlug(label); got != want && (!strings.HasSuffix(want, "-") || !strings.HasPrefix(got, want) || len(got) != len(want)+8) && !strings.HasPrefix(got, want[:strings.LastIndex(want, "-")+1]) {
			t.Errorf("%q became %q, want %q", label, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.String().Draw(t, "a"), rapid.String().Draw(t, "b")
		s := FileSlug(a)
		if s == "" || len(s) > maxSlug+9 || filepath.Base(s) != s || strings.ContainsAny(s, "/\\:*?\"<>|\x00 ") || s[0] == '.' || s[0] == '-' {
			t.Fatalf("%q became %q", a, s)
		}
		if a != b && s == FileSlug(b) {
			t.Fatalf("%q and %q both became %q", a, b, s)
		}
	})
}
