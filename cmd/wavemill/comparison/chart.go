package comparison

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"

	"wavemill/cmd/wavemill/report"
)

// The chart's geometry in SVG units.
const (
	chartWidth, chartHeight = 380.0, 190.0
	plotLeft, plotBottom    = 58.0, 24.0
	plotMargin              = 8.0
)

// chart draws one loss over the steps as SVG, or nothing where there is nothing to draw. Spikes beyond the 99 % range
// are cut off, so that the course is visible.
func chart(c report.Curve) template.HTML {
	var steps, values []float64
	for _, line := range c.Lines {
		for i, v := range line.Values {
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				steps, values = append(steps, line.Steps[i]), append(values, v)
			}
		}
	}
	if len(values) < 2 {
		return ""
	}
	right := maxOf(steps)
	low, high := middle(values)
	x := func(v float64) float64 { return plotLeft + v/max(right, 1)*(chartWidth-plotLeft-plotMargin) }
	y := func(v float64) float64 {
		part := (min(max(v, low), high) - low) / (high - low)
		return chartHeight - plotBottom - part*(chartHeight-plotBottom-plotMargin)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="chart" viewBox="0 0 %g %g" role="img" aria-label="%s over steps">`, chartWidth, chartHeight, template.HTMLEscapeString(c.Name))
	for i := range 4 {
		v := low + float64(i)/3*(high-low)
		fmt.Fprintf(&b, `<line class="grid" x1="%g" y1="%.1f" x2="%g" y2="%.1f"/><text x="%g" y="%.1f" text-anchor="end">%s</text>`,
			plotLeft, y(v), chartWidth-plotMargin, y(v), plotLeft-6, y(v)+4, strconv.FormatFloat(v, 'g', 3, 64))
	}
	fmt.Fprintf(&b, `<text x="%g" y="%g" text-anchor="end">step %.0f</text>`, chartWidth-plotMargin, chartHeight-6, right)
	for i, line := range c.Lines {
		var points []string
		for k, v := range line.Values {
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				points = append(points, fmt.Sprintf("%.1f,%.1f", x(line.Steps[k]), y(v)))
			}
		}
		fmt.Fprintf(&b, `<polyline class="line line%d" points="%s"/>`, i%2, strings.Join(points, " "))
	}
	b.WriteString("</svg>")
	// Everything in it is a number or escaped above.
	return template.HTML(b.String())
}

func maxOf(x []float64) float64 {
	m := math.Inf(-1)
	for _, v := range x {
		m = max(m, v)
	}
	return m
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
