package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"

	plots "wavemill/audio/spectrogram/picture"
	"wavemill/models"
)

// Sizes of the pictures, in pixels.
const (
	planeSide   = 560 // of a plane, about
	sheetWidth  = 4   // planes in a row at most
	scatterSide = 720
)

// A planeGrid is one label's plane: its places, and the clips decoded from them.
type planeGrid struct {
	x, y  []float64 // coordinates of columns and rows, rising
	clips models.Batch
}

// grid decodes the points of a label's plane: as many along each side as asked for, at the quantiles of the label's own
// draws, so that each cell stands for as many clips.
func (m *latentMap) grid(ctx context.Context, label, points int, seed uint64) (planeGrid, error) {
	drawn, err := m.draws(label, seed)
	if err != nil {
		return planeGrid{}, err
	}
	width := m.space.Latent()
	middle := make([]float32, width)
	var xs, ys []float64
	for i := 0; i < len(drawn); i += width {
		x, y := m.plane.Project(drawn[i : i+width])
		xs, ys = append(xs, x), append(ys, y)
		for j := range middle {
			middle[j] += drawn[i+j] / drawsPerLabel
		}
	}
	g := planeGrid{x: quantiles(xs, points), y: quantiles(ys, points)}
	var z []float32
	for _, y := range g.y {
		for _, x := range g.x {
			z = append(z, m.plane.Move(middle, x, y)...)
		}
	}
	g.clips, err = m.space.Decode(ctx, z, slices.Repeat([]int{label}, points*points))
	return g, err
}

// quantiles returns n values of x that part it into n equal shares, each in the middle of its share.
func quantiles(x []float64, n int) []float64 {
	x = slices.Sorted(slices.Values(x))
	out := make([]float64, n)
	for i := range out {
		at := (float64(i)+0.5)/float64(n)*float64(len(x)) - 0.5
		low := min(max(int(at), 0), len(x)-1)
		high := min(low+1, len(x)-1)
		out[i] = x[low] + max(at-float64(low), 0)*(x[high]-x[low])
	}
	return out
}

// drawPlanes draws the planes of labels: a spectrogram at each point, time to the right and frequency upwards.
func (m *latentMap) drawPlanes(ctx context.Context, out *bytes.Buffer, labels []int, points int, seed uint64) error {
	// A line between cells, and each cell at the clip's size, enlarged or thinned out to about the plane's.
	const gap = 1
	frames, bins := m.checkpoint.FrontEnd.Frames, m.checkpoint.FrontEnd.Spectrogram.Bins()
	wide, high := cellSide(frames, points), cellSide(bins, points)
	sheet := plots.Sheet{
		Title: fmt.Sprintf("Latents decoded, %s at step %d", m.checkpoint.Arch, m.checkpoint.GeneratesFrom()),
		Note:  m.caption(), Columns: min(sheetWidth, len(labels)),
	}
	var grids []planeGrid
	for _, l := range labels {
		g, err := m.grid(ctx, l, points, seed)
		if err != nil {
			return err
		}
		grids = append(grids, g)
		x, y := m.axisNames()
		p := plots.Plot{Width: points*(wide+gap) - gap, Height: points*(high+gap) - gap, Title: m.checkpoint.Labels[l]}
		p.X, p.Y = cellAxis(g.x, x, p.Width, plots.XTicks), cellAxis(g.y, y, p.Height, plots.YTicks)
		sheet.Plots = append(sheet.Plots, p)
	}
	return sheet.WriteFields(out, func(i, x, y int) float64 {
		column, row := x/(wide+gap), y/(high+gap)
		dx, dy := x%(wide+gap), y%(high+gap)
		if dx >= wide || dy >= high {
			return 1
		}
		clip := grids[i].clips.Clip(row*points + column)
		return (float64(clip[dx*frames/wide*bins+dy*bins/high]) + 1) / 2
	})
}

// cellSide is the pixels of n values in a cell of a plane with so many points on a side.
func cellSide(n, points int) int {
	room := max(planeSide/points, 12)
	if n <= room {
		return n * (room / n)
	}
	return room
}

// cellAxis labels the middles of an axis' cells with their coordinates, as many as there is room for.
func cellAxis(at []float64, caption string, pixels int, room func(int) int) plots.Axis {
	a := plots.Axis{Caption: caption}
	every := (len(at) + room(pixels) - 1) / room(pixels)
	for i := 0; i < len(at); i += every {
		a.Ticks = append(a.Ticks, plots.Tick{At: (float64(i) + 0.5) / float64(len(at)), Label: strconv.FormatFloat(at[i], 'f', 2, 64)})
	}
	return a
}

// axisNames are the captions of the axes: of a principal component with its share of the variance.
func (m *latentMap) axisNames() (x, y string) {
	if m.plane.Principal {
		return fmt.Sprintf("PC 1 (%.0f %%)", 100*m.plane.Explained[0]), fmt.Sprintf("PC 2 (%.0f %%)", 100*m.plane.Explained[1])
	}
	return "z1", "z2"
}

// caption says what the axes are, in as few words as a picture of one plane has room for.
func (m *latentMap) caption() string {
	switch {
	case !m.plane.Principal:
		return "The axes are the two latents."
	case len(m.found) == 0:
		return fmt.Sprintf("Principal components of %d drawn latents", m.space.Latent())
	}
	return fmt.Sprintf("Principal components of %d latents", m.space.Latent())
}

// drawScatter draws where the recordings lie.
func (m *latentMap) drawScatter(out *bytes.Buffer) error {
	var kinds []string
	for _, f := range m.found {
		kinds = append(kinds, f.label)
	}
	slices.Sort(kinds)
	kinds = slices.Compact(kinds)
	marks := make([]plots.Mark, len(m.found))
	for i, f := range m.found {
		marks[i].X, marks[i].Y = m.plane.Project(f.latents)
		marks[i].Kind, _ = slices.BinarySearch(kinds, f.label)
	}
	s := plots.Scatter{
		Width: scatterSide, Height: scatterSide, Title: fmt.Sprintf("Latents of %d recordings, by label", len(m.found)),
		Note: m.caption(), Kinds: kinds,
	}
	s.X, s.Y = m.axisNames()
	return s.Write(out, marks)
}
