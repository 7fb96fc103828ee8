package models_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"wavemill/models"
)

func TestRequest(t *testing.T) {
	r := models.Series([]int{0, 1, 1}, math.MaxUint64, 0.5)
	if !slices.Equal(r.Seeds, []uint64{math.MaxUint64, 0, 1}) || r.Temperature != 0.5 {
		t.Errorf("series %+v", r)
	}
	if part := r.Slice(1, 3); !slices.Equal(part.Labels, []int{1, 1}) || !slices.Equal(part.Seeds, []uint64{0, 1}) || part.Temperature != 0.5 {
		t.Errorf("part %+v", part)
	}
	for want, r := range map[string]models.Request{
		"":                      r,
		"clip 1 has label 2":    models.Series([]int{0, 2}, 1, 0),
		"clip 0 has label -1":   models.Series([]int{-1}, 1, 0),
		"0 seeds for 1 labels":  {Labels: []int{0}},
		"2 seeds for 1 labels":  {Labels: []int{0}, Seeds: []uint64{1, 2}},
		"temperature NaN":       models.Series([]int{0}, 1, math.NaN()),
		"temperature -1 is not": models.Series([]int{0}, 1, -1),
		"temperature 11 is not": models.Series([]int{0}, 1, 11),
	} {
		switch err := r.Validate(2); {
		case want == "" && err != nil:
			t.Errorf("%+v: %v", r, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%+v: error %v, want one with %q", r, err, want)
		}
	}
}
