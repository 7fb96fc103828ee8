package picture

import (
	"image"
	"math"
	"strconv"
)

// A Tick is a labelled place on an axis, At in [0, 1] from its low end.
type Tick struct {
	At    float64
	Label string
}

// An Axis is the ticks of one side of a plot and what they count.
type Axis struct {
	Caption string
	Ticks   []Tick
}

// Linear makes an axis from low to high with round ticks, at most count of them.
func Linear(low, high float64, count int, caption string) Axis {
	a := Axis{Caption: caption}
	if !(high > low) || count < 1 {
		return a
	}
	step := niceStep((high - low) / float64(count))
	digits := max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	for i := math.Ceil(low/step - 1e-9); i*step <= high*(1+1e-12)+step*1e-9; i++ {
		v := i * step
		label := strconv.FormatFloat(v, 'f', digits, 64)
		if v == 0 {
			label = "0"
		}
		a.Ticks = append(a.Ticks, Tick{(v - low) / (high - low), label})
	}
	return a
}

// niceStep is the smallest of 1, 2 and 5 times a power of ten that is at least v.
func niceStep(v float64) float64 {
	p := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if m*p >= v*(1-1e-9) {
			return m * p
		}
	}
	return 10 * p
}

// Spacing of ticks in pixels, label and gap.
const (
	tickLength  = 5
	labelGap    = 4
	xTickPixels = 75
	yTickPixels = 36
)

// XTicks is how many ticks fit below a plot of a width in pixels.
func XTicks(width int) int { return max(1, width/xTickPixels) }

// YTicks is how many ticks fit beside a plot of a height in pixels.
func YTicks(height int) int { return max(1, height/yTickPixels) }

// bottom draws a below the plot r.
func (c *Canvas) bottom(r image.Rectangle, a Axis) {
	y := r.Max.Y + tickLength + labelGap
	for _, t := range a.Ticks {
		x := r.Min.X + int(t.At*float64(r.Dx()-1)+0.5)
		c.fill(image.Rect(x, r.Max.Y+1, x+1, r.Max.Y+1+tickLength), ink)
		w := textWidth(t.Label)
		left := min(max(0, x-w/2), c.img.Rect.Max.X-w)
		c.text(left, y, t.Label, ink)
	}
	c.text(r.Min.X+(r.Dx()-textWidth(a.Caption))/2, y+lineHeight+textScale, a.Caption, grey)
}

// left draws a on the left of the plot r, its caption above.
func (c *Canvas) left(r image.Rectangle, a Axis) {
	last := math.MaxInt
	for _, t := range a.Ticks {
		y := r.Max.Y - 1 - int(t.At*float64(r.Dy()-1)+0.5)
		c.fill(image.Rect(r.Min.X-1-tickLength, y, r.Min.X-1, y+1), ink)
		top := y - textHeight/2
		if top+textHeight >= last { // would run into the one below
			continue
		}
		last = top
		c.text(r.Min.X-1-tickLength-labelGap-textWidth(t.Label), top, t.Label, ink)
	}
	c.text(max(0, r.Min.X-1-tickLength-labelGap-textWidth(a.Caption)), r.Min.Y-lineHeight-textHeight/2, a.Caption, grey)
}

// right draws a on the right of the plot r, its caption above.
func (c *Canvas) right(r image.Rectangle, a Axis) {
	for _, t := range a.Ticks {
		y := r.Max.Y - 1 - int(t.At*float64(r.Dy()-1)+0.5)
		c.fill(image.Rect(r.Max.X+1, y, r.Max.X+1+tickLength, y+1), ink)
		c.text(r.Max.X+1+tickLength+labelGap, y-textHeight/2, t.Label, ink)
	}
	c.text(r.Min.X, r.Min.Y-lineHeight-textHeight/2, a.Caption, grey)
}

// frame draws a line around r.
func (c *Canvas) frame(r image.Rectangle) {
	c.fill(image.Rect(r.Min.X-1, r.Min.Y-1, r.Max.X+1, r.Min.Y), ink)
	c.fill(image.Rect(r.Min.X-1, r.Max.Y, r.Max.X+1, r.Max.Y+1), ink)
	c.fill(image.Rect(r.Min.X-1, r.Min.Y, r.Min.X, r.Max.Y), ink)
	c.fill(image.Rect(r.Max.X, r.Min.Y, r.Max.X+1, r.Max.Y), ink)
}
