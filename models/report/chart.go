package report

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// Curve is one quantity over the steps of a training.
type Curve struct {
	Name  string
	Lines []Line
}

// Line is one series of a curve. The steps rise.
type Line struct {
	Name   string // "training", "validation"
	Steps  []float64
	Values []float64
}

// The chart's geometry in SVG units.
const (
	chartWidth, chartHeight = 460.0, 240.0
	plotLeft, plotRight     = 52.0, 12.0
	plotTop, plotBottom     = 12.0, 34.0
)

// chart draws a curve as SVG. Colours come from the page's style sheet, so that it is readable on light and on dark.
func chart(c Curve) template.HTML {
	x, y := newScale(), newScale()
	for _, line := range c.Lines {
		for i := range line.Steps {
			if finite(line.Values[i]) {
				x.cover(line.Steps[i])
				y.cover(line.Values[i])
			}
		}
	}
	if x.empty() {
		return ""
	}
	x.low = 0
	y.low = min(y.low, 0)
	y.stretch()
	atX := func(v float64) float64 { return plotLeft + x.part(v)*(chartWidth-plotLeft-plotRight) }
	atY := func(v float64) float64 {
		return chartHeight - plotBottom - y.part(v)*(chartHeight-plotTop-plotBottom)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="chart" viewBox="0 0 %g %g" role="img" aria-label="%s over the steps of the training">`,
		chartWidth, chartHeight, template.HTMLEscapeString(c.Name))
	for _, tick := range ticks(y.low, y.high, 5) {
		fmt.Fprintf(&b, `<line class="grid" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/><text x="%.1f" y="%.1f" text-anchor="end">%s</text>`,
			plotLeft, atY(tick), chartWidth-plotRight, atY(tick), plotLeft-6, atY(tick)+3.5, number(tick))
	}
	for _, tick := range ticks(x.low, x.high, 5) {
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="middle">%s</text>`, atX(tick), chartHeight-plotBottom+16, number(tick))
	}
	fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="end">step</text>`, chartWidth-plotRight, chartHeight-3)
	for i, line := range c.Lines {
		points := make([]string, 0, len(line.Steps))
		for j := range line.Steps {
			if finite(line.Values[j]) {
				points = append(points, fmt.Sprintf("%.1f,%.1f", atX(line.Steps[j]), atY(line.Values[j])))
			}
		}
		fmt.Fprintf(&b, `<polyline class="line line%d" points="%s"/>`, i%4, strings.Join(points, " "))
	}
	b.WriteString("</svg>")
	// Everything in it is a number or escaped above.
	return template.HTML(b.String())
}

type scale struct{ low, high float64 }

func newScale() *scale { return &scale{math.Inf(1), math.Inf(-1)} }

func (s *scale) cover(v float64) { s.low, s.high = min(s.low, v), max(s.high, v) }
func (s *scale) empty() bool     { return s.low > s.high }

// stretch leaves some room above, and gives a flat line some height.
func (s *scale) stretch() {
	if s.high == s.low {
		s.high = s.low + 1
	}
	s.high += 0.05 * (s.high - s.low)
}

func (s *scale) part(v float64) float64 {
	if s.high == s.low {
		return 0
	}
	return (v - s.low) / (s.high - s.low)
}

// ticks returns at most about n round values (1, 2 or 5 times a power of ten) between low and high.
func ticks(low, high float64, n int) []float64 {
	if high <= low {
		return []float64{low}
	}
	raw := (high - low) / float64(n)
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	step := 10 * power
	for _, m := range []float64{1, 2, 5} {
		if m*power >= raw {
			step = m * power
			break
		}
	}
	var out []float64
	for k := math.Ceil(low / step); k*step <= high+step*1e-9; k++ {
		out = append(out, k*step)
	}
	return out
}

// number prints an axis label: 0.05, 12, 1.5k.
func number(v float64) string {
	v = math.Round(v*1e9) / 1e9
	if v == 0 {
		return "0" // not -0
	}
	if math.Abs(v) >= 10000 {
		return strconv.FormatFloat(v/1000, 'g', 4, 64) + "k"
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
