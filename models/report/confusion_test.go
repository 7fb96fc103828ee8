package report

import "testing"

func TestShares(t *testing.T) {
	c := Confusion{Labels: []string{"a", "b"}, Counts: [][]int{{9, 1}, {0, 10}}}
	s := c.Share()
	if s.Part != 19 || s.Whole != 20 || s.Value() != 0.95 || !s.Interval.Holds(0.95) || s.Interval[1]-s.Interval[0] < 0.1 {
		t.Errorf("share %+v", s)
	}
	// A perfect score of ten is not certain.
	if b := c.ShareOf("b"); b.Value() != 1 || b.Interval[0] > 0.8 || b.Interval[1] != 1 {
		t.Errorf("share of b %+v", b)
	}
	if got := c.ShareOf("c"); got != (Share{}) || got.String() != "none" || got.Value() != 0 {
		t.Errorf("an unknown label gave %v", got)
	}
	if got := (Confusion{}).Share(); got != (Share{}) {
		t.Errorf("no clips gave %v", got)
	}
	if got := NewShare(0, 1); got.Value() != 0 || got.Interval[1] < 0.5 {
		t.Errorf("none of one: %v", got)
	}
}
