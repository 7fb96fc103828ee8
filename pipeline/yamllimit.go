package pipeline

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// The limits of a YAML document. A pipeline file has some hundred values; without limits, a kilobyte of nested aliases
// stands for any number, and the parser takes gigabytes for deep nesting.
const (
	maxYAMLBytes  = 1 << 20
	maxYAMLDepth  = 64    // Of nested mappings and sequences.
	maxYAMLValues = 10000 // With every alias replaced by what it stands for.
)

// checkYAML refuses a document beyond the limits. It reports nothing about documents that are wrong otherwise: decoding
// them does.
func checkYAML(doc []byte) error {
	if len(doc) > maxYAMLBytes {
		return fmt.Errorf("the YAML has %d bytes; at most %d are read", len(doc), maxYAMLBytes)
	}
	if err := checkNesting(lexer.Tokenize(string(doc))); err != nil {
		return err
	}
	file, err := parser.ParseBytes(doc, 0)
	if err != nil {
		return errors.New(yaml.FormatError(err, false, true))
	}
	e := expansion{anchors: map[string]int{}}
	total := 0
	for _, d := range file.Docs {
		total += e.size(d.Body)
	}
	if e.loop != "" {
		return fmt.Errorf("the YAML alias *%s is within its own anchor", e.loop)
	}
	if total > maxYAMLValues {
		return fmt.Errorf("the YAML has more than %d values when its aliases are replaced by what they stand for", maxYAMLValues)
	}
	return nil
}

// checkNesting bounds how deep the parser recurses: by brackets, by indentation, and by markers that follow each other on
// one line, such as "- - -".
func checkNesting(tokens token.Tokens) error {
	var indents []int // Columns of the lines that the current one lies below.
	line, flow, markers := 0, 0, 0
	for _, t := range tokens {
		if flow == 0 && t.Position.Line != line {
			line, markers = t.Position.Line, 0
			for len(indents) > 0 && indents[len(indents)-1] >= t.Position.Column {
				indents = indents[:len(indents)-1]
			}
			indents = append(indents, t.Position.Column)
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow = max(0, flow-1)
		case token.SequenceEntryType, token.MappingKeyType, token.AnchorType, token.TagType:
			markers++
		}
		if flow == 0 && len(indents)+markers > maxYAMLDepth || flow > maxYAMLDepth {
			return fmt.Errorf("line %d: the YAML is nested more than %d deep", t.Position.Line, maxYAMLDepth)
		}
	}
	return nil
}

// expansion counts values with aliases replaced.
type expansion struct {
	anchors map[string]int // Values of each anchor that is complete; 0 while it is open.
	loop    string         // An alias within its own anchor.
}

// size is the number of values in a node, or a number above maxYAMLValues where there are more.
func (e *expansion) size(n ast.Node) int {
	total := 1
	add := func(nodes ...ast.Node) {
		for _, n := range nodes {
			total = min(total+e.size(n), maxYAMLValues+1)
		}
	}
	switch n := n.(type) {
	case nil:
		return 0
	case *ast.AnchorNode:
		name := n.Name.GetToken().Value
		e.anchors[name] = 0
		add(n.Value)
		e.anchors[name] = total
	case *ast.AliasNode:
		name := n.Value.GetToken().Value
		size, known := e.anchors[name]
		if known && size == 0 {
			e.loop = name
		}
		total += size
	case *ast.MappingNode:
		for _, v := range n.Values {
			add(v)
		}
	case *ast.MappingValueNode:
		add(n.Key, n.Value)
	case *ast.MappingKeyNode:
		add(n.Value)
	case *ast.SequenceNode:
		add(n.Values...)
	case *ast.TagNode:
		add(n.Value)
	}
	return min(total, maxYAMLValues+1)
}
