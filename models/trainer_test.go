package models

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// walker is a learner that is cheap and depends on everything a real one may depend on: the batch, the random
// stream, the plan and its own state.
type walker struct {
	step, planned int64
	weights       [3]float32
	nanAt         int64
	seen          []int
	calibrated    int
	fitted        int // clips
	onStep        func()
}

func (w *walker) SetTotalSteps(steps int64) { w.planned = steps }

func (w *walker) Step(_ context.Context, x Batch, rng *rand.Rand) (Losses, error) {
	w.step++
	if w.onStep != nil {
		w.onStep()
	}
	w.seen = append(w.seen, x.Labels...)
	loss := 0.0
	for i, v := range x.Data {
		w.weights[i%3] += v * float32(rng.NormFloat64()) / (1 + float32(w.planned))
		loss += float64(v)
	}
	if w.step == w.nanAt {
		loss = math.NaN()
	}
	return Losses{"zeta": loss, "alpha": 1}, nil
}

func (w *walker) Eval(_ context.Context, x Batch) (Losses, error) {
	return Losses{"zeta": float64(x.Data[0])}, nil
}

func (w *walker) FitModes(_ context.Context, x Batch) error { w.fitted += x.B; return nil }

func (w *walker) Calibrate(context.Context, Batch) error { w.calibrated++; return nil }

func (w *walker) Checkpoint() (Checkpoint, error) {
	return Checkpoint{
		Format: Format, Arch: "walker", Config: json.RawMessage(`{}`), Labels: []string{"a", "b"}, Step: w.step,
		Tensors: []Tensor{{Name: "w", Shape: []int{3}, Data: slices.Clone(w.weights[:])}},
	}, nil
}

func (w *walker) Restore(c Checkpoint) error {
	w.step = c.Step
	copy(w.weights[:], c.Tensors[0].Data)
	return nil
}

func data(n int) Batch {
	b := Batch{B: n, T: 2, F: 3, Data: make([]float32, n*6), Labels: make([]int, n)}
	for i := range b.Data {
		b.Data[i] = float32(i%17) / 17
	}
	for i := range b.Labels {
		b.Labels[i] = i
	}
	return b
}

func mustBytes(t *testing.T, c Checkpoint) string {
	t.Helper()
	b, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestResumeIsExactAfterAnyStep(t *testing.T) {
	const steps = 40
	trainer := func() *Trainer { return &Trainer{Steps: steps, BatchSize: 7, Seed: 5, EvalEvery: 9} }
	whole, err := trainer().Run(t.Context(), &walker{}, data(23), data(5))
	if err != nil {
		t.Fatal(err)
	}
	for stop := int64(1); stop < steps; stop += 3 {
		ctx, cancel := context.WithCancel(t.Context())
		w := &walker{}
		w.onStep = func() {
			if w.step == stop {
				cancel()
			}
		}
		part, err := trainer().Run(ctx, w, data(23), data(5))
		if !errors.Is(err, context.Canceled) || part.Step != stop {
			t.Fatalf("stopped after %d: step %d, error %v", stop, part.Step, err)
		}
		part, err = Decode([]byte(mustBytes(t, part)))
		if err != nil {
			t.Fatal(err)
		}
		second := trainer()
		second.Resume = &part
		rest, err := second.Run(t.Context(), &walker{}, data(23), data(5))
		if err != nil {
			t.Fatal(err)
		}
		if mustBytes(t, rest) != mustBytes(t, whole) {
			t.Fatalf("resumed after %d: another checkpoint than without the stop", stop)
		}
	}
	other := trainer()
	other.Seed = 6
	c, err := other.Run(t.Context(), &walker{}, data(23), data(5))
	if err != nil {
		t.Fatal(err)
	}
	if mustBytes(t, c) == mustBytes(t, whole) {
		t.Error("another seed gives the same checkpoint")
	}
}

func TestEveryPassSeesEveryClipOnceInAnotherOrder(t *testing.T) {
	w := &walker{}
	if _, err := (&Trainer{Steps: 30, BatchSize: 10, Seed: 1}).Run(t.Context(), w, data(100), Batch{}); err != nil {
		t.Fatal(err)
	}
	var passes [][]int
	for p := range slices.Chunk(w.seen, 100) {
		sorted := slices.Sorted(slices.Values(p))
		if !slices.Equal(sorted, sequence(0, 100)) {
			t.Fatalf("a pass is no permutation: %v", sorted)
		}
		passes = append(passes, p)
	}
	if slices.Equal(passes[0], passes[1]) || slices.Equal(passes[0], sequence(0, 100)) {
		t.Error("the clips are not shuffled anew")
	}
}

func TestNaNStopsAndSavesNothing(t *testing.T) {
	saved := 0
	trainer := &Trainer{Steps: 20, EvalEvery: 5, SaveEvery: 1, Save: func(Checkpoint) error { saved++; return nil }}
	_, err := trainer.Run(t.Context(), &walker{nanAt: 3}, data(10), data(2))
	var loss *LossError
	if !errors.As(err, &loss) || loss.Step != 3 || loss.Loss != "zeta" || saved != 0 {
		t.Errorf("error %v, %d checkpoints saved", err, saved)
	}
	if err == nil || !strings.Contains(err.Error(), `step 3: loss "zeta" is NaN`) {
		t.Errorf("message %q", err)
	}
}

func TestWeightsThatAreNoNumbersAreNotSaved(t *testing.T) {
	w := &walker{}
	w.onStep = func() { w.weights[1] = float32(math.Inf(1)) }
	saved := 0
	_, err := (&Trainer{Steps: 1, Save: func(Checkpoint) error { saved++; return nil }}).Run(t.Context(), w, data(10), Batch{})
	if err == nil || saved != 0 {
		t.Errorf("error %v, %d saved", err, saved)
	}
}

// A fakeClock stands still but for the work that is done.
type fakeClock struct{ t time.Time }

func (c *fakeClock) now() time.Time { return c.t }

func TestBudgetPlansAndKeepsToTheTime(t *testing.T) {
	for _, slowdown := range []float64{1, 2.5, 0.4} {
		t.Run(fmt.Sprint(slowdown), func(t *testing.T) {
			c := &fakeClock{time.Unix(0, 0)}
			w := &walker{}
			w.onStep = func() {
				d := 100 * time.Millisecond
				if w.step == 1 {
					d *= 5
				}
				if c.t.Unix() > 20 { // the machine changes its speed on the way
					d = time.Duration(float64(d) * slowdown)
				}
				c.t = c.t.Add(d)
			}
			trainer := &Trainer{Budget: time.Minute, BatchSize: 2}
			var planned []int64
			trainer.OnEvent = func(p Progress) {
				if p.Steps > 0 {
					planned = append(planned, p.Steps)
				}
			}
			cp, err := trainer.run(t.Context(), w, data(10), data(2), c.now)
			if err != nil {
				t.Fatal(err)
			}
			took := c.t.Sub(time.Unix(0, 0))
			if took < 58*time.Second || took > 61*time.Second {
				t.Errorf("took %v of a budget of a minute", took)
			}
			if len(planned) == 0 || planned[0] < 550 || planned[0] > 620 {
				t.Errorf("first plan %v, want about 595 steps", planned[:min(1, len(planned))])
			}
			if d := math.Abs(float64(cp.Planned - cp.Step)); d > 0.03*float64(cp.Step)+1 {
				t.Errorf("the schedule was for %d steps, %d were made", cp.Planned, cp.Step)
			}
		})
	}
}

func TestEventsTellTheWholeStory(t *testing.T) {
	var events []string
	trainer := &Trainer{
		Steps: 6, BatchSize: 2, EvalEvery: 3, SaveEvery: 1,
		OnEvent: func(p Progress) { events = append(events, fmt.Sprint(p.Event, p.Step)) },
		Save:    func(c Checkpoint) error { return nil },
	}
	w := &walker{}
	if _, err := trainer.Run(t.Context(), w, data(10), data(3)); err != nil {
		t.Fatal(err)
	}
	want := "start0 step1 step2 step3 eval3 save3 step4 step5 step6 eval6 save6 done6"
	if got := strings.Join(events, " "); got != want {
		t.Errorf("events\n%s, want\n%s", got, want)
	}
	if w.calibrated != 2 {
		t.Errorf("calibrated %d times, want before each of the 2 saves", w.calibrated)
	}
	if w.fitted != 10 {
		t.Errorf("fitted %d clips, want the 10 to learn from, once", w.fitted)
	}
}

func TestTrainerRefuses(t *testing.T) {
	good, err := (&Trainer{Steps: 4, BatchSize: 2}).Run(t.Context(), &walker{}, data(10), Batch{})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		trainer Trainer
		train   Batch
		want    string
	}{
		"no end":           {Trainer{}, data(3), "neither steps nor a budget"},
		"no clips":         {Trainer{Steps: 1}, Batch{}, "no clips"},
		"other batch size": {Trainer{Steps: 9, BatchSize: 3, Resume: &good}, data(10), "batch size"},
		"other seed":       {Trainer{Steps: 9, BatchSize: 2, Seed: 1, Resume: &good}, data(10), "seed"},
		"other data":       {Trainer{Steps: 9, BatchSize: 2, Resume: &good}, data(11), "training data is not"},
		"past its end":     {Trainer{Steps: 3, BatchSize: 2, Resume: &good}, data(10), "beyond"},
	} {
		if _, err := c.trainer.Run(t.Context(), &walker{}, c.train, Batch{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
	for clips, fitted := range map[int]int{10: 0, 11: 11} { // the same data, and more
		w, more := &walker{}, Trainer{Steps: 9, BatchSize: 2, Resume: &good, NewData: true}
		if c, err := more.Run(t.Context(), w, data(clips), Batch{}); err != nil || c.Step != 9 || w.fitted != fitted {
			t.Errorf("resumed with %d clips: step %d, %d clips fitted, want 9 and %d, error %v", clips, c.Step, w.fitted, fitted, err)
		}
	}
}

func TestSaveErrorEndsTheRun(t *testing.T) {
	full := errors.New("disk full")
	_, err := (&Trainer{Steps: 2, Save: func(Checkpoint) error { return full }}).Run(t.Context(), &walker{}, data(10), Batch{})
	if !errors.Is(err, full) {
		t.Errorf("error %v", err)
	}
}
