// Package comparison writes what `wavemill compare` found out as one HTML file: a verdict in plain words, the table it
// rests on, curves, and sounds side by side with their pictures and the training clips nearest to them. It opens from
// disk and asks no other machine for anything.
package comparison

import (
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"time"

	"wavemill/cmd/wavemill/report"
	results "wavemill/models/comparison"
	"wavemill/models/eval"
)

// Page is everything that is shown. Empty parts are left out.
type Page struct {
	Title   string
	Made    time.Time
	Verdict results.Verdict
	Report  eval.Report
	Curves  []report.Curve // named "MODEL: LOSS"
	Labels  []Label
	Facts   []report.Fact
	Command string // that makes it again
}

// Label is what there is to hear of one label.
type Label struct {
	Name   string
	Real   []report.Sound
	Models []Sounds // in the order of the report's models
}

// Sounds are one model's.
type Sounds struct {
	Model string
	Clips []Clip
}

// Clip is a generated clip beside the training clip that it is nearest to.
type Clip struct {
	report.Sound
	Nearest report.Sound
}

//go:embed page.html
var pageTemplate string

//go:embed page.css
var pageStyle string

//go:embed page.js
var pageScript string

// Write writes the page to w.
func Write(w io.Writer, p Page) error {
	t, err := template.New("page").Funcs(template.FuncMap{
		"png":     func(b []byte) template.URL { return dataURI("image/png", b) },
		"wav":     func(b []byte) template.URL { return dataURI("audio/wav", b) },
		"css":     func() template.CSS { return template.CSS(pageStyle) },
		"js":      func() template.JS { return template.JS(pageScript) },
		"chart":   chart,
		"columns": results.Columns,
		"shade":   shade,
		"percent": func(v float64) string { return strconv.FormatFloat(100*v, 'f', 1, 64) + " %" },
		"models":  func(r eval.Report) []eval.Row { return ofKind(r, "model") },
		"gain": func(g eval.Gain) string {
			if i, ok := g.Intervals["gain_points"]; ok {
				return fmt.Sprintf("%+.1f [%+.1f, %+.1f]", g.Points, i[0], i[1])
			}
			return fmt.Sprintf("%+.1f", g.Points)
		},
	}).Parse(pageTemplate)
	if err != nil {
		return fmt.Errorf("comparison: %w", err)
	}
	if err := t.Execute(w, p); err != nil {
		return fmt.Errorf("comparison: %w", err)
	}
	return nil
}

// dataURI carries b inside the page. It is the program's own bytes under a fixed type, hence safe to embed.
func dataURI(mime string, b []byte) template.URL {
	return template.URL("data:" + mime + ";base64," + base64.StdEncoding.EncodeToString(b))
}

// shade is how dark a cell of a confusion table is, 0 to 1 as CSS wants it.
func shade(n int, row []int) string {
	total := 0
	for _, v := range row {
		total += v
	}
	return strconv.FormatFloat(float64(n)/float64(max(total, 1)), 'f', 3, 64)
}

// ofKind returns the rows of a kind, in order.
func ofKind(r eval.Report, kind string) []eval.Row {
	var rows []eval.Row
	for _, row := range r.Rows {
		if row.Kind == kind {
			rows = append(rows, row)
		}
	}
	return rows
}
