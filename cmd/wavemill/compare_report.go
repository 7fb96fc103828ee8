package main

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"time"

	"wavemill/models/comparison"
	"wavemill/models/report"
)

// comparedReport is report.json: the figures of each model, and what follows from them.
type comparedReport struct {
	comparison.Report
	Verdict     comparison.Verdict `json:"verdict"`
	DataHash    string             `json:"data_hash"` // of the recordings' names, labels and sizes
	LabelSource string             `json:"label_source"`
	Budget      float64            `json:"budget_seconds"`
	Command     string             `json:"command"`
}

// The files of a comparison.
const (
	compareJSON = "report.json"
	compareHTML = "report.html"
)

// writeComparison writes both reports and prints the result.
func (a *app) writeComparison(o compareOptions, result comparedReport, e *comparison.Evaluation, candidates []*candidate) error {
	text, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(o.out, compareJSON), append(text, '\n')); err != nil {
		return err
	}
	page, err := report.Comparison(o.compared(result, e, candidates))
	if err != nil {
		return err
	}
	path := filepath.Join(o.out, compareHTML)
	if err := report.WriteFile(path, page); err != nil {
		return err
	}
	if o.asJSON {
		return a.printJSON(result)
	}
	if err := comparison.WriteTable(a.out, result.Report); err != nil {
		return err
	}
	// The table has the warnings already.
	cautions := slices.DeleteFunc(slices.Clone(result.Verdict.Cautions), func(s string) bool { return slices.Contains(result.Warnings, s) })
	for _, line := range slices.Concat([]string{"", result.Verdict.Headline}, result.Verdict.Reasons, cautions, []string{"", path}) {
		if err := a.say("%s", line); err != nil {
			return err
		}
	}
	return nil
}

// compared is what the page of a comparison shows.
func (o *compareOptions) compared(result comparedReport, e *comparison.Evaluation, candidates []*candidate) report.Compared {
	c := report.Compared{
		Report: result.Report, Verdict: result.Verdict, Data: e.Data(), Made: time.Now(), Command: result.Command,
		Facts: recordingFacts(evaluationData{hash: result.DataHash, labelSource: result.LabelSource}, o.seed),
	}
	for _, m := range candidates {
		c.Candidates, c.Histories = append(c.Candidates, &m.Candidate), append(c.Histories, m.training.History)
	}
	return c
}
