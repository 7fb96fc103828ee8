package charttest

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

// withoutNames takes the rules about names out of a schema: which keys there may and must be. Those of conditions stay.
func withoutNames(node any) {
	switch node := node.(type) {
	case map[string]any:
		if node["additionalProperties"] == false {
			delete(node, "additionalProperties")
		}
		if _, isRule := node["required"].([]any); isRule {
			delete(node, "required")
		}
		if either, ok := node["anyOf"].([]any); ok && onlyRequires(either) {
			delete(node, "anyOf")
		}
		for key, child := range node {
			if key != "if" {
				withoutNames(child)
			}
		}
	case []any:
		for _, child := range node {
			withoutNames(child)
		}
	}
}

// onlyRequires reports whether alternatives are about keys that must be there, and about nothing else.
func onlyRequires(alternatives []any) bool {
	return !slices.ContainsFunc(alternatives, func(one any) bool {
		m, ok := one.(map[string]any)
		return !ok || len(m) != 1 || m["required"] == nil
	})
}

// names is what files/names.json says of a value.
type names struct {
	Ref      string           `json:"ref,omitempty"`      // The name of the definition that says it.
	Keys     map[string]names `json:"keys,omitempty"`     // The keys that there may be.
	Required []string         `json:"required,omitempty"` // Those that there must be.
	Any      *names           `json:"any,omitempty"`      // Of the values of keys of the user's own.
	Items    *names           `json:"items,omitempty"`    // Of the entries of a list.
	ByKind   bool             `json:"byKind,omitempty"`   // It is the configuration of an operator.
}

// namesOf makes files/names.json of the strict schema.
func namesOf(t *testing.T, schema map[string]any) string {
	t.Helper()
	definitions := map[string]names{}
	for name, node := range schema["definitions"].(map[string]any) {
		definitions[name] = nameTree(node)
	}
	stage := definitions["stage"].Keys
	if stage["config"].ByKind || len(stage) < 20 {
		t.Fatalf("the schema of a stage has the keys %v", slices.Sorted(maps.Keys(stage)))
	}
	stage["config"] = names{ByKind: true}
	text, err := json.Marshal(map[string]any{"values": nameTree(schema), "definitions": definitions})
	if err != nil {
		t.Fatal(err)
	}
	return string(text) + "\n"
}

// nameTree returns what a schema says about names.
func nameTree(node any) (n names) {
	m, ok := node.(map[string]any)
	if !ok {
		return n
	}
	if ref, ok := m["$ref"].(string); ok {
		n.Ref = strings.TrimPrefix(ref, "#/definitions/")
		return n
	}
	if all, ok := m["allOf"].([]any); ok && m["properties"] == nil {
		n = nameTree(all[0])
	}
	for _, key := range list(m["required"]) {
		n.Required = append(n.Required, key.(string))
	}
	if properties, ok := m["properties"].(map[string]any); ok && m["additionalProperties"] == false {
		n.Keys = map[string]names{}
		for key, child := range properties {
			n.Keys[key] = nameTree(child)
		}
	} else if child, ok := m["additionalProperties"].(map[string]any); ok {
		below := nameTree(child)
		n.Any = &below
	}
	if child, ok := m["items"].(map[string]any); ok {
		below := nameTree(child)
		n.Items = &below
	}
	return n
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}
