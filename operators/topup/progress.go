package topup

import (
	"context"
	"sync"
	"time"

	"wavemill/models/augment"
)

// Progress is how far a round is. A round has these phases: train the classifier, top up LABEL, prove.
type Progress struct {
	Phase   string  `json:"phase"`
	Done    int64   `json:"done"`
	Total   int64   `json:"total"` // Total is 0 while it is not known.
	Unit    string  `json:"unit"`
	Seconds float64 `json:"seconds"`        // Seconds is what the phase has taken so far.
	Left    float64 `json:"left,omitempty"` // Left is what it will take at this pace, in seconds.
	began   time.Time
}

// left estimates what remains of a phase by what it has taken.
func (p Progress) left() float64 {
	if p.Done == 0 || p.Total < p.Done {
		return 0
	}
	return p.Seconds * float64(p.Total-p.Done) / float64(p.Done)
}

// tellEvery is how often the progress of a phase is logged and announced; a proof takes minutes.
const tellEvery = 15 * time.Second

// task shows a phase in the status, the log and the announcements.
type task struct {
	o   *operator
	ctx context.Context

	mu   sync.Mutex
	told time.Time
}

// start begins a phase.
func (o *operator) start(ctx context.Context) augment.Progress {
	return func(name string, total int64, unit string) augment.Task {
		o.mu.Lock()
		o.state.Progress = &Progress{Phase: name, Total: total, Unit: unit, began: time.Now()}
		o.mu.Unlock()
		t := &task{o: o, ctx: ctx, told: time.Now()}
		t.tell()
		return t
	}
}

// Total implements [augment.Task].
func (t *task) Total(n int64) {
	t.o.mu.Lock()
	defer t.o.mu.Unlock()
	if p := t.o.state.Progress; p != nil {
		p.Total = n
	}
}

// Set implements [augment.Task].
func (t *task) Set(done int64) {
	t.o.mu.Lock()
	if p := t.o.state.Progress; p != nil {
		p.Done = done
	}
	t.o.mu.Unlock()
	t.mu.Lock()
	due := time.Since(t.told) >= tellEvery
	if due {
		t.told = time.Now()
	}
	t.mu.Unlock()
	if due {
		t.tell()
	}
}

// Done implements [augment.Task].
func (*task) Done() {}

// tell logs and announces how far the phase is.
func (t *task) tell() {
	if p := t.o.progress(); p != nil {
		t.o.log.Info("topping up: "+p.Phase, "done", p.Done, "total", p.Total, "unit", p.Unit, "seconds", int(p.Seconds), "left_seconds", int(p.Left))
	}
	t.o.tell(t.ctx)
}

// progress is how far the round is, or nil where there is none.
func (o *operator) progress() *Progress {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.state.Progress == nil {
		return nil
	}
	p := *o.state.Progress
	p.Seconds = time.Since(p.began).Seconds()
	p.Left = p.left()
	return &p
}
