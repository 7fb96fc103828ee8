package dataset

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
)

// Split divides items into one part for each fraction: Split(items, seed, 0.8, 0.1, 0.1). Where an
// item goes depends on the seed and its Group (or its Name when it has none) and on nothing else:
// a group is never torn apart, and adding or removing files moves no other. The price is that the
// parts have the fractions' sizes only on average. Fractions that sum to less than 1 leave items
// out; Split panics on a negative fraction or a sum above 1. Order is kept.
func Split(items []Item, seed uint64, fractions ...float64) [][]Item {
	bounds := make([]float64, len(fractions))
	var sum float64
	for i, f := range fractions {
		if !(f >= 0) {
			panic(fmt.Sprintf("dataset: fraction %v", f))
		}
		sum += f
		bounds[i] = sum
	}
	const slack = 1e-9 // 0.7+0.2+0.1 is not 1 in binary.
	if sum > 1+slack {
		panic(fmt.Sprintf("dataset: fractions sum to %v", sum))
	}
	if sum > 1-slack && len(bounds) > 0 {
		bounds[len(bounds)-1] = math.Inf(1)
	}
	parts := make([][]Item, len(fractions))
	for _, it := range items {
		u := uniform(seed, cmp.Or(it.Group, it.key()))
		for i, b := range bounds {
			if u < b {
				parts[i] = append(parts[i], it)
				break
			}
		}
	}
	return parts
}

// uniform maps a seed and a key to [0, 1) by SHA-256, the same on every machine.
func uniform(seed uint64, key string) float64 {
	sum := sha256.Sum256(append(binary.LittleEndian.AppendUint64(nil, seed), key...))
	return float64(binary.LittleEndian.Uint64(sum[:])>>11) / (1 << 53)
}
