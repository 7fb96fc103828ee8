package vae

import (
	"cmp"
	"math/rand/v2"
	"slices"
)

// A neighbourhood holds the nearest clips of each of a label's clips. The latents of a label lie near a curved surface of
// few dimensions, with the recordings of one speaker close together. Points between neighbours are on that surface or
// close to it, while a Gaussian around a clip, even a narrow one, leaves it in most directions. Drawing between neighbours
// (Chawla et al. 2002, SMOTE; DeVries and Taylor 2017 in latent space) does what manifold Parzen windows (Vincent and
// Bengio 2003) do with local covariances.
type neighbourhood struct {
	near []int32 // [K, size]: the nearest clips of each, as numbers within the label
	size int
}

const (
	mixed = 3 // clips that a draw lies between: the one it begins at and two of its neighbours
	// clipsPerNeighbour keeps the neighbourhood local where a label has few clips.
	clipsPerNeighbour = 12
)

// NeighboursOf returns the number of neighbours of each clip of a label with n clips.
func (c Config) NeighboursOf(n int) int {
	return max(0, min(c.Neighbours, max(1, n/clipsPerNeighbour), n-1))
}

// nearest finds the neighbourhood of the clips whose latents are the rows of z, [K, Z].
func nearest(z []float32, latent, size int) neighbourhood {
	h := neighbourhood{size: size}
	var s Search
	for i := range len(z) / latent {
		h.near = append(h.near, s.Near(z[i*latent:(i+1)*latent], z, size, i)...)
	}
	return h
}

// A Search finds neighbours. The zero value is usable, by one goroutine at a time.
type Search struct {
	others []other
	near   []int32
}

type other struct {
	clip     int32
	distance float32
}

// Near returns the indices of the size rows of all [K, Z] nearest to z [Z], without the row with index but, in order of
// distance. The slice is valid until the next call.
func (s *Search) Near(z, all []float32, size, but int) []int32 {
	s.others, s.near = s.others[:0], s.near[:0]
	for j := range len(all) / len(z) {
		if j != but {
			s.others = append(s.others, other{int32(j), squaredDistance(z, all[j*len(z):(j+1)*len(z)])})
		}
	}
	slices.SortFunc(s.others, func(a, b other) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.clip, b.clip))
	})
	for _, o := range s.others[:min(size, len(s.others))] {
		s.near = append(s.near, o.clip)
	}
	return s.near
}

func squaredDistance(a, b []float32) float32 {
	var sum float32
	for i, v := range a {
		d := v - b[i]
		sum += d * d
	}
	return sum
}

// A Mix is a point between clips: their numbers and their shares, which add to 1.
type Mix struct {
	Clip  [mixed]int
	Share [mixed]float64
}

// Between draws a point between a clip and two of the near clips, uniformly over their triangle (a flat Dirichlet
// distribution). With one near clip it lies on the line to it, with none it is the clip. The caller chooses the clip's
// number.
func Between(clip int, near []int32, rng *rand.Rand) Mix {
	m := Mix{}
	var sum float64
	first := -1
	for k := range mixed {
		m.Clip[k], m.Share[k] = clip, rng.ExpFloat64()
		sum += m.Share[k]
		if k == 0 || len(near) == 0 {
			continue
		}
		at := rng.IntN(len(near))
		if at == first {
			at = (at + 1) % len(near)
		}
		first = at
		m.Clip[k] = int(near[at])
	}
	for k := range m.Share {
		m.Share[k] /= sum
	}
	return m
}
