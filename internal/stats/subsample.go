package stats

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
)

// Even returns the numbers of at most most of n things in a row, evenly spread: each is the middle of its
// share. It returns all if there are no more, in ascending order, and none if most < 1.
func Even(n, most int) []int {
	m := max(0, min(n, most))
	out := make([]int, m)
	for i := range out {
		out[i] = (2*i + 1) * n / (2 * m)
	}
	return out
}

// ByLabel returns the row numbers of each label in ascending order.
func ByLabel[L comparable](labels []L) map[L][]int {
	rows := map[L][]int{}
	for i, l := range labels {
		rows[l] = append(rows[l], i)
	}
	return rows
}

// PerLabel returns the numbers of at most most(n) of each label's n rows, evenly spread over the label's
// rows (see Even), in ascending order.
func PerLabel[L cmp.Ordered](labels []L, most func(n int) int) []int {
	return perLabel(labels, func(of []int) []int {
		chosen := Even(len(of), most(len(of)))
		for i, at := range chosen {
			chosen[i] = of[at]
		}
		return chosen
	})
}

// RandomPerLabel returns the numbers of at most most(n) of each label's n rows, drawn without replacement,
// in ascending order. Labels are drawn for in ascending order, so that the result depends on labels and
// the state of rng alone.
func RandomPerLabel[L cmp.Ordered](labels []L, most func(n int) int, rng *rand.Rand) []int {
	return perLabel(labels, func(of []int) []int {
		rng.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
		return of[:max(0, min(len(of), most(len(of))))]
	})
}

func perLabel[L cmp.Ordered](labels []L, choose func(of []int) []int) []int {
	rows := ByLabel(labels)
	var out []int
	for _, l := range slices.Sorted(maps.Keys(rows)) {
		out = append(out, choose(rows[l])...)
	}
	slices.Sort(out)
	return out
}
