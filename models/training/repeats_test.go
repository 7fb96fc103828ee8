package training

import (
	"slices"
	"testing"
)

// A label with few recordings gets half as many as the median label; others are left alone.
func TestRepeats(t *testing.T) {
	var labels []int
	for label, n := range []int{100, 60, 80, 5, 31} {
		labels = append(labels, slices.Repeat([]int{label}, n)...)
	}
	all := make([]int, 5)
	for i, times := range repeats(labels, 5) {
		all[labels[i]] += times
	}
	if want := []int{100, 60, 80, 30, 31}; !slices.Equal(all, want) {
		t.Errorf("recordings of each label in a pass: %v, want %v", all, want)
	}
}
