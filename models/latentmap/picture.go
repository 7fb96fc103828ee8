package latentmap

import (
	"context"
	"fmt"
	"io"
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
	gap         = 1 // between cells
)

// MaxGrid is the most points on a side of a plane: beyond it, a cell is too small to show a spectrogram.
const MaxGrid = 32

// A grid is one label's plane: the coordinates of its columns and rows, and the clips decoded from them.
type grid struct {
	x, y  []float64 // rising
	clips models.Batch
}

// decodeGrid decodes the points of a label's plane, points x points of them. They lie at the quantiles of the label's
// own draws, so that each cell stands for equally many clips.
func (m *Map) decodeGrid(ctx context.Context, label, points int, seed uint64) (grid, error) {
	region, err := m.Region(label, seed)
	if err != nil {
		return grid{}, err
	}
	var xs, ys []float64
	for _, p := range region.Points {
		xs, ys = append(xs, p[0]), append(ys, p[1])
	}
	g := grid{x: quantiles(xs, points), y: quantiles(ys, points)}
	var z []float32
	for _, y := range g.y {
		for _, x := range g.x {
			z = append(z, m.plane.Move(region.Middle, x, y)...)
		}
	}
	g.clips, err = m.space.Decode(ctx, z, slices.Repeat([]int{label}, points*points))
	return g, err
}

// quantiles returns n values of x that part it into n equal shares, each in the middle of its share, interpolated
// linearly.
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

// WritePlanes writes a PNG picture with one plane for each of labels (indices into Labels): a spectrogram decoded at
// each of points x points places, time to the right and frequency upwards. points is between 2 and MaxGrid. seed is
// that of the draws which space the points.
func (m *Map) WritePlanes(ctx context.Context, out io.Writer, labels []int, points int, seed uint64) error {
	switch {
	case !m.fitted:
		return errNotFitted
	case points < 2 || points > MaxGrid:
		return fmt.Errorf("latentmap: a grid of %d points on a side: want 2 to %d", points, MaxGrid)
	case len(labels) == 0:
		return fmt.Errorf("latentmap: no label to draw; the model has %d", len(m.labels))
	}
	for _, l := range labels {
		if l < 0 || l >= len(m.labels) {
			return fmt.Errorf("latentmap: label %d: the model knows 0 to %d", l, len(m.labels)-1)
		}
	}
	// A line lies between cells; each cell has the clip's size, enlarged or thinned out to about the plane's.
	wide, high := cellSide(m.frames, points), cellSide(m.bins, points)
	sheet := plots.Sheet{
		Title: fmt.Sprintf("Latents decoded, %s at step %d", m.arch, m.step),
		Note:  m.caption(), Columns: min(sheetWidth, len(labels)),
	}
	grids := make([]grid, 0, len(labels))
	x, y := m.axisNames()
	for _, l := range labels {
		g, err := m.decodeGrid(ctx, l, points, seed)
		if err != nil {
			return err
		}
		grids = append(grids, g)
		p := plots.Plot{Width: points*(wide+gap) - gap, Height: points*(high+gap) - gap, Title: m.labels[l]}
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
		return (float64(clip[dx*m.frames/wide*m.bins+dy*m.bins/high]) + 1) / 2
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
func (m *Map) axisNames() (x, y string) {
	if m.plane.Principal {
		return fmt.Sprintf("PC 1 (%.0f %%)", 100*m.plane.Explained[0]), fmt.Sprintf("PC 2 (%.0f %%)", 100*m.plane.Explained[1])
	}
	return "z1", "z2"
}

// caption says what the axes are, short enough for a picture of one plane.
func (m *Map) caption() string {
	switch {
	case !m.plane.Principal:
		return "The axes are the two latents."
	case len(m.points) == 0:
		return fmt.Sprintf("Principal components of %d drawn latents", m.Latent())
	}
	return fmt.Sprintf("Principal components of %d latents", m.Latent())
}

// WriteScatter writes a PNG picture of the places of the recordings, one colour per label.
func (m *Map) WriteScatter(out io.Writer) error {
	if !m.fitted {
		return errNotFitted
	}
	var kinds []string
	for _, p := range m.points {
		kinds = append(kinds, p.Label)
	}
	slices.Sort(kinds)
	kinds = slices.Compact(kinds)
	marks := make([]plots.Mark, len(m.points))
	for i, p := range m.points {
		marks[i].X, marks[i].Y = m.plane.Project(p.Latents)
		marks[i].Kind, _ = slices.BinarySearch(kinds, p.Label)
	}
	s := plots.Scatter{
		Width: scatterSide, Height: scatterSide, Title: fmt.Sprintf("Latents of %d recordings, by label", len(m.points)),
		Note: m.caption(), Kinds: kinds,
	}
	s.X, s.Y = m.axisNames()
	return s.Write(out, marks)
}
