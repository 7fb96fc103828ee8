// Package picture draws plots with labelled axes as PNG: the canvas, font and colours of spectrogram pictures.
package picture

import (
	"bufio"
	"image"
	"image/color"
	"image/png"
	"io"
	"unicode/utf8"
)

// Colours of a canvas beside its colormap.
const (
	paper = iota
	ink
	grey
	faint
	firstColor // of the colormap
)

// A Canvas is a picture of at most 256 colours: paper, ink, greys and a colormap.
type Canvas struct {
	img    *image.Paletted
	colors int // of the colormap
}

// New makes an empty canvas of a size in pixels with a colormap, "magma" (also "") or "viridis".
func New(width, height int, colormapName string) (*Canvas, error) {
	table, err := colormap(colormapName)
	if err != nil {
		return nil, err
	}
	p := color.Palette{
		color.Gray{Y: 255}, color.Gray{Y: 20}, color.Gray{Y: 120}, color.Gray{Y: 225},
	}
	n := 256 - firstColor
	for i := range n {
		p = append(p, table[i*(len(table)-1)/(n-1)])
	}
	return &Canvas{img: image.NewPaletted(image.Rect(0, 0, width, height), p), colors: n}, nil
}

// Encode writes the canvas as PNG.
func (c *Canvas) Encode(w io.Writer) error {
	out := bufio.NewWriter(w)
	if err := png.Encode(out, c.img); err != nil {
		return err
	}
	return out.Flush()
}

// color is the colour of v in [0, 1].
func (c *Canvas) color(v float64) uint8 {
	i := int(v*float64(c.colors-1) + 0.5)
	return uint8(firstColor + min(max(i, 0), c.colors-1))
}

// fill sets the pixels of a rectangle.
func (c *Canvas) fill(r image.Rectangle, color uint8) {
	r = r.Intersect(c.img.Rect)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		row := c.img.Pix[y*c.img.Stride:]
		for x := r.Min.X; x < r.Max.X; x++ {
			row[x] = color
		}
	}
}

// textScale is the pixels per dot of the font: large enough to read at 100 %.
const textScale = 2

// Sizes of text in pixels.
const (
	textHeight = glyphHeight * textScale
	lineHeight = textHeight + 2*textScale
)

// textWidth is the width of s in pixels.
func textWidth(s string) int { return max(0, utf8.RuneCountInString(s)*advance-1) * textScale }

// text writes s with its top left corner at x, y.
func (c *Canvas) text(x, y int, s string, color uint8) {
	for _, r := range s {
		for row, bits := range dots(r) {
			for col := range glyphWidth {
				if bits>>(glyphWidth-1-col)&1 != 0 {
					left, top := x+col*textScale, y+row*textScale
					c.fill(image.Rect(left, top, left+textScale, top+textScale), color)
				}
			}
		}
		x += advance * textScale
	}
}

// clipText shortens s to a width in pixels, with dots at the end where something is missing.
func clipText(s string, width int) string {
	if textWidth(s) <= width {
		return s
	}
	runes := []rune(s)
	for len(runes) > 0 && textWidth(string(runes)+"..") > width {
		runes = runes[:len(runes)-1]
	}
	return string(runes) + ".."
}
