package lint

import (
	"errors"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// place is a position in the file, from 1.
type place struct{ line, column int }

// document is a parsed pipeline file.
type document struct {
	root    ast.Node // Nil: the file is empty.
	anchors map[string]ast.Node
}

// parse parses the first document of a file that is within the limits.
func parse(doc []byte) (document, error) {
	file, err := parser.ParseBytes(doc, 0)
	if err != nil {
		return document{}, err
	}
	d := document{anchors: map[string]ast.Node{}}
	for _, part := range file.Docs {
		if part.Body == nil {
			continue
		}
		if d.root == nil {
			d.root = part.Body
		}
		ast.Walk(d, part.Body)
	}
	return d, nil
}

// Visit implements ast.Visitor: it collects the anchors.
func (d document) Visit(n ast.Node) ast.Visitor {
	if a, ok := n.(*ast.AnchorNode); ok {
		d.anchors[a.Name.GetToken().Value] = a.Value
	}
	return d
}

// resolve returns what stands for a node: the content of an anchor, a tag or an alias.
func (d document) resolve(n ast.Node) ast.Node {
	for range 100 { // Anchors do not contain themselves; the limits have been checked.
		switch x := n.(type) {
		case *ast.AnchorNode:
			n = x.Value
		case *ast.TagNode:
			n = x.Value
		case *ast.AliasNode:
			n = d.anchors[x.Value.GetToken().Value]
		default:
			return n
		}
	}
	return nil
}

// pairs returns the entries of a mapping; nil for another node.
func pairs(n ast.Node) []*ast.MappingValueNode {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	}
	return nil
}

// value returns the value of a key in a mapping, or nil.
func value(n ast.Node, key string) ast.Node {
	for _, p := range pairs(n) {
		if name(p) == key {
			return p.Value
		}
	}
	return nil
}

// name is the key of an entry as text.
func name(p *ast.MappingValueNode) string { return p.Key.GetToken().Value }

// at is the place of a node.
func at(n ast.Node) place {
	if n == nil || n.GetToken() == nil {
		return place{1, 1}
	}
	return placeOfToken(n.GetToken())
}

func placeOfToken(t *token.Token) place { return place{t.Position.Line, t.Position.Column} }

// operators returns the entries of the list of operators.
func (d document) operators() []ast.Node {
	list, ok := d.resolve(value(d.root, "operators")).(*ast.SequenceNode)
	if !ok {
		return nil
	}
	var all []ast.Node
	for _, n := range list.Values {
		all = append(all, d.resolve(n))
	}
	return all
}

// operator returns one of them, or nil.
func (d document) operator(i int) ast.Node {
	if all := d.operators(); i >= 0 && i < len(all) {
		return all[i]
	}
	return nil
}

// mentioned is the place of the key of a mapping that a message mentions first; without one, of the mapping. A key within a
// mapping of the mapping counts more than one of the mapping.
func (d document) mentioned(n ast.Node, message string) place {
	best, deepest, found := -1, 0, at(n)
	if all := pairs(d.resolve(n)); len(all) > 0 {
		found = at(all[0].Key)
	}
	var visit func(n ast.Node, depth int)
	visit = func(n ast.Node, depth int) {
		for _, p := range pairs(d.resolve(n)) {
			where := regexp.MustCompile(`\b` + regexp.QuoteMeta(name(p)) + `\b`).FindStringIndex(message)
			common := name(p) == "operators" || name(p) == "operator" || name(p) == "name" // Every message has these words.
			if where != nil && !common && (best < 0 || depth > deepest || depth == deepest && where[0] < best) {
				best, deepest, found = where[0], depth, at(p.Key)
			}
			if depth < 2 && name(p) != "operators" && name(p) != "config" {
				visit(p.Value, depth+1)
			}
		}
	}
	visit(n, 0)
	return found
}

// decode decodes a node strictly.
func decode(n ast.Node, v any) error {
	if n == nil {
		return nil
	}
	return yaml.NodeToValue(n, v, yaml.Strict(), yaml.DisallowUnknownField())
}

// positioned is an error of the YAML library.
type positioned interface {
	GetToken() *token.Token
	GetMessage() string
}

func placeOf(err error) place {
	var p positioned
	if errors.As(err, &p) && p.GetToken() != nil {
		return placeOfToken(p.GetToken())
	}
	return place{}
}

func messageOf(err error) string {
	var p positioned
	if errors.As(err, &p) {
		return regexp.MustCompile(`cannot unmarshal (\S+) into Go struct field \S+ of type (\S+)`).
			ReplaceAllString(strings.TrimSpace(p.GetMessage()), "a value of type $2 is needed here, not $1")
	}
	return firstLine(err)
}
