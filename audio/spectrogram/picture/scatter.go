package picture

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"math"
	"strconv"
)

// A Scatter is points of several kinds on a plane.
type Scatter struct {
	Width, Height int // pixels of the plane
	Title         string
	Note          string   // one line below the title
	X, Y          string   // captions of the axes
	Kinds         []string // names, for the legend; at most 200
}

// A Mark is a point of a Scatter.
type Mark struct {
	X, Y float64
	Kind int // index into Kinds
}

// maxKinds leaves room for the other colours of a palette.
const maxKinds = 200

// Write draws the points as PNG, those of later kinds over those of earlier ones, with a legend on the right. Kinds
// differ in colour and, every ten, in shape.
func (s Scatter) Write(w io.Writer, marks []Mark) error {
	if err := s.check(marks); err != nil {
		return err
	}
	low, high := s.bounds(marks)
	legend := 0
	for i, name := range s.Kinds {
		legend = max(legend, textWidth(s.entry(i, name, marks)))
	}
	legend = min(legend, s.Width)
	head := marginTop + lineHeight
	height := head + max(s.Height, len(s.Kinds)*legendLine) + marginBottom
	c := &Canvas{img: image.NewPaletted(image.Rect(0, 0, marginLeft+s.Width+3*marginPlain+legend+marginPlain, height), kindPalette(len(s.Kinds)))}
	r := image.Rect(marginLeft, head, marginLeft+s.Width, head+s.Height)
	c.frame(r)
	c.bottom(r, Linear(low.X, high.X, XTicks(s.Width), s.X))
	c.left(r, Linear(low.Y, high.Y, YTicks(s.Height), s.Y))
	c.text(marginPlain, labelGap, clipText(s.Title, c.img.Rect.Dx()-2*marginPlain), ink)
	c.text(marginPlain, labelGap+lineHeight, clipText(s.Note, c.img.Rect.Dx()-2*marginPlain), grey)
	for kind, name := range s.Kinds {
		for _, m := range marks {
			if m.Kind == kind {
				x := r.Min.X + int((m.X-low.X)/(high.X-low.X)*float64(s.Width-1)+0.5)
				y := r.Max.Y - 1 - int((m.Y-low.Y)/(high.Y-low.Y)*float64(s.Height-1)+0.5)
				c.mark(x, y, kind)
			}
		}
		top := r.Min.Y + kind*legendLine
		c.mark(r.Max.X+marginPlain+markRadius, top+textHeight/2, kind)
		c.text(r.Max.X+2*marginPlain+markRadius, top, clipText(s.entry(kind, name, marks), legend), ink)
	}
	return c.Encode(w)
}

// legendLine is the height of a line of the legend.
const legendLine = lineHeight + 2*textScale

func (s Scatter) check(marks []Mark) error {
	if s.Width < 2 || s.Height < 2 || s.Width > maxSide/2 || s.Height > maxSide/2 {
		return fmt.Errorf("picture: a scatter of %d by %d pixels; sides are 2 to %d", s.Width, s.Height, maxSide/2)
	}
	if len(s.Kinds) > maxKinds {
		return fmt.Errorf("picture: a scatter of %d kinds; at most %d have a colour", len(s.Kinds), maxKinds)
	}
	if len(marks) == 0 {
		return errors.New("picture: a scatter without points")
	}
	for i, m := range marks {
		if m.Kind < 0 || m.Kind >= len(s.Kinds) {
			return fmt.Errorf("picture: point %d is of kind %d of %d", i, m.Kind, len(s.Kinds))
		}
		if math.IsNaN(m.X+m.Y) || math.IsInf(m.X+m.Y, 0) {
			return fmt.Errorf("picture: point %d lies at %g, %g", i, m.X, m.Y)
		}
	}
	return nil
}

// entry is a kind's line in the legend: its name and how many points it has.
func (s Scatter) entry(kind int, name string, marks []Mark) string {
	count := 0
	for _, m := range marks {
		if m.Kind == kind {
			count++
		}
	}
	return name + " (" + strconv.Itoa(count) + ")"
}

// bounds are the corners of what is drawn: all points, with a margin.
func (s Scatter) bounds(marks []Mark) (low, high Mark) {
	low, high = marks[0], marks[0]
	for _, m := range marks {
		low.X, high.X = min(low.X, m.X), max(high.X, m.X)
		low.Y, high.Y = min(low.Y, m.Y), max(high.Y, m.Y)
	}
	// Points that all lie on a line still have an axis across it.
	x, y := max(high.X-low.X, 1e-6+1e-6*math.Abs(low.X)), max(high.Y-low.Y, 1e-6+1e-6*math.Abs(low.Y))
	const margin = 0.04
	low.X, high.X, low.Y, high.Y = low.X-margin*x, high.X+margin*x, low.Y-margin*y, high.Y+margin*y
	return low, high
}

// okabeIto are the colours of Okabe and Ito (2008), which colour-blind readers can distinguish, their yellow darker
// for white paper, and two more.
var okabeIto = [10]color.RGBA{
	{0, 114, 178, 255},
	{213, 94, 0, 255},
	{0, 158, 115, 255},
	{204, 121, 167, 255},
	{86, 180, 233, 255},
	{230, 159, 0, 255},
	{20, 20, 20, 255},
	{200, 185, 30, 255},
	{140, 20, 30, 255},
	{130, 130, 130, 255},
}

// kindPalette is paper, inks and a colour for each kind: beyond ten, hues a golden angle apart.
func kindPalette(kinds int) color.Palette {
	p := color.Palette{color.Gray{Y: 255}, color.Gray{Y: 20}, color.Gray{Y: 120}, color.Gray{Y: 225}}
	for i := range kinds {
		if i < len(okabeIto) {
			p = append(p, okabeIto[i])
			continue
		}
		part := func(shift float64) uint8 {
			return uint8(255 * (0.42 + 0.38*math.Cos(2*math.Pi*(float64(i)*0.618033988749895+shift))))
		}
		p = append(p, color.RGBA{part(0), part(1. / 3), part(2. / 3), 255})
	}
	return p
}

const markRadius = 3

// mark draws the sign of a kind around x, y: a disc, a square, a cross, a ring, a triangle or a bar.
func (c *Canvas) mark(x, y, kind int) {
	const r = markRadius
	for dy := -r; dy <= r; dy++ {
		for dx := -r; dx <= r; dx++ {
			square := dx*dx + dy*dy
			var in bool
			switch kind / 10 % 6 {
			case 0:
				in = square <= r*r+1
			case 1:
				in = max(dx*dx, dy*dy) <= (r-1)*(r-1)
			case 2:
				in = dx*dx <= 1 && dy != 0 || dy*dy <= 1
			case 3:
				in = square <= r*r+1 && square > 2
			case 4:
				in = 2*max(dx, -dx) <= dy+r
			default:
				in = dy*dy <= 1
			}
			if at := image.Pt(x+dx, y+dy); in && at.In(c.img.Rect) {
				c.img.SetColorIndex(at.X, at.Y, uint8(firstColor+kind))
			}
		}
	}
}
