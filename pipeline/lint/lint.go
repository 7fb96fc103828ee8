// Package lint finds the faults of a pipeline file before anything runs: fields that do not exist, values that do not fit,
// streams that nobody writes, models that nobody trains, numbers that do not go together. Each finding has its line and column.
//
// The configuration structs of the pipeline and of its operators are the one source of what a file may contain: the checks,
// the JSON Schema ([Schema]) and the decoding at run time are all derived from them.
package lint

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"wavemill/pipeline"
)

// Levels of findings.
const (
	Error   = "error"   // Error: the pipeline cannot run.
	Warning = "warning" // Warning: it can run, and probably not as intended.
)

// A Finding is one fault.
type Finding struct {
	File    string `json:"file"`
	Line    int    `json:"line"`   // Line and Column count from 1.
	Column  int    `json:"column"` //
	Level   string `json:"level"`
	Rule    string `json:"rule"` // Rule is the kind of fault, such as unknown-field.
	Message string `json:"message"`
}

// String is the finding in the form of compilers, FILE:LINE:COLUMN: LEVEL: MESSAGE.
func (f Finding) String() string {
	return fmt.Sprintf("%s:%d:%d: %s: %s (%s)", f.File, f.Line, f.Column, f.Level, f.Message, f.Rule)
}

// Failed reports whether one of the findings is an error.
func Failed(findings []Finding) bool {
	return slices.ContainsFunc(findings, func(f Finding) bool { return f.Level == Error })
}

// Check returns the findings about a pipeline file in the order of their lines. Name is the file's name in them.
func Check(name string, doc []byte, reg pipeline.Registry) []Finding {
	c := &checker{file: name, reg: reg}
	c.check(doc)
	slices.SortStableFunc(c.findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return c.findings
}

type checker struct {
	file     string
	reg      pipeline.Registry
	doc      document
	findings []Finding
}

func (c *checker) report(p place, level, rule, format string, args ...any) {
	f := Finding{c.file, max(p.line, 1), max(p.column, 1), level, rule, strings.TrimSpace(fmt.Sprintf(format, args...))}
	if !slices.Contains(c.findings, f) {
		c.findings = append(c.findings, f)
	}
}

func (c *checker) check(doc []byte) {
	if err := pipeline.CheckYAML(doc); err != nil {
		c.report(placeIn(doc, err), Error, "yaml", "%s", firstLine(err))
		return
	}
	var err error
	if c.doc, err = parse(doc); err != nil {
		c.report(placeIn(doc, err), Error, "yaml", "%s", firstLine(err))
		return
	}
	c.unknown(c.doc.root, Schema(c.reg, nil), "the pipeline file")
	c.configs()
	if Failed(c.findings) {
		return
	}
	var spec pipeline.Spec
	if err := decode(c.doc.root, &spec); err != nil {
		c.report(placeOf(err), Error, "value", "%s", messageOf(err))
		return
	}
	spec = spec.WithDefaults()
	for _, err := range flat(pipeline.Check(spec, c.reg)) {
		at, rule, text := c.locate(spec, err)
		c.report(at, Error, rule, "%s", text)
	}
	c.rules(spec)
}

// flat returns the errors that were joined.
func flat(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok && strings.Contains(err.Error(), "\n") {
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, flat(e)...)
		}
		return all
	}
	return []error{err}
}

// locate finds the place of a fault by how its message begins: operators[i] or operator NAME.
func (c *checker) locate(spec pipeline.Spec, err error) (at place, rule, text string) {
	text = strings.Join(strings.Fields(err.Error()), " ")
	rule = "value"
	switch {
	case strings.Contains(text, "form a cycle"), strings.Contains(text, "receive its own output"):
		rule = "cycle"
	case strings.Contains(text, "no operator writes"):
		rule = "dangling-stream"
	case strings.Contains(text, "there is no operator"):
		rule = "unknown-operator"
	}
	index := -1
	if m := regexp.MustCompile(`^operators\[(\d+)\]`).FindStringSubmatch(text); m != nil {
		index, _ = strconv.Atoi(m[1])
	} else if m := regexp.MustCompile(`operator ([a-z0-9][a-z0-9_-]*)[:,]`).FindStringSubmatch(text); m != nil {
		index = slices.Index(spec.OperatorNames(), m[1])
	} else if m := regexp.MustCompile(`: ([a-z0-9][a-z0-9_-]*) reads `).FindStringSubmatch(text); m != nil {
		index = slices.Index(spec.OperatorNames(), m[1])
	}
	stage := c.doc.operator(index)
	if stage == nil {
		return c.doc.mentioned(c.doc.root, text), rule, text
	}
	if rule == "dangling-stream" {
		return c.stage(index, "from"), rule, text
	}
	if config := value(stage, "config"); config != nil && strings.Contains(text, "configuration:") {
		return c.doc.mentioned(config, text), rule, text
	}
	return c.doc.mentioned(stage, text), rule, text
}

// firstLine is an error without the excerpt of the file that the parser adds.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return regexp.MustCompile(`^\[\d+:\d+\] `).ReplaceAllString(line, "")
}

// placeIn is the place that a parser's message begins with, [LINE:COLUMN].
func placeIn(_ []byte, err error) place {
	if p := placeOf(err); p.line > 0 {
		return p
	}
	if m := regexp.MustCompile(`\[(\d+):(\d+)\]`).FindStringSubmatch(err.Error()); m != nil {
		line, _ := strconv.Atoi(m[1])
		column, _ := strconv.Atoi(m[2])
		return place{line, column}
	}
	if m := regexp.MustCompile(`line (\d+)`).FindStringSubmatch(err.Error()); m != nil {
		line, _ := strconv.Atoi(m[1])
		return place{line, 1}
	}
	return place{1, 1}
}

// Join returns the findings that are errors as one error, or nil.
func Join(findings []Finding) error {
	var all []error
	for _, f := range findings {
		if f.Level == Error {
			all = append(all, fmt.Errorf("%s:%d:%d: %s", f.File, f.Line, f.Column, f.Message))
		}
	}
	return errors.Join(all...)
}
