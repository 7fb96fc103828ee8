package pseudolabel

// balance turns what reached the clips, [n][labels], into probabilities whose means over the clips are the given shares.
// A clip that nothing reached has none: its row is 0.
func balance(reached [][]float64, shares []float64) {
	const rounds = 100
	clips := 0.0
	for _, row := range reached {
		if normalise(row) {
			clips++
		}
	}
	for range rounds {
		sums := make([]float64, len(shares))
		for _, row := range reached {
			for l, v := range row {
				sums[l] += v
			}
		}
		for _, row := range reached {
			for l := range row {
				if sums[l] > 0 {
					row[l] *= shares[l] * clips / sums[l]
				}
			}
			normalise(row)
		}
	}
}

// normalise divides by the sum, and reports whether there is one.
func normalise(row []float64) bool {
	sum := 0.0
	for _, v := range row {
		sum += v
	}
	if sum <= 0 {
		return false
	}
	for i := range row {
		row[i] /= sum
	}
	return true
}

// expected returns the shares of labels that counts of labelled clips suggest. Few clips say little: two or three of a
// label are as good as equally many.
func expected(counts []int) []float64 {
	const prior = 10
	out := make([]float64, len(counts))
	for l, n := range counts {
		out[l] = float64(n + prior)
	}
	normalise(out)
	return out
}

// best returns the most probable label and by how much it leads; -1 where there is none.
func best(row []float64) (label int, margin float64) {
	label = -1
	first, second := 0.0, 0.0
	for l, v := range row {
		if v > first {
			label, first, second = l, v, first
		} else if v > second {
			second = v
		}
	}
	return label, first - second
}
