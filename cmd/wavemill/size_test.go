package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The command line holds flags, wiring and printing; whatever another program could use is a package below models or
// audio. These limits, of code without tests, keep it so.
const (
	mostLines        = 6000 // in all: about 120 for each of 50 commands
	mostFileLines    = 250
	mostFunctionLine = 60
)

// operatorFiles are the files that import operators: the registry, and the commands that work on a bus. All other commands
// work without a bus, on the packages below operators.
func operatorFiles() []string {
	return []string{"bench_bus.go", "contract.go", "demo.go", "models.go", "models_show.go", "publish.go", "registry.go", "request.go", "studio.go", "subscribe.go"}
}

// source returns the parsed files of this folder and those below, without tests, by name.
func source(t *testing.T) (files map[string]*ast.File, set *token.FileSet) {
	t.Helper()
	files, set = map[string]*ast.File{}, token.NewFileSet()
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return err
		}
		files[name], err = parser.ParseFile(set, name, nil, parser.ParseComments)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files, set
}

func TestCommandLineIsSmall(t *testing.T) {
	files, set := source(t)
	all := 0
	for _, name := range slices.Sorted(maps.Keys(files)) {
		lines := set.File(files[name].Pos()).LineCount() - 1 // the last one is empty
		all += lines
		if lines > mostFileLines {
			t.Errorf("%s has %d lines, more than %d: move what is not printing to a package, or divide the file", name, lines, mostFileLines)
		}
		for _, d := range files[name].Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			lines := set.Position(f.End()).Line - set.Position(f.Pos()).Line + 1
			if lines > mostFunctionLine {
				t.Errorf("%s: %s has %d lines, more than %d", name, f.Name.Name, lines, mostFunctionLine)
			}
		}
	}
	if all > mostLines {
		t.Errorf("the commands have %d lines, more than %d: move what is not printing to a package", all, mostLines)
	}
}

func TestOfflineCommandsImportNoOperators(t *testing.T) {
	files, _ := source(t)
	var found []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if slices.ContainsFunc(files[name].Imports, func(i *ast.ImportSpec) bool {
			path, _ := strconv.Unquote(i.Path.Value)
			return strings.HasPrefix(path, "wavemill/operators/")
		}) {
			found = append(found, name)
		}
	}
	for _, name := range found {
		if !slices.Contains(operatorFiles(), name) {
			t.Errorf("%s imports operators: work without a bus belongs into a package below operators", name)
		}
	}
	for _, name := range operatorFiles() {
		if !slices.Contains(found, name) {
			t.Errorf("%s imports no operators: remove it from the list", name)
		}
	}
}
