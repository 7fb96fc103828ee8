package models

import "testing"

// Each clip occurs as often in a pass as it should.
func TestRepeats(t *testing.T) {
	repeats := []int{1, 3, 1, 2}
	o := newOrder(4, repeats, 1, 0)
	for pass := range int64(3) {
		got := make([]int, 4)
		for _, clip := range o.next(pass, 7) {
			got[clip]++
		}
		for i, want := range repeats {
			if got[i] != want {
				t.Errorf("pass %d: clip %d occurs %d times, not %d", pass, i, got[i], want)
			}
		}
	}
	plain, same := newOrder(5, nil, 1, 2), order{n: 5, seed: 1, turn: 2}
	if a, b := plain.next(3, 5), same.next(3, 5); a[0] != b[0] || a[4] != b[4] {
		t.Errorf("without repeats: %v, want %v", a, b)
	}
	for _, bad := range [][]int{{1, 1}, {1, 0, 1}} {
		if _, err := (&Trainer{Steps: 1, Repeats: bad}).Run(t.Context(), nil, Batch{B: 3}, Batch{}); err == nil {
			t.Errorf("%v: no error", bad)
		}
	}
}
