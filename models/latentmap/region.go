package latentmap

import (
	"fmt"

	"wavemill/internal/stats"
)

// A Region is where on the plane a model draws the latents of a label.
type Region struct {
	Middle []float32    // mean of the label's draws [Latent]
	X, Y   [2]float64   // 1st and 99th percentile of their coordinates
	Points [][2]float64 // coordinates of all draws
}

// Region returns the region of a label (an index into Labels), from draws with a seed. Fit comes first. A clip at the
// coordinates x, y is that of the latents m.Plane().Move(region.Middle, x, y).
func (m *Map) Region(label int, seed uint64) (Region, error) {
	switch {
	case !m.fitted:
		return Region{}, errNotFitted
	case label < 0 || label >= len(m.labels):
		return Region{}, fmt.Errorf("latentmap: label %d: the model knows 0 to %d", label, len(m.labels)-1)
	}
	drawn, err := m.draw(label, seed)
	if err != nil {
		return Region{}, err
	}
	width := m.Latent()
	r := Region{Middle: make([]float32, width)}
	var xs, ys []float64
	for i := 0; i < len(drawn); i += width {
		x, y := m.plane.Project(drawn[i : i+width])
		xs, ys = append(xs, x), append(ys, y)
		r.Points = append(r.Points, [2]float64{x, y})
		for j := range r.Middle {
			r.Middle[j] += drawn[i+j] / drawsPerLabel
		}
	}
	x, y := stats.Quantiles(xs, 0.01, 0.99), stats.Quantiles(ys, 0.01, 0.99)
	r.X, r.Y = [2]float64{x[0], x[1]}, [2]float64{y[0], y[1]}
	return r, nil
}
