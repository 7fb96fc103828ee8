package picture

import (
	"errors"
	"fmt"
	"image"
	"io"
)

// A Sheet is several plots in one picture, in rows, under one title.
type Sheet struct {
	Title   string
	Note    string // one line below the title
	Columns int    // plots in a row
	Plots   []Plot // titles, axes and data; all of one size. They have no bars, and their colours are the sheet's

	Colormap string // "magma" (also "") or "viridis"
}

// WriteFields draws a colour for each pixel of every plot as PNG: at returns the value in [0, 1] of plot i, column x from
// the left, row y from the bottom.
func (s Sheet) WriteFields(w io.Writer, at func(i, x, y int) float64) error {
	if len(s.Plots) == 0 || s.Columns < 1 {
		return errors.New("picture: a sheet without plots")
	}
	size := image.Pt(s.Plots[0].Width, s.Plots[0].Height)
	for _, p := range s.Plots {
		if image.Pt(p.Width, p.Height) != size || size.X < 1 || size.Y < 1 {
			return fmt.Errorf("picture: a sheet of plots of %v and %d by %d pixels; they must be of one size", size, p.Width, p.Height)
		}
	}
	columns := min(s.Columns, len(s.Plots))
	rows := (len(s.Plots) + columns - 1) / columns
	cell := image.Pt(marginLeft+size.X+marginPlain, marginTop+size.Y+marginBottom)
	head := 2*lineHeight + 2*labelGap
	if width, height := columns*cell.X, head+rows*cell.Y; width > maxSide || height > maxSide {
		return fmt.Errorf("picture: a sheet of %d by %d pixels; sides are at most %d", width, height, maxSide)
	}
	c, err := New(columns*cell.X, head+rows*cell.Y, s.Colormap)
	if err != nil {
		return err
	}
	c.text(marginPlain, labelGap, clipText(s.Title, columns*cell.X-2*marginPlain), ink)
	c.text(marginPlain, labelGap+lineHeight, clipText(s.Note, columns*cell.X-2*marginPlain), grey)
	for i, p := range s.Plots {
		corner := image.Pt(i%columns*cell.X, head+i/columns*cell.Y)
		r := image.Rectangle{Max: size}.Add(corner).Add(image.Pt(marginLeft, marginTop))
		c.frame(r)
		c.bottom(r, p.X)
		c.left(r, p.Y)
		c.text(r.Min.X, corner.Y+labelGap, clipText(p.Title, size.X), ink)
		for y := range size.Y {
			for x := range size.X {
				c.img.Pix[(r.Max.Y-1-y)*c.img.Stride+r.Min.X+x] = c.color(at(i, x, y))
			}
		}
	}
	return c.Encode(w)
}
