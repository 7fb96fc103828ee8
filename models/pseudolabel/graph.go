package pseudolabel

import (
	"cmp"
	"math"
	"slices"
)

// An edge joins a clip to another.
type edge struct {
	to     int
	weight float32
}

// scaleNeighbour is the neighbour whose distance is the scale of a clip's surroundings.
const scaleNeighbour = 7

// neighbourhood returns the edges of the graph in which each of n clips is joined with its k nearest, weighted by
// exp(-d²/(σi σj)) and divided by the roots of the degrees of both ends.
func neighbourhood(distances []float32, n, k int) [][]edge {
	nearest, scale := make([][]int, n), make([]float64, n)
	for i := range n {
		of := distances[i*n : (i+1)*n]
		order := make([]int, 0, n-1)
		for j := range n {
			if j != i {
				order = append(order, j)
			}
		}
		slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(of[a], of[b]), cmp.Compare(a, b)) })
		nearest[i] = order[:min(k, len(order))]
		scale[i] = max(float64(of[nearest[i][min(scaleNeighbour, len(nearest[i]))-1]]), 1e-6)
	}
	edges := make([][]edge, n)
	for i := range n {
		for _, j := range nearest[i] {
			if j < i && slices.Contains(nearest[j], i) {
				continue // joined already
			}
			d := float64(distances[i*n+j])
			w := float32(math.Exp(-d * d / (scale[i] * scale[j])))
			edges[i], edges[j] = append(edges[i], edge{j, w}), append(edges[j], edge{i, w})
		}
	}
	return normalised(edges)
}

// normalised divides the weights by the roots of the degrees.
func normalised(edges [][]edge) [][]edge {
	degree := make([]float64, len(edges))
	for i, of := range edges {
		for _, e := range of {
			degree[i] += float64(e.weight)
		}
	}
	for i, of := range edges {
		for k, e := range of {
			if d := degree[i] * degree[e.to]; d > 0 {
				of[k].weight = float32(float64(e.weight) / math.Sqrt(d))
			}
		}
	}
	return edges
}

const (
	reach  = 0.99 // what is passed on at every edge
	rounds = 200  // what takes more edges is too weak to count
)

// spread returns what reaches each clip, [n, columns], of what start [n, columns] puts on some.
func spread(edges [][]edge, start []float32, columns int) []float32 {
	now, next := slices.Clone(start), make([]float32, len(start))
	for range rounds {
		for i, of := range edges {
			row := next[i*columns : (i+1)*columns]
			clear(row)
			for _, e := range of {
				w := reach * e.weight
				for c, v := range now[e.to*columns : (e.to+1)*columns] {
					row[c] += w * v
				}
			}
			for c, v := range start[i*columns : (i+1)*columns] {
				row[c] += v
			}
		}
		now, next = next, now
	}
	return now
}
