package eval

import "math"

// A Direction says which values of a figure are better.
type Direction uint8

// The directions. Unranked is that of figures that say nothing about quality.
const (
	Unranked Direction = iota
	High
	Low
	Half // 0.5 is best
	One  // 1 is best
)

// Distance is smaller for better values.
func (d Direction) Distance(v float64) float64 {
	switch d {
	case High:
		return -v
	case Half:
		return math.Abs(v - 0.5)
	case One:
		return math.Abs(v - 1)
	}
	return v
}

// Comparable reports whether the difference of two values is one of quality: on opposite sides of the best value it need
// not be.
func (d Direction) Comparable(x, y float64) bool {
	switch d {
	case Half:
		return (x-0.5)*(y-0.5) >= 0
	case One:
		return (x-1)*(y-1) >= 0
	}
	return d != Unranked
}
