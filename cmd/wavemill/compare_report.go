package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	page "wavemill/cmd/wavemill/comparison"
	"wavemill/cmd/wavemill/report"
	"wavemill/models/comparison"
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
	html, err := comparisonPage(o, result, e, candidates)
	if err != nil {
		return err
	}
	path := filepath.Join(o.out, compareHTML)
	if err := writeFile(path, html); err != nil {
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

// comparisonPage is report.html.
func comparisonPage(o compareOptions, result comparedReport, e *comparison.Evaluation, candidates []*candidate) ([]byte, error) {
	labels, err := comparedLabels(result.Report.Report, e.Data(), candidates)
	if err != nil {
		return nil, err
	}
	figures := result.Report.Report
	p := page.Page{
		Title: fmt.Sprintf("%d models, %d recordings, one verdict", len(candidates), figures.TrainClips+figures.HeldOut),
		Made:  time.Now(), Verdict: result.Verdict, Report: figures, Labels: labels, Command: result.Command,
		Facts: []report.Fact{
			{Name: "recordings", Value: fmt.Sprintf("%d to learn from, %d held out, %d labels (%s)", figures.TrainClips, figures.HeldOut, len(figures.Labels), result.LabelSource)},
			{Name: "data", Value: result.DataHash},
			{Name: "seed", Value: strconv.FormatUint(o.seed, 10)},
		},
	}
	for _, c := range candidates {
		p.Curves = append(p.Curves, lossCurves(c.Name, c.training.History)...)
		p.Facts = append(p.Facts, report.Fact{Name: c.Name, Value: fmt.Sprintf("%s, %d steps, digest %s, %s", c.Checkpoint.Arch, c.Checkpoint.Step, c.Row.Training.Digest[:12], c.File)})
	}
	var html bytes.Buffer
	if err := page.Write(&html, p); err != nil {
		return nil, err
	}
	return html.Bytes(), nil
}
