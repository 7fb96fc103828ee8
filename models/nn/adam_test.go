package nn

import (
	"math"
	"strings"
	"testing"
)

func TestSchedule(t *testing.T) {
	s := Schedule{Rate: 2, Final: 0.5, Warmup: 10, Steps: 110}
	for step, want := range map[int64]float64{1: 0.2, 5: 1, 10: 2, 60: 1.25, 110: 0.5, 500: 0.5} {
		if got := s.At(step); math.Abs(got-want) > 1e-12 {
			t.Errorf("step %d: rate %g, want %g", step, got, want)
		}
	}
	if got := (Schedule{Rate: 3}).At(1000); got != 3 {
		t.Errorf("a constant rate is %g", got)
	}
}

// line is a machine whose loss is the mean of x w, so that the gradient of w is the mean row of x.
func line(t *testing.T, p *Params) *Machine {
	t.Helper()
	n := NewGraph(Train, p)
	m, err := n.Compile(Minimise(n.Loss("loss", n.Mean(n.Dense("d", n.Input("x", 1, 2), 1, NoBias(), Weight(Constant(1)))))))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAdamStep(t *testing.T) {
	p := NewParams(1)
	m := line(t, p)
	opt := NewAdam(p, AdamConfig{Schedule: Schedule{Rate: 0.1}, ClipNorm: 1, EMA: 0.5})
	if err := m.Run(Values("x", []float32{30, -40})); err != nil {
		t.Fatal(err)
	}
	if err := opt.Step(m); err != nil {
		t.Fatal(err)
	}
	// The first step of Adam is the rate times the sign of the gradient, however clipped.
	w := p.Lookup("d/w").data
	if math.Abs(float64(w[0])-0.9) > 1e-5 || math.Abs(float64(w[1])-1.1) > 1e-5 {
		t.Errorf("weights %v, want 0.9 and 1.1", w)
	}
	if math.Abs(opt.GradientNorm()-50) > 1e-4 {
		t.Errorf("gradient norm %g, want 50", opt.GradientNorm())
	}
	if e := opt.Average().Lookup("d/w").data; math.Abs(float64(e[0])-0.95) > 1e-5 {
		t.Errorf("moving average %v, want 0.95 first", e)
	}
	// The moments show that the gradient was clipped to norm 1: 0.1 * 30/50.
	if s := opt.slots[0]; math.Abs(float64(s.m[0])-0.06) > 1e-6 {
		t.Errorf("first moment %v, want 0.06 first", s.m)
	}
}

// TestAdamAddsMachines: the gradients of two machines add up.
func TestAdamAddsMachines(t *testing.T) {
	p := NewParams(1)
	a, b := line(t, p), line(t, p)
	opt := NewAdam(p, AdamConfig{})
	for m, x := range map[*Machine][]float32{a: {1, 2}, b: {3, 5}} {
		if err := m.Run(Values("x", x)); err != nil {
			t.Fatal(err)
		}
	}
	if err := opt.Step(a, b); err != nil {
		t.Fatal(err)
	}
	if want := math.Hypot(4, 7); math.Abs(opt.GradientNorm()-want) > 1e-5 {
		t.Errorf("gradient norm %g, want %g", opt.GradientNorm(), want)
	}
}

func TestAdamErrors(t *testing.T) {
	p := NewParams(1)
	m := line(t, p)
	opt := NewAdam(p, AdamConfig{EMA: 0.9})
	if err := m.Run(Values("x", []float32{1, float32(math.NaN())})); err != nil {
		t.Fatal(err)
	}
	if err := opt.Step(m); err == nil || !strings.Contains(err.Error(), "gradient of d/w is not finite") {
		t.Errorf("NaN: %v", err)
	}
	if w := p.Lookup("d/w").data; w[0] != 1 || opt.Steps() != 0 {
		t.Error("a step that failed changed something")
	}
	if err := NewAdam(NewParams(1), AdamConfig{}).Step(m); err == nil || !strings.Contains(err.Error(), "no machine") {
		t.Errorf("foreign machine: %v", err)
	}
}
