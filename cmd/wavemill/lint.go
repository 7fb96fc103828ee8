package main

import (
	_ "embed" // For the descriptions of fields.
	"encoding/json"
	"fmt"
	"os"

	"github.com/invopop/jsonschema"
	"github.com/spf13/cobra"

	"wavemill/pipeline/lint"
)

// fieldDocs are the comments of the configuration structs' fields, which a test writes from their source (-update).
//
//go:embed fields.json
var fieldDocs []byte

func newLint(a *app) *cobra.Command {
	var files []string
	var asJSON, schema bool
	cmd := &cobra.Command{
		Use:   "lint [-f] FILE...",
		Short: "Find the faults of pipeline files",
		Long: `Lint finds faults of pipeline files before anything runs, each with its line and
column: fields that do not exist, values that do not fit, streams that nobody
writes, cycles of operators, a generate stage whose model no stage trains, durations
and sizes that contradict each other. The commands up and operator also refuse a
file with errors; they log warnings.

The exit code is 1 if there is an error. With --schema it prints the JSON Schema of
pipeline files instead, for editors and for tools that write them.`,
		Example: `  wavemill lint pipeline.yaml
  wavemill lint -f pipeline.yaml --json
  wavemill lint --schema > pipeline.schema.json`,
		Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			files = append(files, args...)
			switch {
			case schema && len(files) > 0:
				return usagef("--schema takes no file")
			case schema:
				return a.printSchema()
			case len(files) == 0:
				return usagef("lint needs a pipeline file, or --schema")
			}
			return a.lint(files, asJSON)
		},
	}
	f := cmd.Flags()
	f.StringArrayVarP(&files, "file", "f", nil, "pipeline file (YAML); more than one may be given")
	f.BoolVar(&asJSON, "json", false, "print the findings as one line of JSON")
	f.BoolVar(&schema, "schema", false, "print the JSON Schema of pipeline files")
	return cmd
}

// lintReport is what lint --json prints.
type lintReport struct {
	Files    int            `json:"files"`
	Errors   int            `json:"errors"`
	Warnings int            `json:"warnings"`
	Findings []lint.Finding `json:"findings"`
}

func (a *app) lint(files []string, asJSON bool) error {
	report := lintReport{Files: len(files), Findings: []lint.Finding{}}
	for _, file := range files {
		findings, err := lintFile(file)
		if err != nil {
			return err
		}
		report.Findings = append(report.Findings, findings...)
	}
	for _, f := range report.Findings {
		if f.Level == lint.Error {
			report.Errors++
		} else {
			report.Warnings++
		}
		if !asJSON {
			if err := a.say("%s", f); err != nil {
				return err
			}
		}
	}
	if asJSON {
		if err := a.printJSON(report); err != nil {
			return err
		}
	}
	if report.Errors > 0 {
		return fmt.Errorf("%d errors and %d warnings in %d files", report.Errors, report.Warnings, report.Files)
	}
	a.note("%d files, no errors, %d warnings", report.Files, report.Warnings)
	return nil
}

// lintFile checks one file for the operators of this binary.
func lintFile(file string) ([]lint.Finding, error) {
	doc, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return lint.Check(file, doc, operators(hooks{})), nil
}

// checkFile refuses a pipeline file with errors, and logs its warnings.
func (a *app) checkFile(file string) error {
	findings, err := lintFile(file)
	if err != nil {
		return err
	}
	for _, f := range findings {
		if f.Level != lint.Error {
			a.log.Warn(f.Message, "file", f.File, "line", f.Line, "column", f.Column, "rule", f.Rule)
		}
	}
	return lint.Join(findings)
}

// pipelineSchema is the JSON Schema of pipeline files for the operators of this binary.
func pipelineSchema() (*jsonschema.Schema, error) {
	var docs map[string]string
	if err := json.Unmarshal(fieldDocs, &docs); err != nil {
		return nil, fmt.Errorf("descriptions of fields: %w", err)
	}
	return lint.Schema(operators(hooks{}), docs), nil
}

func (a *app) printSchema() error {
	s, err := pipelineSchema()
	if err != nil {
		return err
	}
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(s)
}
