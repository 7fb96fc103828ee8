package picture

import (
	"fmt"
	"image"
	"io"
)

// Margins around a plot, in pixels: room for labels of six characters on the left and four on the right.
const (
	marginLeft   = 6*advance*textScale + tickLength + labelGap
	marginTop    = 2*lineHeight + textHeight/2 + 3*textScale
	marginBottom = tickLength + labelGap + 2*lineHeight + 2*textScale
	marginPlain  = 16
	barGap       = 14
	barWidth     = 14
	marginBar    = barGap + barWidth + tickLength + labelGap + 4*advance*textScale + 4
)

// maxSide is the longest side of a plot in pixels.
const maxSide = 1 << 14

// A Plot is a field of data with axes.
type Plot struct {
	Width, Height int // pixels of the data
	Title         string
	Colormap      string // "magma" (also "") or "viridis"
	X, Y          Axis
	Bar           Axis // of the colour bar; drawn where it has ticks
}

// canvas makes the canvas of p and the rectangle for its data, axes drawn.
func (p Plot) canvas() (*Canvas, image.Rectangle, error) {
	if p.Width < 1 || p.Height < 1 || p.Width > maxSide || p.Height > maxSide {
		return nil, image.Rectangle{}, fmt.Errorf("picture: a plot of %d by %d pixels; sides are 1 to %d", p.Width, p.Height, maxSide)
	}
	right := marginPlain
	if len(p.Bar.Ticks) > 0 {
		right = marginBar
	}
	c, err := New(marginLeft+p.Width+right, marginTop+p.Height+marginBottom, p.Colormap)
	if err != nil {
		return nil, image.Rectangle{}, err
	}
	r := image.Rect(marginLeft, marginTop, marginLeft+p.Width, marginTop+p.Height)
	c.frame(r)
	c.bottom(r, p.X)
	c.left(r, p.Y)
	if len(p.Bar.Ticks) > 0 {
		bar := image.Rect(r.Max.X+barGap, r.Min.Y, r.Max.X+barGap+barWidth, r.Max.Y)
		for y := bar.Min.Y; y < bar.Max.Y; y++ {
			v := 1 - (float64(y-bar.Min.Y)+0.5)/float64(bar.Dy())
			c.fill(image.Rect(bar.Min.X, y, bar.Max.X, y+1), c.color(v))
		}
		c.frame(bar)
		c.right(bar, p.Bar)
	}
	c.text(r.Min.X, labelGap, clipText(p.Title, c.img.Rect.Dx()-r.Min.X), ink)
	return c, r, nil
}

// WriteField draws a colour for each pixel as PNG: at returns the value in [0, 1] of column x from the left, row y from
// the bottom.
func (p Plot) WriteField(w io.Writer, at func(x, y int) float64) error {
	c, r, err := p.canvas()
	if err != nil {
		return err
	}
	for y := range p.Height {
		for x := range p.Width {
			c.img.Pix[(r.Max.Y-1-y)*c.img.Stride+r.Min.X+x] = c.color(at(x, y))
		}
	}
	return c.Encode(w)
}
