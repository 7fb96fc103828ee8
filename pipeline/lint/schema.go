package lint

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/invopop/jsonschema"

	"wavemill/pipeline"
)

// SchemaID identifies the schema of pipeline files.
const SchemaID = "urn:wavemill:pipeline"

// Schema returns the JSON Schema (draft 2020-12) of pipeline files for the operators of a registry: the fields of
// [pipeline.Spec], and for each operator those of its configuration, with their defaults. Docs are the descriptions of
// fields, by the path of the package, the type and the field, such as "wavemill/pipeline.Spec.Name"; nil: none.
func Schema(reg pipeline.Registry, docs map[string]string) *jsonschema.Schema {
	s := reflected(pipeline.Spec{}.WithDefaults(), docs)
	s.Version, s.ID, s.Title = jsonschema.Version, SchemaID, "Wavemill pipeline"
	s.Required = []string{"operators"}
	list, _ := s.Properties.Get("operators")
	list.Items = reflected(pipeline.Spec{Operators: []pipeline.OperatorSpec{{}}}.WithDefaults().Operators[0], docs)
	operator, _ := list.Items.Properties.Get("operator")
	list.Items.Required = []string{"operator"}
	for _, name := range slices.Sorted(maps.Keys(reg)) {
		operator.Enum = append(operator.Enum, name)
		defaults := reg[name].Defaults()
		if defaults == nil {
			continue
		}
		named, config := jsonschema.NewProperties(), jsonschema.NewProperties()
		named.Set("operator", &jsonschema.Schema{Const: name})
		config.Set("config", reflected(defaults, docs))
		list.Items.AllOf = append(list.Items.AllOf, &jsonschema.Schema{If: &jsonschema.Schema{Properties: named}, Then: &jsonschema.Schema{Properties: config}})
	}
	return s
}

// reflected returns the schema of a struct with yaml tags, with its values as defaults.
func reflected(defaults any, docs map[string]string) *jsonschema.Schema {
	r := jsonschema.Reflector{
		Anonymous: true, DoNotReference: true, ExpandedStruct: true, RequiredFromJSONSchemaTags: true, FieldNameTag: "yaml",
		Mapper: mapped,
		LookupComment: func(t reflect.Type, field string) string {
			return docs[t.PkgPath()+"."+t.Name()+"."+field]
		},
	}
	s := r.ReflectFromType(reflect.TypeOf(defaults))
	s.Version = ""
	fill(s, reflect.ValueOf(defaults))
	return s
}

// mapped is the schema of types that YAML writes in their own way; nil for the others.
func mapped(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[time.Duration]():
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Type: "string", Pattern: `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$|^0$`}, {Type: "integer"}}}
	case reflect.TypeFor[yaml.RawMessage]():
		return &jsonschema.Schema{} // Anything: an operator's own.
	}
	return nil
}

// fill writes the values of a struct into the schema of its fields as their defaults. Zero values are left out: they stand
// for what the description of the field says.
func fill(s *jsonschema.Schema, v reflect.Value) {
	if v.Kind() != reflect.Struct || s.Properties == nil {
		return
	}
	for i := range v.NumField() {
		key, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		field, ok := s.Properties.Get(key)
		if !ok || v.Field(i).IsZero() {
			continue
		}
		switch value := v.Field(i).Interface().(type) {
		case time.Duration:
			field.Default = value.String()
		default:
			if v.Field(i).Kind() == reflect.Struct {
				fill(field, v.Field(i))
			} else {
				field.Default = value
			}
		}
	}
}
