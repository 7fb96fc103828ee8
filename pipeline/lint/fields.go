package lint

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/invopop/jsonschema"

	"wavemill/internal/usage"
)

// unknown reports the keys of a mapping, and of those below it, that the schema does not have.
func (c *checker) unknown(n ast.Node, s *jsonschema.Schema, where string) {
	n = c.doc.resolve(n)
	if list, ok := n.(*ast.SequenceNode); ok && s.Items != nil {
		for i, item := range list.Values {
			c.unknown(item, s.Items, fmt.Sprintf("%s[%d]", where, i))
		}
		return
	}
	if s.Properties == nil {
		return // Anything goes, or it is checked elsewhere.
	}
	if n != nil && len(pairs(n)) == 0 && n.Type() != ast.NullType && n.Type() != ast.MappingType {
		c.report(at(n), Error, "value", "%s must be a mapping of fields to values", where)
		return
	}
	seen := map[string]bool{}
	for _, p := range pairs(n) {
		key := name(p)
		if key == "<<" {
			c.unknown(p.Value, s, where)
			continue
		}
		if seen[key] {
			c.report(at(p.Key), Error, "repeated-field", "%s has the field %q twice", where, key)
		}
		seen[key] = true
		field, known := s.Properties.Get(key)
		if !known {
			c.report(at(p.Key), Error, "unknown-field", "%s has no field %q%s", where, key, suggestion(key, s))
			continue
		}
		c.unknown(p.Value, field, key)
	}
}

// suggestion names the field that was probably meant, or all.
func suggestion(key string, s *jsonschema.Schema) string {
	var names []string
	for p := s.Properties.Oldest(); p != nil; p = p.Next() {
		names = append(names, p.Key)
	}
	if near := usage.Nearest(key, names); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return "; it has: " + strings.Join(slices.Sorted(slices.Values(names)), ", ")
}

// configs checks the configuration of each operator: its fields, and that their values are of the right type.
func (c *checker) configs() {
	for i, stage := range c.doc.operators() {
		config := c.doc.resolve(value(stage, "config"))
		kind := c.doc.resolve(value(stage, "operator"))
		if config == nil || kind == nil {
			continue
		}
		factory, ok := c.reg[kind.GetToken().Value]
		if !ok {
			continue // Reported with the other faults of operators.
		}
		defaults := factory.Defaults()
		if defaults == nil {
			continue
		}
		before := len(c.findings)
		c.unknown(config, reflected(defaults, nil), fmt.Sprintf("config of operators[%d]", i))
		if len(c.findings) > before {
			continue
		}
		v := reflect.New(reflect.TypeOf(defaults))
		v.Elem().Set(reflect.ValueOf(defaults))
		if err := decode(config, v.Interface()); err != nil {
			c.report(placeOf(err), Error, "value", "config of operators[%d]: %s", i, messageOf(err))
		}
	}
}
