package report

import (
	"bytes"
	_ "embed" // the template, style and script
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"time"

	"wavemill/internal/atomicfile"
	"wavemill/internal/text"
	"wavemill/models/comparison"
	"wavemill/models/training"
)

// Page is everything that a report shows. Empty parts are left out of the file.
type Page struct {
	Title   string
	Summary string    // one or two sentences below the title
	Made    time.Time // when the report was written; the zero value is left out
	Verdict *comparison.Verdict
	// Warnings are shown at the top: why figures are not to be trusted.
	Warnings []string
	Tiles    []Tile   // the most important figures, side by side
	Figures  *Figures // the tables of a comparison
	Labels   []Label
	// SoundsHint explains the sounds of Labels.
	SoundsHint string
	Curves     []Curve
	Confusions []Confusion
	HeldOut    []training.HeldOut // recordings that the figures were measured on
	Letters    []Letter           // recordings that could not be used
	Notes      []string           // what was done to the recordings
	Facts      []Fact             // seeds, digests, settings
	Timings    []Timing
	Command    string // command line that repeats the run
	Next       []Fact // commands to try next: purpose, command
}

// Tile is one figure in large type.
type Tile struct {
	Value, Name, Detail string
	Good, Bad           bool // colour; at most one of them
}

// Label holds the sounds of one label.
type Label struct {
	Name   string
	Scores []string // figures beside the name
	Sides  []Side
}

// Side is one source of sounds: recordings, or a model.
type Side struct {
	Name      string
	Generated bool
	Clips     []Clip
}

// Clip is a sound and, for a generated one, the training recording that is nearest to it; nil where it is not known.
type Clip struct {
	Sound
	Nearest *Sound
}

// Letter is a message that an operator rejected, with the reason.
type Letter struct{ Name, Reason string }

// Fact is a name and a value.
type Fact struct{ Name, Value string }

// Timing is how long one stage took.
type Timing struct {
	Stage  string
	Took   time.Duration
	Detail string
}

//go:embed page.html
var pageTemplate string

//go:embed page.css
var pageStyle string

//go:embed page.js
var pageScript string

// heldOutShown is the number of held-out recordings that a page names. The size of the list is always shown.
const heldOutShown = 200

// Write writes a page as HTML. It changes nothing in p.
func Write(w io.Writer, p Page) error {
	t, err := template.New("page").Funcs(template.FuncMap{
		"png":     func(b []byte) template.URL { return dataURI("image/png", b) },
		"wav":     func(b []byte) template.URL { return dataURI("audio/wav", b) },
		"css":     func() template.CSS { return template.CSS(pageStyle) },
		"js":      func() template.JS { return template.JS(pageScript) },
		"chart":   chart,
		"seconds": func(d time.Duration) string { return text.RoundDuration(d).String() },
		"shade":   shade,
		"width":   width,
		"first": func(list []training.HeldOut) []training.HeldOut {
			return list[:min(len(list), heldOutShown)]
		},
		"rest": func(list []training.HeldOut) int { return len(list) - min(len(list), heldOutShown) },
	}).Parse(pageTemplate)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if err := t.Execute(w, p); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// dataURI embeds b in the page. b is made by this package and has a fixed type, so that it is safe to embed.
func dataURI(mime string, b []byte) template.URL {
	return template.URL("data:" + mime + ";base64," + base64.StdEncoding.EncodeToString(b))
}

// width is the length of a stage's bar in per cent of the longest one, as CSS takes it.
func width(part time.Duration, timings []Timing) string {
	var longest time.Duration
	for _, t := range timings {
		longest = max(longest, t.Took)
	}
	if longest == 0 {
		return "0"
	}
	return strconv.FormatFloat(100*float64(part)/float64(longest), 'f', 1, 64)
}

// shade is the share of a cell in its row of a confusion table, 0 to 1, as CSS takes it.
func shade(n int, row []int) string {
	return strconv.FormatFloat(float64(n)/float64(max(1, total(row))), 'f', 3, 64)
}

// total is the sum of a row.
func total(row []int) int {
	n := 0
	for _, v := range row {
		n += v
	}
	return n
}

// WriteFile writes a page as an HTML file, whole or not at all.
func WriteFile(path string, p Page) error {
	var html bytes.Buffer
	if err := Write(&html, p); err != nil {
		return err
	}
	return atomicfile.Write(path, html.Bytes(), atomicfile.Options{NoSync: true})
}
