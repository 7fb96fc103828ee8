package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// names lists a folder.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestWrite(t *testing.T) {
	for _, o := range []Options{{}, {NoSync: true}, {Prefix: ".other-"}} {
		dir := t.TempDir()
		path := filepath.Join(dir, "a.txt")
		for _, text := range []string{"first", "second, longer", ""} {
			if err := Write(path, []byte(text), o); err != nil {
				t.Fatal(err)
			}
			if got := content(t, path); got != text {
				t.Errorf("%+v: %q was written, %q is there", o, text, got)
			}
		}
		if got := names(t, dir); !slices.Equal(got, []string{"a.txt"}) {
			t.Errorf("%+v: the folder holds %v", o, got)
		}
	}
}

// TestPermissions compares with a file that os.Create made under the same umask.
func TestPermissions(t *testing.T) {
	dir := t.TempDir()
	plain, err := os.Create(filepath.Join(dir, "plain"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(plain.Close(), Write(filepath.Join(dir, "atomic"), nil, Options{})); err != nil {
		t.Fatal(err)
	}
	want, err := os.Stat(plain.Name())
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.Stat(filepath.Join(dir, "atomic"))
	if err != nil {
		t.Fatal(err)
	}
	if got.Mode() != want.Mode() {
		t.Errorf("mode %v, os.Create gives %v", got.Mode(), want.Mode())
	}
}

func TestFailuresLeaveTheOldFile(t *testing.T) {
	failed := errors.New("failed")
	for name, write := range map[string]func(path string) error{
		"discard": func(path string) error {
			f, err := Create(path, Options{})
			if err != nil {
				return err
			}
			_, err = f.WriteString("new")
			f.Discard()
			return errors.Join(err, f.Commit()) // Too late.
		},
		"before": func(path string) error {
			return Write(path, []byte("new"), Options{Before: func() error { return failed }})
		},
		"closed": func(path string) error {
			f, err := Create(path, Options{})
			if err != nil {
				return err
			}
			if err := f.Close(); err != nil {
				return err
			}
			return f.Commit()
		},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "a")
		if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		err := write(path)
		if err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v does not name the file", name, err)
		}
		if got := content(t, path); got != "old" {
			t.Errorf("%s: the file holds %q", name, got)
		}
		if got := names(t, dir); len(got) != 1 {
			t.Errorf("%s: the folder holds %v", name, got)
		}
	}
}

func TestBeforeSeesWholeDataAndOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := Write(path, []byte("old"), Options{}); err != nil {
		t.Fatal(err)
	}
	called := false
	err := Write(path, []byte("new"), Options{Before: func() error {
		called = true
		all := names(t, dir)
		if len(all) != 2 || content(t, path) != "old" || content(t, filepath.Join(dir, all[0])) != "new" {
			t.Errorf("the folder holds %v, the destination %q", all, content(t, path))
		}
		return nil
	}})
	if err != nil || !called || content(t, path) != "new" {
		t.Errorf("error %v, Before called: %v", err, called)
	}
}

func TestCreateFails(t *testing.T) {
	if err := Write(filepath.Join(t.TempDir(), "none", "a"), nil, Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "a"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Write(filepath.Join(dir, "a"), nil, Options{}); err == nil {
		t.Error("a folder was replaced")
	}
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("the folder holds %v", got)
	}
}

// TestNameTaken writes beside what another writer of the same number is writing.
func TestNameTaken(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	other, err := Create(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Discard()
	if err := Write(path, []byte("mine"), Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := other.WriteString("theirs"); err != nil {
		t.Fatal(err)
	}
	if got := content(t, path); got != "mine" {
		t.Errorf("the file holds %q", got)
	}
	if err := other.Commit(); err != nil || content(t, path) != "theirs" {
		t.Errorf("error %v, the file holds %q", err, content(t, path))
	}
}

func TestDestination(t *testing.T) {
	for name, want := range map[string]string{
		".a.1": "a", ".m.safetensors.123456": "m.safetensors", "..b.7": ".b",
		"": "", ".": "", ".1": "", "..1": "", "a.1": "", ".a": "", ".a.": "", ".a.x": "", ".a.-1": "", ".a.tmp": "",
	} {
		got, ok := Destination(name)
		if got != want || ok != (want != "") {
			t.Errorf("%q is for %q, %v; want %q", name, got, ok, want)
		}
	}
}

func TestTry(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{filepath.Join(dir, "a", "b", "new.html"), filepath.Join(dir, "a", "b", "new.html")} {
		if err := Try(path); err != nil {
			t.Error(err)
		}
	}
	if err := TryFolder(filepath.Join(dir, "a", "c")); err != nil {
		t.Error(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "there"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(TryFolder(filepath.Join(dir, "there")), TryFolder(dir)); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 || left[0].Name() != "there" {
		t.Errorf("left: %v, %v", left, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Try(filepath.Join(dir, "file")); err != nil {
		t.Errorf("a file to replace: %v", err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || string(b) != "kept" {
		t.Errorf("%q, %v", b, err)
	}
	for _, path := range []string{dir, filepath.Join(dir, "file", "x"), os.DevNull} {
		if err := Try(path); err == nil {
			t.Errorf("%s: no error", path)
		}
	}
	if err := TryFolder(filepath.Join(dir, "file")); err == nil {
		t.Error("a file as a folder: no error")
	}
}

func TestSweep(t *testing.T) {
	dir := t.TempDir()
	f, err := Create(filepath.Join(dir, "a.csv"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil { // As a killed process leaves it.
		t.Fatal(err)
	}
	for _, name := range []string{".b.csv." + strconv.Itoa(1), ".a.csv.tmp", "a.csv"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, ".a.csv.1"), 0o700); err != nil {
		t.Fatal(err)
	}
	match := func(base string) bool { return base == "a.csv" }
	if err := Sweep(dir, match); err != nil {
		t.Fatal(err)
	}
	if got, want := names(t, dir), []string{".a.csv.1", ".a.csv.tmp", ".b.csv.1", "a.csv"}; !slices.Equal(got, want) {
		t.Errorf("the folder holds %v, want %v", got, want)
	}
	if err := Sweep(filepath.Join(dir, "none"), match); err != nil {
		t.Errorf("a folder that does not exist: %v", err)
	}
	if runtime.GOOS != "windows" {
		if err := Sweep(filepath.Join(dir, "a.csv"), match); err == nil {
			t.Error("a file was swept as a folder")
		}
	}
}
