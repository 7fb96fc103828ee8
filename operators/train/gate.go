package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"wavemill/models"
	"wavemill/models/eval"
	"wavemill/pipeline/modelstore"
)

// The gate decides whether a complete model is served. Both the new model and the served one generate the same number of
// clips of the labels that both know, with the same seeds, and are measured on the same recordings, which neither has
// learnt from, see [Reference]: how many clips the classifier assigns to their own label, how far they are from the
// recordings, and whether they are copies of them. The new model passes if no figure is worse than the served one's by more
// than the 95 % interval of the difference.

// Verdict is the outcome of the gate.
type Verdict struct {
	Accepted  bool     `json:"accepted"`
	Reason    string   `json:"reason"`
	HeldOut   int      `json:"held_out,omitempty"`  // HeldOut counts the recordings that the models were measured on.
	Reference string   `json:"reference,omitempty"` // Reference is the digest of the recordings, see [Reference].
	New       *Figures `json:"new,omitempty"`
	Served    *Figures `json:"served,omitempty"`    // Served is of the version that was served before; nil: there was none.
	NewClips  *Figure  `json:"new_clips,omitempty"` // NewClips is the share of the new clips whose label the classifier agrees with.
	Seconds   float64  `json:"seconds,omitempty"`   // Seconds is what the comparison took.
}

// Figures are measurements of one model; nil: not measured.
type Figures struct {
	// Accuracy is the share of generated clips that the classifier assigns to their own label, 0 to 1.
	Accuracy *Figure `json:"accuracy,omitempty"`
	// Distance is that of the clips to recordings, the lower the better: the kernel audio distance of models/eval, else its
	// Fréchet distance; of a single label that of models/monitor.
	Distance *Figure `json:"distance,omitempty"`
	// Memorisation is that of models/eval by spectrograms: about RealMemorisation or more for new clips, 0 for copies.
	Memorisation     *Figure `json:"memorisation,omitempty"`
	RealMemorisation float64 `json:"real_memorisation,omitempty"` // RealMemorisation is the same of the held-out recordings.
	// Recordings is the share of held-out recordings that the classifier assigns to their label.
	Recordings *Figure `json:"recordings,omitempty"`

	row      *eval.Row // To compare figures clip by clip; nil: by their intervals.
	distance string    // The name of Distance in the row.
}

// Figure is a value with its 95 % interval.
type Figure struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// String gives the value and its interval.
func (f *Figure) String() string {
	if f == nil {
		return "not measured"
	}
	return fmt.Sprintf("%.3f [%.3f, %.3f]", f.Value, f.Low, f.High)
}

// Measure measures a checkpoint on a reference.
type Measure func(ctx context.Context, c models.Checkpoint) (Figures, error)

// mostDisagreed is how much less often the classifier may agree with the labels of new clips than with those of held-out
// recordings. New speakers or kits cost it some points; labels of which a quarter are wrong cost more.
const mostDisagreed = 0.25

// leastJudged is the least number of held-out recordings by which a first model is refused.
const leastJudged = 20

// judge decides whether a complete checkpoint becomes the served version.
func (r *run) judge(ctx context.Context, c models.Checkpoint) (Verdict, error) {
	s := r.served.checkpoint
	switch {
	case !r.config.Gate:
		return Verdict{Accepted: true, Reason: "gate is false"}, nil
	case r.served.entry.Version == 0:
		return r.judgeFirst(ctx, c)
	case s == nil:
		return Verdict{Accepted: true, Reason: "the served model cannot be read"}, nil
	case !r.served.event.Complete:
		return Verdict{Accepted: true, Reason: "the served model is not complete"}, nil
	case s.FrontEnd != c.FrontEnd:
		return Verdict{Accepted: true, Reason: "the front end was changed; the two models cannot be compared"}, nil
	}
	var lost []string
	for _, label := range s.Labels {
		if !slices.Contains(c.Labels, label) {
			lost = append(lost, label)
		}
	}
	if len(lost) > 0 {
		return Verdict{Reason: "it does not know labels that the served model knows: " + strings.Join(lost, ", ")}, nil
	}
	reference, err := r.reference(ctx, *s, c)
	if err != nil {
		return Verdict{}, err
	}
	if reference.HeldOut.B == 0 {
		return Verdict{Accepted: true, Reason: "it is complete; there are too few held-out clips to compare it with the served model"}, nil
	}
	return r.compare(ctx, reference, s, c)
}

// judgeFirst decides on a model that there is nothing to compare with. It is refused only where the recordings themselves show
// that their labels mean nothing.
func (r *run) judgeFirst(ctx context.Context, c models.Checkpoint) (Verdict, error) {
	first := Verdict{Accepted: true, Reason: "it is the first model"}
	reference, err := r.reference(ctx, c)
	if err != nil || reference.HeldOut.B == 0 {
		return first, err
	}
	return r.compare(ctx, reference, nil, c)
}

// compare measures the models; served is nil where there is none.
func (r *run) compare(ctx context.Context, reference Reference, served *models.Checkpoint, c models.Checkpoint) (Verdict, error) {
	build := r.hooks.NewMeasure
	if build == nil && r.hooks.NewLearner != nil {
		return Verdict{Accepted: true, Reason: "it is complete; it cannot be measured"}, nil
	}
	if build == nil {
		build = NewMeasure
	}
	began := time.Now()
	measure, err := build(reference)
	if err != nil {
		return Verdict{}, err
	}
	v := Verdict{HeldOut: reference.HeldOut.B, Reference: reference.Digest}
	if served != nil {
		before, err := measure(ctx, *served)
		if err != nil {
			return Verdict{}, fmt.Errorf("measure the served model: %w", err)
		}
		v.Served = &before
	}
	now, err := measure(ctx, c)
	if err != nil {
		return Verdict{}, fmt.Errorf("measure the new model: %w", err)
	}
	v.New = &now
	if served != nil && r.hooks.NewMeasure == nil {
		if v.NewClips, err = r.agreement(ctx, reference, *served); err != nil {
			return Verdict{}, fmt.Errorf("judge the labels of the new clips: %w", err)
		}
	}
	v.decide(len(reference.Labels))
	v.Seconds = math.Round(100*time.Since(began).Seconds()) / 100
	r.log.Info("the new model was judged", "accepted", v.Accepted, "reason", v.Reason, "held_out", v.HeldOut, "accuracy", now.Accuracy, "distance", now.Distance, "new_clips", v.NewClips, "seconds", v.Seconds)
	return v, nil
}

// decide fills in the decision from the figures.
func (v *Verdict) decide(labels int) {
	if v.Served == nil {
		v.Accepted, v.Reason = true, "it is the first model"
		chance := 1 / float64(labels)
		if r := v.New.Recordings; r != nil && v.HeldOut >= leastJudged && r.Low <= chance && r.High <= 0.5+chance/2 {
			v.Accepted = false
			v.Reason = fmt.Sprintf("the labels do not match the sounds: a classifier is right about %.0f %% [%.0f, %.0f] of the held-out recordings, and chance is %.0f %%; check the labels", 100*r.Value, 100*r.Low, 100*r.High, 100*chance)
		}
		return
	}
	if c, r := v.NewClips, v.New.Recordings; c != nil && r != nil && c.High < r.Value-mostDisagreed {
		v.Reason = fmt.Sprintf("the labels of the new clips are doubtful: the classifier agrees with %.0f %% [%.0f, %.0f] of them, and with %.0f %% of held-out recordings; check the labels", 100*c.Value, 100*c.Low, 100*c.High, 100*r.Value)
		return
	}
	v.Accepted, v.Reason = true, "it is complete, and no worse than the served model"
	if d, ok := v.difference("label_accuracy", func(f *Figures) *Figure { return f.Accuracy }); ok && d.High < 0 {
		v.Accepted = false
		v.Reason = fmt.Sprintf("its clips are of their own label in %.0f %%, those of the served model in %.0f %% (difference %.0f to %.0f points)", 100*v.New.Accuracy.Value, 100*v.Served.Accuracy.Value, 100*d.Low, 100*d.High)
		return
	}
	if d, ok := v.difference(v.New.distance, func(f *Figures) *Figure { return f.Distance }); ok && d.Low > 0 {
		v.Accepted = false
		v.Reason = fmt.Sprintf("its clips are at a distance of %.3f from recordings, those of the served model at %.3f (difference %.3f to %.3f)", v.New.Distance.Value, v.Served.Distance.Value, d.Low, d.High)
		return
	}
	// A model that has learnt little is far from everything: copies are nearer to recordings than recordings are to each other.
	if d, ok := v.difference(memorisation, func(f *Figures) *Figure { return f.Memorisation }); ok && d.High < 0 && v.New.Memorisation.Value < v.New.RealMemorisation {
		v.Accepted = false
		v.Reason = fmt.Sprintf("its clips are nearer to recordings that it learnt from than recordings are to each other: %.2f, those of the served model %.2f, recordings %.2f (memorisation)", v.New.Memorisation.Value, v.Served.Memorisation.Value, v.New.RealMemorisation)
	}
}

// difference is a figure of the new model less that of the served one, and false where either lacks it. Clips are compared
// request by request where models/eval measured them, else by the intervals of both (Zou and Donner, 2008).
func (v *Verdict) difference(name string, of func(*Figures) *Figure) (Figure, bool) {
	a, b := of(v.New), of(v.Served)
	if a == nil || b == nil {
		return Figure{}, false
	}
	if v.New.row != nil && v.Served.row != nil {
		d, ok := eval.Compare(*v.New.row, *v.Served.row, name)
		return Figure{d.Value, d.Interval[0], d.Interval[1]}, ok
	}
	d := a.Value - b.Value
	return Figure{d, d - math.Hypot(a.Value-a.Low, b.High-b.Value), d + math.Hypot(a.High-a.Value, b.Value-b.Low)}, true
}

// conclude stores a complete checkpoint by the verdict of the gate. An entry that a person or a replica has changed meanwhile,
// by a roll-back or a pin, is read again, and the model is judged against what is served then.
func (r *run) conclude(ctx context.Context, c models.Checkpoint) error {
	defer r.enter(PhaseJudging)()
	for {
		verdict, err := r.judge(ctx, c)
		if err != nil {
			return err
		}
		err = r.retryStore(ctx, c, 5*time.Minute, func(ctx context.Context) error {
			if !verdict.Accepted {
				return r.refuse(ctx, c, verdict)
			}
			return r.serve(ctx, c, verdict)
		})
		if !errors.Is(err, modelstore.ErrConflict) {
			return err
		}
		last := r.served.entry.Last
		served, readErr := r.read(context.WithoutCancel(ctx), r.versions(), r.config.Name)
		if readErr != nil || served.entry.Last != last {
			return err // Another trainer has stored a version.
		}
		r.log.Info("the served version was changed during the training; the new model is judged again", "served_version", served.entry.Version)
		r.served = served
	}
}
