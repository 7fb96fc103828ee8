package allocation_test

import (
	"testing"

	"wavemill/internal/allocation"
)

// recorder counts failures.
type recorder struct {
	testing.TB
	failed int
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(string, ...any) { r.failed++ }

// sink keeps allocations on the heap.
var sink []byte

func TestCheck(t *testing.T) {
	for name, tc := range map[string]struct {
		input, times, takes int
		fails               bool
	}{
		"within the base":     {0, 0, 8 << 20, false},
		"beyond the base":     {0, 4, 20 << 20, true},
		"within the multiple": {1 << 20, 8, 20 << 20, false},
		"beyond the multiple": {1 << 20, 2, 20 << 20, true},
	} {
		r := &recorder{TB: t}
		used := allocation.Check(r, tc.input, tc.times, func() { sink = make([]byte, tc.takes) })
		if used < uint64(tc.takes) || (r.failed > 0) != tc.fails {
			t.Errorf("%s: %d bytes measured of %d, %d failures", name, used, tc.takes, r.failed)
		}
	}
}
