package report

import (
	"fmt"
	"html/template"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"wavemill/models/training"
)

// Curve is one quantity over the steps of a training.
type Curve struct {
	Name  string
	Lines []Line
}

// Line is one series of a curve. Steps ascend; a value that is not finite is a gap.
type Line struct {
	Name   string // such as "training", "validation"
	Steps  []float64
	Values []float64
}

// Losses returns the losses of a training as curves, sorted by name. A prefix other than "" names the model in the name of
// each curve.
func Losses(prefix string, h training.History) []Curve {
	if prefix != "" {
		prefix += ": "
	}
	var out []Curve
	for _, name := range slices.Sorted(maps.Keys(h.Losses)) {
		c := Curve{Name: prefix + name, Lines: []Line{{Name: "training", Steps: h.Steps, Values: h.Losses[name]}}}
		if v := h.Val[name]; len(v) > 0 {
			c.Lines = append(c.Lines, Line{Name: "validation", Steps: h.Evals, Values: v})
		}
		out = append(out, c)
	}
	return out
}

// The chart's geometry in SVG units.
const (
	chartWidth, chartHeight = 460.0, 240.0
	plotLeft, plotRight     = 58.0, 12.0
	plotTop, plotBottom     = 12.0, 34.0
	chartTicks              = 5 // of each axis, at most about
)

// chart draws a curve as SVG, or nothing where it has no value. The vertical axis covers all values but the most extreme
// hundredth at either end, which are drawn at the edge: a spike would flatten the rest. Colours come from the page's style.
func chart(c Curve) template.HTML {
	var steps, values []float64
	for _, line := range c.Lines {
		for i, v := range line.Values {
			if finite(v) {
				steps, values = append(steps, line.Steps[i]), append(values, v)
			}
		}
	}
	if len(values) == 0 {
		return ""
	}
	right := max(slices.Max(steps), 1)
	low, high := middle(values)
	x := func(v float64) float64 { return plotLeft + v/right*(chartWidth-plotLeft-plotRight) }
	y := func(v float64) float64 {
		part := (min(max(v, low), high) - low) / (high - low)
		return chartHeight - plotBottom - part*(chartHeight-plotTop-plotBottom)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="chart" viewBox="0 0 %g %g" role="img" aria-label="%s over the steps of the training">`,
		chartWidth, chartHeight, template.HTMLEscapeString(c.Name))
	for _, tick := range ticks(low, high, chartTicks) {
		fmt.Fprintf(&b, `<line class="grid" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/><text x="%.1f" y="%.1f" text-anchor="end">%s</text>`,
			plotLeft, y(tick), chartWidth-plotRight, y(tick), plotLeft-6, y(tick)+3.5, number(tick))
	}
	for _, tick := range ticks(0, right, chartTicks) {
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="middle">%s</text>`, x(tick), chartHeight-plotBottom+16, number(tick))
	}
	fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="end">step</text>`, chartWidth-plotRight, chartHeight-3)
	for i, line := range c.Lines {
		points := make([]string, 0, len(line.Steps))
		for k, v := range line.Values {
			if finite(v) {
				points = append(points, fmt.Sprintf("%.1f,%.1f", x(line.Steps[k]), y(v)))
			}
		}
		fmt.Fprintf(&b, `<polyline class="line line%d" points="%s"/>`, i%4, strings.Join(points, " "))
	}
	b.WriteString("</svg>")
	// Everything in it is a number or escaped above.
	return template.HTML(b.String())
}

// middle returns a range that holds all values but the most extreme hundredth at either end, and is not empty.
func middle(x []float64) (low, high float64) {
	s := slices.Sorted(slices.Values(x))
	low, high = s[len(s)/100], s[len(s)-1-len(s)/100]
	if low == high {
		return low - 0.5, high + 0.5
	}
	return low, high
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
	first := math.Ceil(low / step)
	for i := range 2 * n { // bounded, for values so large that adding 1 changes nothing
		v := (first + float64(i)) * step
		if !(v <= high+step*1e-9) {
			break
		}
		out = append(out, v)
	}
	return out
}

// number prints an axis label: 0.05, 12, 12.5k.
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
