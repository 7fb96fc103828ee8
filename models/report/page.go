// Package report writes what a run found out as one HTML file: pictures, sounds and curves are part of it, so that it
// opens from disk, can be mailed, and asks no other machine for anything.
package report

import (
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"time"

	"wavemill/internal/atomicfile"
)

// Page is everything a report shows. Empty parts are left out of the file.
type Page struct {
	Title   string
	Summary string    // one or two sentences below the title
	Made    time.Time // when; the zero value is left out
	Tiles   []Tile    // the figures that matter most, side by side
	Labels  []Label   // what there is to hear
	Curves  []Curve
	Heard   Confusion // what the classifier heard in the generated clips
	Letters []Letter  // what could not be used
	Notes   []string  // what was done to the data that the reader should know of
	Facts   []Fact    // seeds, digests, settings
	Timings []Timing
	Command string // how to make it again
	Next    []Fact // what to try next: why, command
}

// Tile is one figure in large type.
type Tile struct {
	Value, Name, Detail string
	Good, Bad           bool // colours it; at most one
}

// Label is one label's sounds.
type Label struct {
	Name      string
	Real      []Sound
	Made      []Sound
	MadeRight int // how many generated clips the classifier heard as this label
	MadeTotal int
	RealRight int // the same for held-out real clips
	RealTotal int
}

// Sound is a clip with its picture.
type Sound struct {
	Name    string // below the picture
	Detail  string // smaller, below the name
	WAV     []byte
	PNG     []byte
	Doubted bool // marks a clip in which the classifier heard another label
}

// Letter is one message that was put aside, with the reason.
type Letter struct{ Name, Reason string }

// Fact is a name and a value.
type Fact struct{ Name, Value string }

// Timing is how long one stage took.
type Timing struct {
	Stage  string
	Took   time.Duration
	Detail string
}

// Confusion counts, for every wanted label (row), what was heard (column).
type Confusion struct {
	Labels []string
	Counts [][]int // [wanted][heard]
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
		"png":      func(b []byte) template.URL { return dataURI("image/png", b) },
		"wav":      func(b []byte) template.URL { return dataURI("audio/wav", b) },
		"css":      func() template.CSS { return template.CSS(pageStyle) },
		"js":       func() template.JS { return template.JS(pageScript) },
		"chart":    chart,
		"percent":  percent,
		"seconds":  seconds,
		"shade":    shade,
		"rowTotal": rowTotal,
		"share":    func(part time.Duration, timings []Timing) string { return share(part, timings) },
		"inc":      func(i int) int { return i + 1 },
	}).Parse(pageTemplate)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if err := t.Execute(w, p); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// WriteFile writes the page to a file, all of it or none.
func WriteFile(path string, p Page) error {
	f, err := atomicfile.Create(path, atomicfile.Options{})
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	defer f.Discard()
	if err := Write(f, p); err != nil {
		return err
	}
	if err := f.Commit(); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// dataURI carries b inside the page. It is the package's own bytes under a fixed type, hence safe to embed.
func dataURI(mime string, b []byte) template.URL {
	return template.URL("data:" + mime + ";base64," + base64.StdEncoding.EncodeToString(b))
}

// percent prints part of whole; a dash where there is no whole.
func percent(part, whole int) string {
	if whole == 0 {
		return "–"
	}
	return strconv.FormatFloat(100*float64(part)/float64(whole), 'f', 0, 64) + " %"
}

func seconds(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// share is a stage's part of the whole time, as a CSS width.
func share(part time.Duration, timings []Timing) string {
	var longest time.Duration
	for _, t := range timings {
		longest = max(longest, t.Took)
	}
	if longest == 0 {
		return "0"
	}
	return strconv.FormatFloat(100*float64(part)/float64(longest), 'f', 1, 64)
}

func rowTotal(row []int) int {
	n := 0
	for _, v := range row {
		n += v
	}
	return n
}

// shade is how dark a cell of the confusion table is, 0 to 1 as CSS wants it.
func shade(n int, row []int) string {
	total := rowTotal(row)
	if total == 0 {
		return "0"
	}
	return strconv.FormatFloat(float64(n)/float64(total), 'f', 3, 64)
}
