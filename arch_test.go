package wavemill_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/goccy/go-yaml"
)

// module is this module's import path.
const module = "wavemill"

// An arrow says which of our packages the packages below a folder may import. The arrow with the longest
// matching folder counts; an entry covers itself and everything below it; "." after a folder means that
// folder's own package alone.
type arrow struct {
	from string
	to   []string
	why  string
}

// arrows is the diagram of docs/architecture.md.
var arrows = []arrow{
	{"audio", []string{"audio"}, "audio stands on its own: it knows nothing of models, the bus or commands"},
	{"audio/.", nil, "the root holds the nouns of sound, on which every other audio package stands"},
	{"audio/wav", []string{"audio/."}, "a container format needs only the clip"},
	{"audio/fingerprint", []string{"audio/."}, "the identity of a recording is made of its samples, not of its file"},
	{"audio/npy", nil, "an array format needs nothing of ours"},
	{"audio/spectrogram", []string{"audio/.", "audio/spectrogram"}, "transforms see samples, not files"},
	{"audio/synth", []string{"audio/.", "audio/wav"}, "clips from formulas, and the files of a set of them"},
	{"models/.", []string{"audio/spectrogram/."}, "a checkpoint carries the spectrogram's Config, nothing else of audio"},
	{"models/nn", []string{"models/nn"}, "layers know no architecture"},
	{"models/nn/kernel", nil, "the kernels are the ground floor"},
	{"models/endtoend", []string{"models", "audio"}, "the test that takes a new architecture from recordings to clips, evaluation and export"},
	{"models/modeltest", []string{"models", "audio/spectrogram/."}, "the acceptance suite sees models only, and the front ends of checkpoints"},
	{"models/frontend", []string{"models/.", "audio"}, "the one way between clips and batches"},
	{"models/architecture", []string{"models/.", "models/nn", "models/internal/config"}, "the description that every architecture gives of itself"},
	{"models/architectures", []string{"models"}, "the table of the architectures"},
	{"models/monitor", []string{"models", "audio"}, "measures what a model generates while it learns, sounds included"},
	{"models/metricslog", []string{"models/."}, "the figures of a training, step by step"},
	{"models/eval", []string{"models", "audio"}, "evaluation sees clips"},
	{"models/sampling", []string{"models", "audio"}, "the one way from a checkpoint to a WAV file: architectures, front end, codec, and the results of filters"},
	{"models/pseudolabel", []string{"audio", "models/.", "models/frontend", "models/nn/kernel"}, "compares sounds and knows no architecture"},
	{"models/transfer", []string{"models/."}, "takes weights over by their names, whatever the architecture"},
	{"models/training", []string{"models", "audio"}, "the one way from recordings to a checkpoint"},
	{"models/augment", []string{"models", "audio"}, "generates with sampling and measures with eval"},
	{"models/guard", []string{"models", "audio"}, "judges clips by recent ones and by a model, whatever carried them"},
	{"models/comparison", []string{"models", "audio"}, "candidates, their rows and the verdict: sampling and eval"},
	{"models/report", []string{"models", "audio"}, "the HTML page of a demo, a comparison, an evaluation"},
	{"models/benchmark", []string{"models", "audio"}, "trains, samples and compares to make the published tables"},
	{"models/latentmap", []string{"models", "audio"}, "draws the latents of clips"},
	{"models/export", []string{"models", "audio"}, "writes networks and what it takes to sample them elsewhere"},
	{"models", []string{"models/.", "models/nn", "models/internal", "models/architecture"}, "one architecture per package, on the nouns and the layers"},
	{"models/internal", []string{"models/.", "models/nn", "models/internal"}, "what architectures share that no user needs"},
	{"models/vaegan", []string{"models/.", "models/nn", "models/internal", "models/architecture", "models/vae", "models/gan"}, "a VAE sharpened by the GAN's discriminator"},
	{"models/flow", []string{"models/.", "models/nn", "models/internal", "models/architecture", "models/vae", "models/gan"}, "an autoencoder whose decoder is sharpened by the GAN's discriminator, on recordings that the VAE's package varies"},
	{"models/onnx", []string{"models/nn"}, "the ONNX writer sees networks, whatever architecture they are of"},
	{"models/onnx/onnxtest", nil, "it runs files in other programs"},
	{"internal", []string{"internal"}, "small tools that know nothing of audio, models or the bus"},
	{"pipeline", []string{"pipeline"}, "the runtime knows nothing of what it carries"},
	{"operators", []string{"audio", "models", "pipeline"}, "operators join the halves and never see each other"},
	{"operators/files", []string{"audio", "pipeline"}, "files and messages, without models"},
	{"operators/benchmark", []string{"audio", "pipeline", "operators/files"}, "times the bus beside the conversion without one; the operators are given to it"},
	{"operators/demo", []string{"audio", "models", "pipeline", "operators"}, "runs the whole pipeline on one machine: it follows the operators by their hooks and is their client"},
	{"operators/studio/.", []string{"audio", "models", "pipeline", "operators/studio"}, "the page and its server are made of parts, which are given to it"},
	{"operators/studio/web", nil, "answers to requests need nothing of ours"},
	{"operators/studio/page", []string{"operators/studio/web"}, "files that are sent to browsers"},
	{"operators/studio/sounds", []string{"audio", "models", "operators/studio/web"}, "clips for a browser, as sampling makes them"},
	{"operators/studio/trainings", []string{"audio", "models", "operators/studio/web"}, "trainings for a browser, as models/training runs them"},
	{"operators/studio/bus", []string{"audio", "models", "pipeline", "operators/studio/web", "operators/versions"}, "a pipeline for a browser, as its clients see it"},
	{"operators/contract", []string{"audio", "models", "pipeline", "operators"}, "the test of the bus contract runs the operators together"},
	{"cmd", []string{"audio", "models", "pipeline", "operators", "cmd"}, "commands may use everything"},
	{"charts", nil, "charts hold no Go but their tests, in a module of their own"},
}

// forTests are packages that any test may use: acceptance suites, and what test data are made with.
var forTests = map[string]bool{"models/modeltest": true, "models/onnx/onnxtest": true, "audio/synth": true, "audio/spectrogram": true, "internal/oracle": true, "audio/wav": true, "audio/codec": true, "audio/codec/flactest": true}

// goFile is one parsed file and the folder it lies in, relative to the module's root.
type goFile struct {
	name, dir string
	ast       *ast.File
}

// parseModule parses every Go file of the module at root; nested modules and testdata are not part of it.
func parseModule(t *testing.T, root fs.FS) []goFile {
	t.Helper()
	var files []goFile
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			_, nested := fs.Stat(root, path.Join(name, "go.mod"))
			hidden := strings.HasPrefix(d.Name(), ".") && name != "."
			if hidden || d.Name() == "testdata" || (nested == nil && name != ".") {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		src, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ParseComments)
		if err != nil {
			return err
		}
		files = append(files, goFile{name, path.Dir(name), f})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// covers reports whether the arrow entry covers the package in dir.
func covers(entry, dir string) bool {
	if own, ok := strings.CutSuffix(entry, "/."); ok {
		return dir == own
	}
	return dir == entry || strings.HasPrefix(dir, entry+"/")
}

// arrowOf returns the arrow with the longest folder that covers dir.
func arrowOf(dir string) (arrow, bool) {
	best, found := arrow{}, false
	for _, a := range arrows {
		if covers(a.from, dir) && (!found || len(a.from) > len(best.from)) {
			best, found = a, true
		}
	}
	return best, found
}

// wrongArrows lists each import of ours that the diagram does not allow. Tests may also use the acceptance
// suites and their own package.
func wrongArrows(files []goFile) []string {
	var wrong []string
	for _, f := range files {
		test := strings.HasSuffix(f.name, "_test.go")
		for _, imp := range f.ast.Imports {
			p, _ := strconv.Unquote(imp.Path.Value)
			to, ours := strings.CutPrefix(p, module+"/")
			if !ours || to == f.dir || (test && forTests[to]) {
				continue
			}
			a, ok := arrowOf(f.dir)
			if covers("internal", to) { // small tools, for every layer
				continue
			}
			if !ok && f.dir != "." {
				wrong = append(wrong, f.name+": the folder "+f.dir+" is not in the diagram")
				break
			}
			if !slices.ContainsFunc(a.to, func(entry string) bool { return covers(entry, to) }) {
				wrong = append(wrong, f.name+" imports "+p+": "+a.why)
			}
		}
	}
	return wrong
}

func TestArrows(t *testing.T) {
	for _, w := range wrongArrows(parseModule(t, os.DirFS("."))) {
		t.Error(w)
	}
}

func TestArrowsCanFail(t *testing.T) {
	bad := map[string]string{
		"audio/clip.go":           `package audio; import _ "wavemill/models"`,
		"pipeline/run.go":         `package pipeline; import _ "wavemill/operators/train"`,
		"models/batch.go":         `package models; import _ "wavemill/audio/wav"`,
		"models/nn/kernel/a.go":   `package kernel; import _ "wavemill/models/nn"`,
		"operators/train/t.go":    `package train; import _ "wavemill/operators/generate"`,
		"elsewhere/elsewhere.go":  `package elsewhere; import _ "wavemill/audio"`,
		"operators/train/good.go": `package train; import _ "wavemill/models"`,
	}
	root := t.TempDir()
	for name, src := range bad {
		file := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(src), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := len(wrongArrows(parseModule(t, os.DirFS(root)))), len(bad)-1; got != want {
		t.Errorf("found %d wrong arrows, want %d", got, want)
	}
}

// rooms returns the folders with a package that the map of docs/architecture.md must name. Left out are folders with tests
// only, and generators of code: commands outside cmd.
func rooms(files []goFile) map[string]bool {
	found := map[string]bool{}
	for _, f := range files {
		generator := f.ast.Name.Name == "main" && !covers("cmd", f.dir)
		if f.dir != "." && !generator && !strings.HasSuffix(f.name, "_test.go") {
			found[f.dir] = true
		}
	}
	return found
}

// mapped returns how often each folder is named in the first column of the table "| room | its job |".
func mapped(doc string) map[string]int {
	named := map[string]int{}
	_, table, _ := strings.Cut(doc, "| room | its job |\n|---|---|\n")
	for line := range strings.Lines(table) {
		cell, job, ok := strings.Cut(strings.TrimPrefix(line, "| `"), "` | ")
		if !strings.HasPrefix(line, "| `") || !ok || len(job) < 10 {
			break
		}
		named[cell]++
	}
	return named
}

// wrongRooms lists where the map and the folders differ.
func wrongRooms(files []goFile, doc string) []string {
	var wrong []string
	found, named := rooms(files), mapped(doc)
	for dir := range found {
		if named[dir] == 0 {
			wrong = append(wrong, dir+": the folder has no line in the table of rooms")
		}
	}
	for dir, n := range named {
		if n > 1 || !found[dir] {
			wrong = append(wrong, dir+": the table of rooms names it, but it has two lines or no Go code")
		}
	}
	slices.Sort(wrong)
	return wrong
}

func TestRooms(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range wrongRooms(parseModule(t, os.DirFS(".")), string(doc)) {
		t.Errorf("docs/architecture.md: %s", w)
	}
}

func TestRoomsCanFail(t *testing.T) {
	root := fstest.MapFS{}
	for name, pkg := range map[string]string{
		"a/a.go": "a", "b/b.go": "b", "onlytests/x_test.go": "x", "gen/main.go": "main", "cmd/tool/main.go": "main", "b/testdata/t.go": "t",
	} {
		root[name] = &fstest.MapFile{Data: []byte("package " + pkg)}
	}
	doc := "text\n| room | its job |\n|---|---|\n| `a` | does something |\n| `gone` | did something |\n| `cmd/tool` | is a command |\n\n| `later` | another table |\n"
	want := []string{
		"b: the folder has no line in the table of rooms",
		"gone: the table of rooms names it, but it has two lines or no Go code",
	}
	if got := wrongRooms(parseModule(t, root), doc); !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

// links matches a link of Markdown, and codes a piece of code in a line.
var (
	links = regexp.MustCompile(`\]\(([^)#]*)(?:#([^)]*))?\)`)
	codes = regexp.MustCompile("`([^` ]+/[^` ]+)`")
)

// anchor returns the anchor of a heading, as GitHub makes it.
func anchor(heading string) string {
	heading = strings.ToLower(strings.Trim(heading, "# \r\n"))
	return regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ReplaceAll(heading, " ", "-"), "")
}

// brokenLinks lists the links of a document to files or headings that do not exist.
func brokenLinks(root fs.FS, doc string) []string {
	src, err := fs.ReadFile(root, doc)
	if err != nil {
		return []string{err.Error()}
	}
	var broken []string
	for _, m := range links.FindAllStringSubmatch(string(src), -1) {
		if strings.Contains(m[1], "://") {
			continue
		}
		to := doc
		if m[1] != "" {
			to = path.Join(path.Dir(doc), m[1])
		}
		if _, err := fs.Stat(root, to); err != nil {
			broken = append(broken, doc+": "+m[0]+": there is no such file")
			continue
		}
		if m[2] == "" {
			continue
		}
		text, err := fs.ReadFile(root, to)
		heading := func(line string) bool { return strings.HasPrefix(line, "#") && anchor(line) == m[2] }
		if err != nil || !slices.ContainsFunc(strings.Split(string(text), "\n"), heading) {
			broken = append(broken, doc+": "+m[0]+": there is no such heading")
		}
	}
	return broken
}

func TestPaths(t *testing.T) {
	root := os.DirFS(".")
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md"} {
		docs, err := fs.Glob(root, pattern)
		if err != nil || len(docs) == 0 {
			t.Fatalf("%s: no documents, error %v", pattern, err)
		}
		for _, doc := range docs {
			for _, b := range brokenLinks(root, doc) {
				t.Error(b)
			}
		}
	}
	src, err := os.ReadFile("CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(src), "## Where do I change X?")
	section, _, _ := strings.Cut(rest, "\n## ")
	paths := codes.FindAllStringSubmatch(section, -1)
	if len(paths) < 20 {
		t.Fatalf("CONTRIBUTING.md names %d paths, want the list of tasks", len(paths))
	}
	for _, m := range paths {
		if _, err := fs.Stat(root, m[1]); err != nil {
			t.Errorf("CONTRIBUTING.md: %s: %v", m[1], err)
		}
	}
}

func TestBrokenLinksCanFail(t *testing.T) {
	root := fstest.MapFS{
		"docs/a.md": &fstest.MapFile{Data: []byte("# A b, c\n[good](b.md#x-1) [self](#a-b-c) [up](../c.md) [web](https://example.org/x) [lost](no.md) [head](b.md#y)")},
		"docs/b.md": &fstest.MapFile{Data: []byte("## X 1\n")},
		"c.md":      &fstest.MapFile{Data: []byte("c")},
	}
	if got := brokenLinks(root, "docs/a.md"); len(got) != 2 {
		t.Errorf("found %q, want the links to no.md and to the heading y", got)
	}
}

func TestPackageComments(t *testing.T) {
	count := map[string]int{}
	for _, f := range parseModule(t, os.DirFS(".")) {
		if strings.HasSuffix(f.name, "_test.go") {
			continue
		}
		count[f.dir] += 0
		if f.ast.Doc == nil {
			continue
		}
		count[f.dir]++
		text := f.ast.Doc.Text()
		want := "Package " + f.ast.Name.Name + " "
		if f.ast.Name.Name == "main" {
			want = "Command "
		}
		if !strings.HasPrefix(text, want) {
			t.Errorf("%s: the package comment begins %q, want %q", f.name, strings.SplitN(text, "\n", 2)[0], want)
		}
	}
	for dir, n := range count {
		if n != 1 {
			t.Errorf("%s: %d files carry a package comment, want exactly one", dir, n)
		}
	}
}

func TestHouseRules(t *testing.T) {
	for _, f := range parseModule(t, os.DirFS(".")) {
		switch name := f.ast.Name.Name; name {
		case "util", "utils", "common", "types", "helpers", "misc":
			t.Errorf("%s: a package named %s says nothing of its job", f.name, name)
		}
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: init() hides work from the reader; do it where it is called for", f.name)
			}
		}
		src, err := os.ReadFile(f.name)
		if err != nil {
			t.Fatal(err)
		}
		generated := ast.IsGenerated(f.ast)
		test := strings.HasSuffix(f.name, "_test.go")
		if lines := bytes.Count(src, []byte("\n")); !generated && !test && lines > 600 {
			t.Errorf("%s has %d lines: one noun a file, at most 600", f.name, lines)
		}
	}
}

func TestGoModHasNoReplace(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mod)) {
		if strings.HasPrefix(strings.TrimSpace(line), "replace") {
			t.Errorf("go.mod: %s: a replaced module cannot be installed with go install", strings.TrimSpace(line))
		}
	}
}

// nolints matches a directive that silences linters: their names, and the reason behind them.
var nolints = regexp.MustCompile(`^//\s*nolint(?::([\w,-]+))?\s*(?://\s*(.*))?$`)

// wrongNolints lists the nolint directives of a file that name no linter, name one that is not enabled, or give no reason.
func wrongNolints(f goFile, enabled []string) []string {
	var wrong []string
	for _, group := range f.ast.Comments {
		for _, c := range group.List {
			m := nolints.FindStringSubmatch(c.Text)
			if m == nil {
				continue
			}
			if m[1] == "" || m[2] == "" {
				wrong = append(wrong, f.name+": "+c.Text+": want //nolint:LINTER // REASON")
				continue
			}
			for linter := range strings.SplitSeq(m[1], ",") {
				if !slices.Contains(enabled, linter) {
					wrong = append(wrong, f.name+": "+c.Text+": .golangci.yml does not enable "+linter)
				}
			}
		}
	}
	return wrong
}

func TestNolint(t *testing.T) {
	src, err := os.ReadFile(".golangci.yml")
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Linters struct {
			Enable []string `yaml:"enable"`
		} `yaml:"linters"`
	}
	if err := yaml.Unmarshal(src, &config); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(config.Linters.Enable, "govet") {
		t.Fatalf(".golangci.yml enables %q, want govet among them", config.Linters.Enable)
	}
	files := parseModule(t, os.DirFS("."))
	for _, f := range append(files, parseModule(t, os.DirFS(filepath.Join("charts", "test")))...) {
		for _, w := range wrongNolints(f, config.Linters.Enable) {
			t.Error(w)
		}
	}
}

func TestNolintCanFail(t *testing.T) {
	src := "package a\n\nvar (\n" +
		"\ta = 1 //nolint:godot // The reason.\n" +
		"\tb = 1 //nolint:gosec // The reason.\n" +
		"\tc = 1 //nolint:godot,gosec // The reason.\n" +
		"\td = 1 //nolint:godot\n" +
		"\te = 1 //nolint // The reason.\n)\n"
	files := parseModule(t, fstest.MapFS{"a.go": &fstest.MapFile{Data: []byte(src)}})
	if got := wrongNolints(files[0], []string{"godot"}); len(got) != 4 {
		t.Errorf("found %q, want those of b, c, d and e", got)
	}
}

// packageState lists the package-level variables that are neither errors, regular expressions, embedded files nor tables
// in a composite literal, and why each may be there.
var packageState = map[string]string{
	"audio/codec.standard":             "a table, joined from those of the formats; it is only read",
	"audio/wav.alaw":                   "a table, computed at start; it is only read",
	"audio/wav.mulaw":                  "a table, computed at start; it is only read",
	"audio/spectrogram/fft.root":       "a constant that assembly takes by address; it is only read",
	"audio/spectrogram/picture.glyphs": "a table, split at start; it is only read",
	"models/nn.building":               "Gorgonia keeps state that all graphs of a process share; this lock serialises access to it",
	"models/nn/kernel.threads":         "the number of threads is one of the process, as the processors are",
	"models/nn/kernel.workers":         "the worker goroutines are shared by all operations of the process",
	"models/nn/kernel.plans":           "a cache; a plan depends on nothing but shape and class",
	"models/nn/kernel.scratch":         "buffers of finished operations, so that a training step does not allocate",
	"models/nn/kernel.products":        "records of finished operations, as scratch",
	"models/nn/kernel.winograds":       "records of finished operations, as scratch",
	"models/nn/kernel.packings":        "records of finished operations, as scratch",
	"models/nn/kernel.elementwises":    "records of finished operations, as scratch",
	"models/nn/kernel.tapGradients":    "records of finished operations, as scratch",
	"models/nn/kernel.convolutions":    "records of finished operations, as scratch",
	"models/nn/kernel.tapPackings":     "records of finished operations, as scratch",
	"models/nn/kernel.weightGradients": "records of finished operations, as scratch",
	"models/nn/kernel.reductions":      "records of finished operations, as scratch",
	"models/nn/kernel.columnOps":       "records of finished operations, as scratch",
	"internal/cpu.current":             "the class of the processor, decided once for the whole process",
}

// packageVars calls visit for each named package-level variable of a file, with its initial value or nil.
func packageVars(f goFile, visit func(d *ast.GenDecl, name string, value ast.Expr)) {
	for _, d := range f.ast.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.VAR {
			continue
		}
		for _, s := range g.Specs {
			spec := s.(*ast.ValueSpec)
			for i, name := range spec.Names {
				var value ast.Expr
				if i < len(spec.Values) {
					value = spec.Values[i]
				}
				if name.Name != "_" {
					visit(g, name.Name, value)
				}
			}
		}
	}
}

// fixed reports whether a variable with this initial value is an error, a regular expression or a table.
func fixed(value ast.Expr) bool {
	switch v := value.(type) {
	case *ast.CompositeLit:
		return true
	case *ast.CallExpr:
		if f, ok := v.Fun.(*ast.SelectorExpr); ok {
			pkg, _ := f.X.(*ast.Ident)
			return pkg != nil && slices.Contains([]string{"errors.New", "fmt.Errorf", "regexp.MustCompile"}, pkg.Name+"."+f.Sel.Name)
		}
	}
	return false
}

// base returns the name at the root of x, x[i], x.f and *x; "" where there is none.
func base(e ast.Expr) string {
	for {
		switch v := e.(type) {
		case *ast.Ident:
			return v.Name
		case *ast.IndexExpr:
			e = v.X
		case *ast.SliceExpr:
			e = v.X
		case *ast.SelectorExpr:
			e = v.X
		case *ast.StarExpr:
			e = v.X
		case *ast.ParenExpr:
			e = v.X
		default:
			return ""
		}
	}
}

// written returns the names that a function assigns to, clears, copies into or takes the address of, without those that
// it declares itself.
func written(fn *ast.FuncDecl) map[string]bool {
	names, own := map[string]bool{}, map[string]bool{}
	ast.Inspect(fn, func(n ast.Node) bool {
		switch v := n.(type) {
		case *ast.Field:
			for _, name := range v.Names {
				own[name.Name] = true
			}
		case *ast.ValueSpec:
			for _, name := range v.Names {
				own[name.Name] = true
			}
		case *ast.RangeStmt:
			if v.Tok == token.DEFINE {
				own[base(v.Key)] = true
				own[base(v.Value)] = true
			}
		case *ast.AssignStmt:
			for _, to := range v.Lhs {
				if v.Tok == token.DEFINE {
					own[base(to)] = true
				} else {
					names[base(to)] = true
				}
			}
		case *ast.IncDecStmt:
			names[base(v.X)] = true
		case *ast.UnaryExpr:
			if v.Op == token.AND {
				names[base(v.X)] = true
			}
		case *ast.CallExpr:
			if f, ok := v.Fun.(*ast.Ident); ok && len(v.Args) > 0 && (f.Name == "clear" || f.Name == "copy") {
				names[base(v.Args[0])] = true
			}
		}
		return true
	})
	for name := range own {
		delete(names, name)
	}
	return names
}

// wrongState lists the package-level variables that the list does not allow: those that are not fixed when the program
// starts, and tables that a function of their package writes to. It also lists entries without a variable.
func wrongState(files []goFile, allowed map[string]string) []string {
	var wrong []string
	found, writes := map[string]bool{}, map[string]bool{}
	program := slices.DeleteFunc(slices.Clone(files), func(f goFile) bool {
		generator := f.ast.Name.Name == "main" && !covers("cmd", f.dir)
		return generator || ast.IsGenerated(f.ast) || strings.HasSuffix(f.name, "_test.go")
	})
	for _, f := range program {
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				for name := range written(fn) {
					writes[f.dir+"."+name] = true
				}
			}
		}
	}
	for _, f := range program {
		packageVars(f, func(d *ast.GenDecl, name string, value ast.Expr) {
			key := f.dir + "." + name
			found[key] = true
			embedded := d.Doc != nil && strings.HasPrefix(d.Doc.List[len(d.Doc.List)-1].Text, "//go:embed ")
			constant := (embedded || fixed(value)) && !writes[key]
			if allowed[key] == "" && !constant {
				wrong = append(wrong, f.name+": the package-level variable "+name+" can change; pass it, or return a table from a function")
			}
		})
	}
	for key := range allowed {
		if !found[key] {
			wrong = append(wrong, key+": the list of package state names it, but there is no such variable")
		}
	}
	slices.Sort(wrong)
	return wrong
}

func TestPackageState(t *testing.T) {
	for _, w := range wrongState(parseModule(t, os.DirFS(".")), packageState) {
		t.Error(w)
	}
}

func TestPackageStateCanFail(t *testing.T) {
	src := `package a
import ("errors"; "sync")
var errA = errors.New("a")
var table = []int{1, 2}
var changed = []int{1, 2}
var count int
var pool sync.Pool
var known sync.Mutex
var _ error = (*e)(nil)
func f(table []int) { changed[0] = 2; table[0] = 3 }
`
	files := parseModule(t, fstest.MapFS{"a/a.go": &fstest.MapFile{Data: []byte(src)}})
	got := wrongState(files, map[string]string{"a.known": "a reason", "a.gone": "a reason"})
	if len(got) != 4 || !strings.HasPrefix(got[0], "a.gone: ") {
		t.Errorf("found %q, want gone, changed, count and pool", got)
	}
}
