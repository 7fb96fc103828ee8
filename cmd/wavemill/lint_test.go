package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/invopop/jsonschema"

	"wavemill/models/architectures"
	"wavemill/pipeline/lint"
)

var updateFields = flag.Bool("update-fields", false, "write fields.json anew from the comments in the source")

// fieldComments returns the comments of the fields of all structs in the packages that declare configurations, as one line each.
func fieldComments(t *testing.T) map[string]string {
	t.Helper()
	docs := map[string]string{}
	dirs, err := filepath.Glob("../../operators/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range append(dirs, "../../audio/slice", "../../pipeline", "../../pipeline/contract") {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			path := "wavemill/" + strings.TrimPrefix(filepath.ToSlash(filepath.Dir(file)), "../../")
			ast.Inspect(f, func(n ast.Node) bool {
				spec, ok := n.(*ast.TypeSpec)
				if !ok {
					return true
				}
				if s, ok := spec.Type.(*ast.StructType); ok {
					above := "" // A comment holds for the fields below it that have none.
					for _, field := range s.Fields.List {
						if field.Tag == nil || !strings.Contains(field.Tag.Value, "yaml:") {
							continue
						}
						text := field.Doc.Text()
						if text == "" {
							text = field.Comment.Text()
						}
						if text = strings.TrimSpace(text); text == "" {
							text = above
						}
						above = text
						for _, name := range field.Names {
							docs[path+"."+spec.Name.Name+"."+name.Name] = strings.Join(strings.Fields(text), " ")
						}
					}
				}
				return true
			})
		}
	}
	return docs
}

// fields.json has the comments of the source.
func TestFieldsAreDescribed(t *testing.T) {
	want := fieldComments(t)
	if *updateFields {
		var out bytes.Buffer
		e := json.NewEncoder(&out)
		e.SetEscapeHTML(false)
		e.SetIndent("", "\t")
		if err := e.Encode(want); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("fields.json", out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	var got map[string]string
	if err := json.Unmarshal(fieldDocs, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields.json is not what the comments say; run `go test ./cmd/wavemill -run TestFieldsAreDescribed -update-fields` (-want +got):\n%s", diff)
	}
}

// The schema has every operator with its configuration, and a description of every field.
func TestSchema(t *testing.T) {
	stdout, _ := mustRun(t, "lint", "--schema")
	var printed map[string]any
	if err := json.Unmarshal([]byte(stdout), &printed); err != nil {
		t.Fatal(err)
	}
	if printed["$schema"] != jsonschema.Version || printed["$id"] != lint.SchemaID {
		t.Errorf("%v %v", printed["$schema"], printed["$id"])
	}
	s, err := pipelineSchema()
	if err != nil {
		t.Fatal(err)
	}
	list, _ := s.Properties.Get("operators")
	if got, want := len(list.Items.AllOf), len(operators(hooks{})); got != want {
		t.Errorf("%d configurations of %d operators", got, want)
	}
	var walk func(s *jsonschema.Schema, path string)
	walk = func(s *jsonschema.Schema, path string) {
		for p := s.Properties.Oldest(); p != nil; p = p.Next() {
			if p.Value.Description == "" {
				t.Errorf("%s.%s has no description", path, p.Key)
			}
			if p.Value.Properties != nil {
				walk(p.Value, path+"."+p.Key)
			}
		}
	}
	walk(s, "")
	walk(list.Items, "operators")
	for _, one := range list.Items.AllOf {
		config, _ := one.Then.Properties.Get("config")
		walk(config, "config")
	}
}

// The schema and the decoding at run time know the same fields, because one is derived from the structs of the other.
func TestSchemaHasTheFieldsOfTheStructs(t *testing.T) {
	for name, factory := range operators(hooks{}) {
		defaults := factory.Defaults()
		if defaults == nil {
			t.Errorf("operator %s does not tell its configuration", name)
			continue
		}
		data, err := yaml.Marshal(defaults)
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]any
		if err := yaml.Unmarshal(data, &fields); err != nil {
			t.Fatal(err)
		}
		for field := range reflect.TypeOf(defaults).Fields() {
			key, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
			if key == "" {
				continue // Inline: its fields are the operator's.
			}
			doc := "operators: [{operator: " + name + ", config: {" + key + "x: 1}}]"
			if found := lint.Check("f", []byte(doc), operators(hooks{})); len(found) != 1 || !strings.Contains(found[0].Message, "did you mean") {
				t.Errorf("%s.%sx: %v", name, key, found)
			}
		}
	}
}

// TestSchemaListsTheChoices: a field with a closed set of values lists exactly those that the operator takes.
func TestSchemaListsTheChoices(t *testing.T) {
	s, err := pipelineSchema()
	if err != nil {
		t.Fatal(err)
	}
	list, _ := s.Properties.Get("operators")
	chosen := map[string][]any{}
	for _, one := range list.Items.AllOf {
		kind, _ := one.If.Properties.Get("operator")
		config, _ := one.Then.Properties.Get("config")
		for p := config.Properties.Oldest(); p != nil; p = p.Next() {
			if len(p.Value.Enum) == 0 {
				continue
			}
			chosen[kind.Const.(string)+"."+p.Key] = p.Value.Enum
			for _, value := range append([]any{"other"}, p.Value.Enum...) {
				doc := fmt.Sprintf("inputs: [take]\noperators: [{operator: %v, config: {%s: %v}}]", kind.Const, p.Key, value)
				refused := slices.ContainsFunc(lint.Check("f", []byte(doc), operators(hooks{})), func(f lint.Finding) bool { return f.Level == lint.Error })
				if refused != (value == "other") {
					t.Errorf("%s: refused is %v", doc, refused)
				}
			}
		}
	}
	if len(chosen) < 4 {
		t.Errorf("only %v", chosen)
	}
	if got := fmt.Sprint(chosen["train.model"]); got != fmt.Sprint(architectures.Names()) {
		t.Errorf("train.model lists %s, and the architectures are %v", got, architectures.Names())
	}
}

func TestLint(t *testing.T) {
	good := fileOf(t, "operators: [{operator: spectrogram}, {operator: train}, {operator: generate}]")
	stdout, stderr := mustRun(t, "lint", good)
	if stdout != "" || !strings.Contains(stderr, "no errors, 0 warnings") {
		t.Errorf("%q %q", stdout, stderr)
	}
	bad := fileOf(t, "operators:\n  - operator: spectrogram\n    worker: 2\n  - operator: train\n    config:\n      stepz: 5\n")
	code, stdout, _ := runCLI(t, "lint", "-f", good, "-f", bad)
	want := bad + ":3:5: error: operators[0] has no field \"worker\"; did you mean \"workers\"? (unknown-field)\n" +
		bad + ":6:7: error: config of operators[1] has no field \"stepz\"; did you mean \"steps\"? (unknown-field)\n"
	if code != exitFailed || stdout != want {
		t.Errorf("exit code %d:\n%s", code, stdout)
	}
	large := fileOf(t, "operators:\n  - operator: spectrogram\n  - operator: train\n    config:\n      batch_size: 1000000\n")
	if code, stdout, _ := runCLI(t, "lint", large); code != exitFailed || !strings.Contains(stdout, "batch_size 1000000: at most 4096") {
		t.Errorf("exit code %d:\n%s", code, stdout)
	}
	code, stdout, _ = runCLI(t, "lint", "--json", bad)
	var report lintReport
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || code != exitFailed || report.Errors != 2 || report.Findings[1].Line != 6 {
		t.Errorf("exit code %d, %v: %s", code, err, stdout)
	}
	for _, args := range [][]string{{"lint"}, {"lint", "--schema", good}} {
		if code, _, _ := runCLI(t, args...); code != exitUsage {
			t.Errorf("%v: exit code %d", args, code)
		}
	}
	for _, command := range [][]string{{"up", "-f", bad}, {"operator", "train", "-f", bad, "--nats", "nats://127.0.0.1:1"}} {
		if code, _, stderr := runCLI(t, command...); code != exitFailed || !strings.Contains(stderr, bad+":3:5: ") || !strings.Contains(stderr, ":6:7: ") {
			t.Errorf("%v: exit code %d: %s", command, code, stderr)
		}
	}
}

// The pipeline files of the documents have no faults.
func TestPipelineFilesOfTheDocuments(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatal(pages, err)
	}
	n := 0
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range strings.Split(string(text), "```yaml\n")[1:] {
			block, _, _ = strings.Cut(block, "```")
			if !slices.ContainsFunc(strings.Split(block, "\n"), func(l string) bool { return strings.HasPrefix(l, "operators:") }) {
				continue
			}
			n++
			for _, f := range lint.Check(page, []byte(block), operators(hooks{})) {
				if f.Level == lint.Error && f.Rule == "unknown-field" {
					t.Error(f)
				}
			}
		}
	}
	if n == 0 {
		t.Skip("no document shows a pipeline file with operators")
	}
}
