package charttest

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// TestSchemaIsGenerated compares values.schema.json and files/names.json with their sources. The schema that Helm reads is the
// strict one without its rules about names, which the chart checks itself: Helm says that a name is not allowed, and cannot say
// which one was meant.
func TestSchemaIsGenerated(t *testing.T) {
	checkGenerated(t, filepath.Join(chartDir, "files", "names.json"), namesOf(t, strictSchema(t)))
	schema := strictSchema(t)
	withoutNames(schema)
	checkGenerated(t, filepath.Join(chartDir, "values.schema.json"), toJSON(t, schema)+"\n")
}

// strictSchema returns the schema of the values: schema.yaml, and what `wavemill lint --schema` prints of the operators.
func strictSchema(t *testing.T) map[string]any {
	t.Helper()
	var schema map[string]any
	if err := yaml.Unmarshal([]byte(readFile(t, "schema.yaml")), &schema); err != nil {
		t.Fatal(err)
	}
	var pipeline struct {
		Properties struct {
			Operators struct {
				Items struct {
					AllOf []struct {
						If struct {
							Properties struct{ Operator struct{ Const string } }
						}
						Then struct {
							Properties struct{ Config map[string]any }
						}
					}
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(wavemill(t, "lint", "--schema")), &pipeline); err != nil {
		t.Fatal(err)
	}
	definitions := schema["definitions"].(map[string]any)
	var rules []any
	known := map[string]map[string]any{}
	for _, one := range pipeline.Properties.Operators.Items.AllOf {
		kind := one.If.Properties.Operator.Const
		known[kind] = one.Then.Properties.Config
		definitions["config-"+kind] = one.Then.Properties.Config
		for _, field := range []string{"kind", "operator"} {
			rules = append(rules, map[string]any{
				"if":   map[string]any{"properties": map[string]any{field: map[string]any{"const": kind}}, "required": []any{field}},
				"then": map[string]any{"properties": map[string]any{"config": map[string]any{"$ref": "#/definitions/config-" + kind}}},
			})
		}
	}
	if len(known) < 8 {
		t.Fatalf("the binary describes the operators %v", slices.Sorted(maps.Keys(known)))
	}
	entries := schema["properties"].(map[string]any)["operators"].(map[string]any)["additionalProperties"].(map[string]any)
	entries["allOf"] = append(entries["allOf"].([]any), rules...)
	return schema
}

// TestSchemaAdmitsNoUnknownKeys: every object of the strict schema with properties refuses others.
func TestSchemaAdmitsNoUnknownKeys(t *testing.T) {
	schema := strictSchema(t)
	objects := 0
	var walk func(path string, node any)
	walk = func(path string, node any) {
		switch node := node.(type) {
		case map[string]any:
			if _, has := node["properties"]; has && node["type"] == "object" {
				objects++
				if node["additionalProperties"] != false {
					t.Errorf("%s admits unknown keys", path)
				}
			}
			for key, child := range node {
				walk(path+"/"+key, child)
			}
		case []any:
			for _, child := range node {
				walk(path+"/-", child)
			}
		}
	}
	walk("", schema)
	if objects < 40 {
		t.Errorf("%d objects", objects)
	}
}

// TestSchemaHasTheValues: every value of values.yaml has a place in the schema, and every place a value or a reason.
func TestSchemaHasTheValues(t *testing.T) {
	var values, schema map[string]any
	if err := yaml.Unmarshal([]byte(readFile(t, chartDir, "values.yaml")), &values); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(readFile(t, chartDir, "values.schema.json")), &schema); err != nil {
		t.Fatal(err)
	}
	// global belongs to Helm, the others are former places.
	without := []string{"global", "spectrogram", "train", "generate", "terminationGracePeriodSeconds"}
	for key := range schema["properties"].(map[string]any) {
		if _, has := values[key]; has == slices.Contains(without, key) {
			t.Errorf("the key %s: in values.yaml it is %v", key, has)
		}
	}
}

func toJSON(t *testing.T, v any) string {
	t.Helper()
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(b.String())
}

// checkGenerated compares a file with what it is generated from, or writes it with -update.
func checkGenerated(t *testing.T, file, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(readFile(t, file), want); diff != "" {
		t.Errorf("%s is not what its sources say; run go test -update in charts/test:\n%s", file, diff)
	}
}
