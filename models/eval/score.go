package eval

import (
	"errors"
	"fmt"
	"math"
)

// Probabilities are a classifier's distributions over the labels, one row per clip.
type Probabilities [][]float64

// check reports rows that are no distributions.
func (p Probabilities) check() error {
	if len(p) == 0 {
		return errors.New("eval: no clips to score")
	}
	for i, row := range p {
		if len(row) != len(p[0]) || len(row) == 0 {
			return fmt.Errorf("eval: clip %d has %d probabilities, clip 0 has %d", i, len(row), len(p[0]))
		}
		var sum float64
		for _, v := range row {
			if !(v >= 0) {
				return fmt.Errorf("eval: clip %d has a probability of %v", i, v)
			}
			sum += v
		}
		if math.Abs(sum-1) > 1e-3 {
			return fmt.Errorf("eval: the probabilities of clip %d add to %v", i, sum)
		}
	}
	return nil
}

// tiny keeps logarithms finite; a float32 softmax cannot tell such probabilities from zero.
const tiny = 1e-12

func logOf(p float64) float64 { return math.Log(max(p, tiny)) }

// marginal returns the mean distribution.
func (p Probabilities) marginal() []float64 {
	m := make([]float64, len(p[0]))
	for _, row := range p {
		for j, v := range row {
			m[j] += v / float64(len(p))
		}
	}
	return m
}

// Inception returns the Inception Score (Salimans et al. 2016), exp of the mean KL(p(y|x) || p(y)): between 1 and the
// number of labels. It measures the classifier's confidence as much as the clips, so only its ratio to that of real
// clips under the same calibrated classifier means anything.
func Inception(p Probabilities) (float64, error) {
	if err := p.check(); err != nil {
		return 0, err
	}
	m := p.marginal()
	var sum float64
	for _, row := range p {
		for j, v := range row {
			sum += v * (logOf(v) - logOf(m[j]))
		}
	}
	return math.Exp(sum / float64(len(p))), nil
}

// ModifiedInception returns the modified Inception Score (Gurumurthy et al. 2017), exp of the mean KL(p(y|x) || p(y|x'))
// over all ordered pairs of clips, computed exactly. It also sees variety within a label, and has no upper bound.
func ModifiedInception(p Probabilities) (float64, error) {
	if err := p.check(); err != nil {
		return 0, err
	}
	// mean over i, j of sum p_i (log p_i - log p_j) = -mean entropy - sum (mean p) (mean log p)
	m := p.marginal()
	logs := make([]float64, len(m))
	var sum float64
	for _, row := range p {
		for j, v := range row {
			sum += v * logOf(v) / float64(len(p))
			logs[j] += logOf(v) / float64(len(p))
		}
	}
	for j := range m {
		sum -= m[j] * logs[j]
	}
	return math.Exp(sum), nil
}

// Confusion counts, for every wanted label (row), what the classifier heard (column).
type Confusion [][]int

// Confuse returns the confusion matrix of n labels.
func Confuse(wanted, heard []int, n int) (Confusion, error) {
	if len(wanted) != len(heard) {
		return nil, fmt.Errorf("eval: %d wanted labels and %d heard", len(wanted), len(heard))
	}
	c := make(Confusion, n)
	for i := range c {
		c[i] = make([]int, n)
	}
	for i, w := range wanted {
		if w < 0 || w >= n || heard[i] < 0 || heard[i] >= n {
			return nil, fmt.Errorf("eval: clip %d: label %d, heard %d: there are %d labels", i, w, heard[i], n)
		}
		c[w][heard[i]]++
	}
	return c, nil
}

// Accuracy returns the share of clips heard as wanted, NaN for none.
func (c Confusion) Accuracy() float64 {
	var right, all float64
	for i, row := range c {
		for j, n := range row {
			all += float64(n)
			if i == j {
				right += float64(n)
			}
		}
	}
	return right / all
}

// Labels returns the accuracy of every label, NaN for a label without clips.
func (c Confusion) Labels() []float64 {
	a := make([]float64, len(c))
	for i, row := range c {
		var all float64
		for _, n := range row {
			all += float64(n)
		}
		a[i] = float64(row[i]) / all
	}
	return a
}

// Heard returns the most probable label of every clip.
func (p Probabilities) Heard() []int {
	h := make([]int, len(p))
	for i, row := range p {
		for j, v := range row {
			if v > row[h[i]] {
				h[i] = j
			}
		}
	}
	return h
}
