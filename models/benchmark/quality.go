package benchmark

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"wavemill/audio/dataset"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/comparison"
	"wavemill/models/eval"
	"wavemill/models/nn/kernel"
	"wavemill/models/training"
)

// A Quality is a benchmark of the clips of architectures.
type Quality struct {
	Name    string // of the tables
	Command string // that makes them again, for the tables

	Models []string      // architectures, see architectures.Names
	Budget time.Duration // of each training; not used with Steps
	Steps  int64         // of each training; 0: Budget
	Seeds  int           // runs have the seeds 1 to Seeds
	Clips  int           // generated with each model; 0: as many as there are recordings to learn from
	Few    float64       // share of the recordings on which models are trained again, alone; 0: none
	Shares []float64     // of the recordings that clips are added to; see comparison.Options
	Epochs int           // of the classifier in the filter of clips that few recordings give; 0: as eval.Options says
	Quick  bool          // trains fewer classifiers with fewer steps, see eval.EvaluatorOptions.Quick
	Group  string        // field by which recordings are held out in groups; "": one by one
	// LeaveOut is a field: each of its values is held out whole in a run of its own, beside a tenth of the other
	// recordings, and accuracies on known and unknown groups are given apart. "": none. It goes by dataset.Item.Group.
	LeaveOut string

	Keep     string   // folder for checkpoints and results, which is created
	DataHash string   // of the recordings: results of other recordings are kept apart
	Progress Progress // nil: none

	// Trainer and NewEvaluator do the work; nil means packages training and comparison.
	Trainer      Trainer
	NewEvaluator func(ctx context.Context, d comparison.Data, o comparison.Options) (Evaluator, error)
}

// Progress shows the trainings and evaluations of a benchmark.
type Progress interface {
	comparison.Progress
	training.Progress
}

// A Trainer trains models.
type Trainer interface {
	// Train trains one model on recordings, split by the rule, and writes its checkpoints to a file.
	Train(ctx context.Context, job training.Job, recordings []dataset.Recording, rule dataset.Holdout, file string) (models.Checkpoint, training.Result, error)
}

// An Evaluator evaluates models on the held-out recordings of one run.
type Evaluator interface {
	Accuracy() eval.EvaluatorAccuracy
	Real() eval.Row
	Ceiling(ctx context.Context, fe models.FrontEnd) (eval.Row, error)
	Noise(ctx context.Context) (eval.Row, error)
	// Model sets the Row of a candidate.
	Model(ctx context.Context, c *comparison.Candidate) error
}

// A Run is what was found out about one model in one run.
type Run struct {
	Model    string                 `json:"model"`
	Seed     uint64                 `json:"seed"`
	LeftOut  string                 `json:"left_out,omitempty"` // group that was held out whole
	Settings string                 `json:"settings"`           // what else the result depends on
	Judge    eval.EvaluatorAccuracy `json:"judge"`
	Row      eval.Row               `json:"row"`
	Few      *eval.Gain             `json:"few,omitempty"`      // of a model trained on few recordings alone
	HeldOut  []training.HeldOut     `json:"held_out,omitempty"` // recordings that the figures were measured on
}

// A Result is what a benchmark found.
type Result struct {
	Name        string       `json:"name"`
	Command     string       `json:"command"`
	Date        string       `json:"date"`
	Machine     string       `json:"machine"`
	Budget      float64      `json:"budget_seconds"`
	Steps       int64        `json:"steps,omitempty"`
	Seeds       int          `json:"seeds"`
	Group       string       `json:"group,omitempty"`
	LeaveOut    string       `json:"leave_out,omitempty"`
	Train       int          `json:"train_clips"` // of the last run
	HeldOut     int          `json:"held_out_clips"`
	FewShare    float64      `json:"few_share,omitempty"`
	Quick       bool         `json:"quick,omitempty"`
	DataHash    string       `json:"data_hash"`
	Models      []Run        `json:"models"`
	Reference   []Run        `json:"reference"` // real, ceiling and noise
	Means       []Means      `json:"means"`
	Differences []Difference `json:"differences,omitempty"` // between each two architectures
}

// String is the Markdown of the result.
func (r Result) String() string { return r.Markdown() }

// references are the rows that models are read against.
func references() []string { return []string{"real", "ceiling", "noise"} }

// silent is a Progress that shows nothing.
type silent struct{}

func (silent) Stage(string, float64) {}
func (silent) Note(string, ...any)   {}
func (silent) Training(time.Duration, int64) (event func(models.Progress), done func()) {
	return func(models.Progress) {}, func() {}
}

// Validate reports the first setting that cannot be used. The message begins with the setting's name in lower case.
func (q Quality) Validate() error {
	known := strings.Join(architectures.Names(), ", ")
	switch {
	case len(q.Models) == 0:
		return errors.New("model is missing; there are: " + known)
	case q.Seeds < 1:
		return fmt.Errorf("seeds %d: one or more are needed", q.Seeds)
	case q.Steps < 0:
		return fmt.Errorf("steps %d: want one or more, or 0 for a budget of time", q.Steps)
	case q.Steps == 0 && q.Budget <= 0:
		return fmt.Errorf("budget %v: must be positive", q.Budget)
	case q.Clips < 0:
		return fmt.Errorf("clips %d: want one or more, or 0 for as many as there are recordings to learn from", q.Clips)
	case !(q.Few >= 0 && q.Few < 1):
		return fmt.Errorf("few %g: want a share above 0 and below 1, or 0 for none", q.Few)
	case q.Keep == "":
		return errors.New("keep is missing: the folder for checkpoints and results")
	case q.Group != "" && q.LeaveOut != "" && q.Group != q.LeaveOut:
		return fmt.Errorf("leave-out %s: recordings are grouped by %s; want one field", q.LeaveOut, q.Group)
	}
	for _, s := range q.Shares {
		if !(s > 0 && s <= 1) {
			return fmt.Errorf("shares %g: want shares above 0 and at most 1, or none", s)
		}
	}
	for _, m := range q.Models {
		if !slices.Contains(architectures.Names(), m) {
			return fmt.Errorf("model %q is unknown; there are: %s", m, known)
		}
	}
	return nil
}

// Run trains and evaluates what is not in the folder yet, and returns all of it. Recordings that cannot be used are
// noted and left out.
func (q Quality) Run(ctx context.Context, recordings []dataset.Recording) (Result, error) {
	if err := q.Validate(); err != nil {
		return Result{}, fmt.Errorf("benchmark: %w", err)
	}
	q = q.withDefaults()
	usable := training.Options{Note: func(line string) { q.Progress.Note("%s", line) }}.Select(recordings)
	folds, err := q.folds(usable)
	if err != nil {
		return Result{}, err
	}
	if err := os.MkdirAll(q.Keep, 0o755); err != nil {
		return Result{}, err
	}
	r := Result{
		Name: q.Name, Command: q.Command, Date: time.Now().Format(time.DateOnly), Budget: q.Budget.Seconds(), Steps: q.Steps,
		Machine: fmt.Sprintf("%s/%s, %d cores, %s kernels", runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), kernel.Class()),
		Seeds:   q.Seeds, Group: q.Group, LeaveOut: q.LeaveOut, FewShare: q.Few, Quick: q.Quick, DataHash: q.DataHash,
	}
	if q.Steps > 0 {
		r.Budget = 0
	}
	for _, f := range folds {
		b := &bench{Quality: q, fold: f}
		if err := b.run(ctx, &r); err != nil {
			return Result{}, fmt.Errorf("%s: %w", f.name(), err)
		}
		r.Train, r.HeldOut = len(f.parts.Learnable()), len(f.parts.HeldOut)
	}
	for _, name := range append(references(), q.Models...) {
		r.Means = append(r.Means, means(name, r.runsOf(name)))
	}
	r.Differences = r.differences(q.Models)
	return r, nil
}

func (q Quality) withDefaults() Quality {
	if q.Progress == nil {
		q.Progress = silent{}
	}
	if q.Trainer == nil {
		q.Trainer = trainer{q.Progress}
	}
	if q.NewEvaluator == nil {
		q.NewEvaluator = newEvaluator
	}
	return q
}

// runsOf returns the runs of a model or reference, in order.
func (r Result) runsOf(name string) []Run {
	var runs []Run
	for _, run := range slices.Concat(r.Reference, r.Models) {
		if run.Model == name {
			runs = append(runs, run)
		}
	}
	return runs
}
