package comparison

import (
	"fmt"
	"io"
	"slices"
)

// A Document is the result of a comparison as `wavemill compare` writes it to report.json: the figures of each model, and
// what follows from them.
type Document struct {
	Report
	Verdict     Verdict `json:"verdict"`
	DataHash    string  `json:"data_hash"` // of the recordings' names, labels and sizes
	LabelSource string  `json:"label_source"`
	Budget      float64 `json:"budget_seconds"`
	Command     string  `json:"command"`
}

// Write writes the document for a person: the table, and below it the verdict with its reasons and cautions.
func (d Document) Write(w io.Writer) error {
	if err := WriteTable(w, d.Report); err != nil {
		return err
	}
	// The table has the warnings already.
	cautions := slices.DeleteFunc(slices.Clone(d.Verdict.Cautions), func(s string) bool { return slices.Contains(d.Warnings, s) })
	for _, line := range slices.Concat([]string{"", d.Verdict.Headline}, d.Verdict.Reasons, cautions) {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}
