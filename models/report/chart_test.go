package report

import (
	"math"
	"slices"
	"strings"
	"testing"

	"wavemill/models"
	"wavemill/models/training"
)

func TestChart(t *testing.T) {
	nan := Curve{Name: "x", Lines: []Line{{Steps: []float64{0, 1, 2}, Values: []float64{1, math.NaN(), 3}}}}
	if svg := string(chart(nan)); strings.Contains(svg, "NaN") || !strings.Contains(svg, "polyline") {
		t.Errorf("a missing value: %s", svg)
	}
	if svg := chart(Curve{Name: "nothing"}); svg != "" {
		t.Errorf("an empty curve gave %s", svg)
	}
	flat := Curve{Name: "flat", Lines: []Line{{Steps: []float64{5}, Values: []float64{0}}}}
	if svg := string(chart(flat)); strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
		t.Errorf("one point at zero: %s", svg)
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", math.Copysign(0, -1): "0", -1e-13: "0", 0.30000000000000004: "0.3", -2000: "-2000", 12500: "12.5k"} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %s, want %s", v, got, want)
		}
	}
}

func TestTicksAreRound(t *testing.T) {
	for _, tc := range []struct{ low, high float64 }{{0, 1}, {0, 0.037}, {-3, 12000}, {5, 5}, {0.9991, 0.9999}} {
		got := ticks(tc.low, tc.high, 5)
		if len(got) == 0 || len(got) > 7 {
			t.Errorf("%v to %v: ticks %v", tc.low, tc.high, got)
		}
		for _, v := range got {
			if v < tc.low-1e-9 || v > tc.high+1e-9 {
				t.Errorf("%v to %v: tick %v is outside", tc.low, tc.high, v)
			}
		}
	}
}

// Values so large that their neighbours are equal must not hang.
func TestTicksEnd(t *testing.T) {
	for _, high := range []float64{1e17 + 16, math.MaxFloat64, math.Inf(1)} {
		if got := ticks(1e17, high, 5); len(got) > 10 {
			t.Errorf("%d ticks up to %v", len(got), high)
		}
	}
}

// One extreme value in a hundred does not flatten the rest.
func TestChartCutsSpikes(t *testing.T) {
	line := Line{}
	for i := range 200 {
		line.Steps, line.Values = append(line.Steps, float64(i)), append(line.Values, float64(i%7))
	}
	line.Values[50] = 1e9
	low, high := middle(line.Values)
	if low != 0 || high != 6 {
		t.Errorf("the axis reaches from %v to %v, want 0 to 6", low, high)
	}
	if svg := string(chart(Curve{Lines: []Line{line}})); !strings.Contains(svg, "polyline") || strings.Contains(svg, "e+") {
		t.Errorf("a spike is drawn outside of the chart: %s", svg)
	}
}

func TestLosses(t *testing.T) {
	var h training.History
	h.Add(models.Progress{Event: models.EventStep, Step: 1, Train: models.Losses{"kl": 2, "loss": 3}})
	h.Add(models.Progress{Event: models.EventEval, Step: 1, Val: models.Losses{"loss": 4}})
	curves := Losses("vae", h)
	if len(curves) != 2 || curves[0].Name != "vae: kl" || len(curves[0].Lines) != 1 || len(curves[1].Lines) != 2 {
		t.Fatalf("curves %+v", curves)
	}
	if v := curves[1].Lines[1]; v.Name != "validation" || !slices.Equal(v.Steps, []float64{1}) || !slices.Equal(v.Values, []float64{4}) {
		t.Errorf("validation line %+v", v)
	}
	if got := Losses("", h)[0].Name; got != "kl" {
		t.Errorf("without a prefix a curve is called %q", got)
	}
	if got := Losses("gan", training.History{}); got != nil {
		t.Errorf("no training gave %v", got)
	}
}
