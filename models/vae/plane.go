package vae

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// A Plane is a flat section of a space of latents, for pictures of it. With two latents it is the whole space and its
// axes are the latents themselves; with more, its axes are the first two principal components of the latents of some
// clips (Hotelling 1933): the plane on which they vary the most.
type Plane struct {
	// Origin is the point with the coordinates 0, 0: the mean of the latents, or zero where there are two.
	Origin []float64
	// Axes are vectors of length 1, at right angles. A principal component is turned so that its largest element is
	// positive.
	Axes [2][]float64
	// Explained is the share of the latents' variance that lies along each axis.
	Explained [2]float64
	// Principal says that the axes are principal components.
	Principal bool
}

// NewPlane returns the plane of latents z [N, latent], row-major. It wants two clips or more and two latents or more.
func NewPlane(z []float32, latent int) (Plane, error) {
	if latent < 2 {
		return Plane{}, fmt.Errorf("vae: %d latent variable has no plane: train a model with 2 or more", latent)
	}
	n := len(z) / latent
	if n < 2 || n*latent != len(z) {
		return Plane{}, fmt.Errorf("vae: a plane of %d values: want the %d latents of two clips or more", len(z), latent)
	}
	rows := make([]int, n)
	for i := range rows {
		rows[i] = i
	}
	mean, scatter := moments(z, rows, latent)
	total := mat.Trace(scatter)
	if !(total > 0) || math.IsInf(total, 0) {
		return Plane{}, errors.New("vae: the variance of the latents is 0 or not finite, so that no plane can be drawn")
	}
	p := Plane{Origin: mean}
	if latent == 2 {
		p.Origin, p.Axes = make([]float64, 2), [2][]float64{{1, 0}, {0, 1}}
		p.Explained = [2]float64{scatter.At(0, 0) / total, scatter.At(1, 1) / total}
		return p, nil
	}
	var e mat.EigenSym
	if !e.Factorize(scatter, true) {
		return Plane{}, errors.New("vae: the principal components of the latents cannot be found")
	}
	values := e.Values(nil) // ascending
	var vectors mat.Dense
	e.VectorsTo(&vectors)
	p.Principal = true
	for i := range p.Axes {
		column := latent - 1 - i
		p.Axes[i] = upright(mat.Col(nil, column, &vectors))
		p.Explained[i] = max(values[column], 0) / total
	}
	return p, nil
}

// upright turns a vector around where its largest element is negative.
func upright(v []float64) []float64 {
	largest := 0
	for i, x := range v {
		if math.Abs(x) > math.Abs(v[largest])+1e-9 {
			largest = i
		}
	}
	if v[largest] < 0 {
		for i := range v {
			v[i] = -v[i]
		}
	}
	return v
}

// Project returns the coordinates of latents z [Z] on the plane.
func (p Plane) Project(z []float32) (x, y float64) {
	for i, o := range p.Origin {
		d := float64(z[i]) - o
		x += d * p.Axes[0][i]
		y += d * p.Axes[1][i]
	}
	return x, y
}

// Move returns the latents that lie above the coordinates x, y as z does above its own: z, moved along the plane. Of two
// latents, they are x and y.
func (p Plane) Move(z []float32, x, y float64) []float32 {
	x0, y0 := p.Project(z)
	out := make([]float32, len(z))
	for i, v := range z {
		out[i] = float32(float64(v) + (x-x0)*p.Axes[0][i] + (y-y0)*p.Axes[1][i])
	}
	return out
}
