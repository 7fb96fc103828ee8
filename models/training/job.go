package training

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"wavemill/audio/spectrogram"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/monitor"
	"wavemill/models/vae"
	"wavemill/models/vaegan"
)

// Values of Job.BestBy. Beside them, "val/" and the name of a loss chooses by that loss on the validation clips.
const (
	BestByDistance = monitor.Distance
	BestByLast     = "last" // keep the weights of the last step
)

// ArchAuto is the Job.Arch that stands for what suits the front end of the Set: a vae for one-shots, of which the clips of a
// vaegan flutter and warble more, and a vaegan otherwise; docs/quality.md has the comparisons.
const ArchAuto = "auto"

// ErrBestBy is returned, wrapped, where Job.BestBy names a figure that the training does not have.
var ErrBestBy = errors.New("no such figure to choose the best weights by")

// A Job is one training. Its zero value with Arch and Steps or Budget is usable. The fields that models.Trainer has too
// mean the same here.
type Job struct {
	Arch   string          // a name in Architectures, or ArchAuto
	Config json.RawMessage // the architecture's; nil: its defaults
	// Architectures is the table in which Arch, or the architecture of Resume, is looked up; nil means architectures.Known.
	Architectures architectures.Table
	// Channels is the width of the network. 0 searches for the width and the batch size that suit the budget where Steps
	// is 0, and else leaves what Config says.
	Channels int
	// Seed decides the initial weights, the order of the clips and all noise.
	Seed uint64

	Steps     int64         // in all, those of an earlier run included
	Budget    time.Duration // of this run
	Spent     time.Duration // part of Budget that was used before Start, such as for measuring the front end
	BatchSize int           // 0: searched for with the width, else 32; MaxBatchSize at most
	EvalEvery int64
	SaveEvery time.Duration
	Patience  int
	// BestBy is the figure, the lower the better, that chooses the weights to generate with. "" is BestByDistance, or the
	// figure of the checkpoint that is resumed.
	BestBy string

	// Init, when not nil, is a model of other recordings to start from, see package transfer. The Set must have its front end,
	// and Config its sizes; with Init no size is searched for. Resume goes before it.
	Init *models.Checkpoint
	// Freeze names parts of the networks, such as "encoder", that keep the weights of Init; see models.PartFreezer. A training
	// that is resumed keeps its own.
	Freeze []string
	// Resume, when not nil, is the checkpoint to go on from. Its architecture, configuration, batch size and seed are kept.
	Resume *models.Checkpoint
	// NewData allows Resume with other recordings than before. A checkpoint without a record of its recordings implies it.
	NewData bool

	// Save, when not nil, keeps a checkpoint; see models.Trainer.
	Save func(models.Checkpoint) error
	// OnEvent, when not nil, is called for every event of the training, from the goroutine of Train.
	OnEvent func(models.Progress)
	// Files are written beside the checkpoints. Previews need package monitor.
	Files Files

	// NewLearner replaces Table.NewLearner of Architectures, for learners without a description in a table. The settings for
	// few recordings, the size search and the monitor are then left out.
	NewLearner func(arch string, config json.RawMessage, fe models.FrontEnd, labels []string, seed uint64) (models.Learner, error)
	// NewEvaluator replaces package monitor.
	NewEvaluator func(Set, uint64) (Evaluator, error)
}

// An Evaluator measures what a checkpoint generates, see models.Trainer.Evaluate.
type Evaluator func(context.Context, models.Checkpoint) (models.Evaluation, error)

// A Run is a Job that is ready to train on a Set. It trains once.
type Run struct {
	Settings Settings // what Start decided

	job     Job
	set     Set
	files   fileLog
	learner models.Learner
	trainer models.Trainer
	data    *models.TrainingData
	base    string // digest of the model that the training started from
}

// TimeBudget is the time that the training may take, 0 where it ends by its steps.
func (j Job) TimeBudget() time.Duration {
	if j.Steps > 0 {
		return 0
	}
	return j.Budget
}

// Start decides the settings of a training, builds its network and prepares its evaluations. With a budget and no fixed
// width, it measures the speed of the machine for a few seconds.
func (j Job) Start(ctx context.Context, set Set) (*Run, error) {
	if set.Train.B == 0 {
		return nil, errNoRecordings
	}
	if j.Arch == ArchAuto {
		j.Arch = vaegan.Arch
		if set.FrontEnd.Spectrogram.Scale == spectrogram.ScaleOneShot {
			j.Arch = vae.Arch
		}
	}
	if err := j.Validate(); err != nil {
		return nil, fmt.Errorf("training: %w", err)
	}
	if j.Init != nil && j.Resume == nil && (set.LabelSets || j.Architectures.OrKnown().LabelSets(j.Init.Arch, j.Init.Config)) {
		return nil, errors.New("training: a model with several labels per recording cannot be initialised from another model, nor initialise one without them: their label embeddings differ. Train without --init")
	}
	if set.LabelSets && j.Resume == nil {
		var err error
		if j.Config, err = j.Architectures.OrKnown().WithLabelSets(j.Arch, j.Config); err != nil {
			return nil, fmt.Errorf("training: %w", err)
		}
	}
	r := &Run{job: j, set: set, files: fileLog{files: j.Files}, data: &set.Data}
	r.trainer = models.Trainer{
		Steps: j.Steps, Budget: j.Budget, BatchSize: j.BatchSize, Seed: j.Seed, EvalEvery: j.EvalEvery, SaveEvery: j.SaveEvery,
		BestBy: j.BestBy, Patience: j.Patience, Resume: j.Resume, NewData: j.NewData, OnEvent: j.OnEvent,
	}
	if j.Resume != nil {
		r.resume(*j.Resume)
	} else if err := r.settle(ctx); err != nil {
		return nil, err
	}
	if err := r.build(); err != nil {
		return nil, err
	}
	if r.base != "" {
		r.trainer.Repeats = repeats(set.Train.Labels, len(set.Labels))
	}
	return r, r.evaluations(ctx)
}

// Run is Start and Train.
func (j Job) Run(ctx context.Context, set Set) (models.Checkpoint, Result, error) {
	r, err := j.Start(ctx, set)
	if err != nil {
		return models.Checkpoint{}, Result{}, err
	}
	return r.Train(ctx)
}

// resume takes over what the checkpoint says.
func (r *Run) resume(c models.Checkpoint) {
	r.job.Arch, r.job.Config, r.base, r.job.Freeze = c.Arch, c.Config, c.Base, c.Frozen
	r.trainer.Seed, r.trainer.BatchSize = c.Seed, c.BatchSize
	if r.job.BestBy == "" && c.Best != nil {
		r.trainer.BestBy = c.Best.Metric
	}
	if c.Data == nil {
		// The clips that earlier steps learnt from are unknown. A record of today's split would call some of them held out.
		r.data, r.trainer.NewData = nil, true
	}
	r.Settings = Settings{Arch: c.Arch, Config: c.Config, BatchSize: c.BatchSize, Resumed: true}
}

// build makes the learner.
func (r *Run) build() (err error) {
	newLearner := r.job.NewLearner
	if newLearner == nil {
		newLearner = r.job.Architectures.OrKnown().NewLearner
	}
	if r.learner, err = newLearner(r.job.Arch, r.Settings.Config, r.set.FrontEnd, r.set.Labels, r.trainer.Seed); err != nil {
		return fmt.Errorf("training: %w", err)
	}
	if err := r.freeze(); err != nil {
		return fmt.Errorf("training: freeze: %w", err)
	}
	if r.job.Init == nil || r.job.Resume != nil {
		return nil
	}
	if err := r.start(newLearner); err != nil {
		return fmt.Errorf("training: %w", err)
	}
	return nil
}

// evaluations prepares what evaluates the model while it trains and chooses the best weights.
func (r *Run) evaluations(ctx context.Context) error {
	newEvaluator := r.job.NewEvaluator
	if newEvaluator == nil && r.job.NewLearner == nil {
		newEvaluator = r.monitor
	}
	if newEvaluator != nil {
		evaluate, err := newEvaluator(r.set, r.trainer.Seed)
		if err != nil {
			return err
		}
		r.trainer.Evaluate = evaluate
	}
	switch by := r.trainer.BestBy; {
	case by == BestByLast || newEvaluator == nil:
		r.trainer.BestBy = ""
	case by == "":
		r.trainer.BestBy = BestByDistance
	case strings.HasPrefix(by, "val/"):
		return r.checkLoss(ctx, strings.TrimPrefix(by, "val/"))
	}
	return nil
}

// monitor is the usual evaluator.
func (r *Run) monitor(set Set, seed uint64) (Evaluator, error) {
	m, err := monitor.New(set.Train, set.Validation, set.Labels, set.FrontEnd, monitor.Options{
		Seed: seed, Previews: r.files.previews(), Open: r.job.Architectures.OrKnown().Open,
	})
	if err != nil {
		return nil, err
	}
	return m.Evaluate, nil
}

// checkLoss returns an error where there is no validation loss of that name.
func (r *Run) checkLoss(ctx context.Context, name string) error {
	val := r.set.Validation
	if val.B == 0 {
		return fmt.Errorf("%w: val/%s: there are too few recordings to keep some for validation", ErrBestBy, name)
	}
	losses, err := r.learner.Eval(ctx, val.Select(models.Batch{}, []int{0, val.B - 1}))
	if err != nil {
		return err
	}
	if _, ok := losses[name]; !ok {
		return fmt.Errorf("%w: val/%s: a %s has no such loss; it has: val/%s", ErrBestBy, name, r.job.Arch,
			strings.Join(slices.Sorted(maps.Keys(losses)), ", val/"))
	}
	return nil
}

// Lines describe for a person what Start decided, and the Set.
func (r *Run) Lines() []string {
	fe := r.set.FrontEnd
	return append(r.Settings.Lines(), fmt.Sprintf("model %s: %d frames by %d bins at %d Hz; %d recordings to learn from, %d for validation, %d held out",
		r.Settings.Arch, fe.Frames, fe.Spectrogram.Bins(), fe.Spectrogram.SampleRate, r.set.Train.B, r.set.Validation.B, len(r.set.Data.HeldOut)))
}

// From is the step after which the training goes on, -1 for a new one.
func (r *Run) From() int64 {
	if r.trainer.Resume == nil {
		return -1
	}
	return r.trainer.Resume.Step
}

// Train trains until the steps or the budget are used up, and returns the last checkpoint, which Save was given too. When
// ctx is cancelled it finishes the step, saves, and returns the checkpoint with ctx's error.
func (r *Run) Train(ctx context.Context) (models.Checkpoint, Result, error) {
	result := Result{Settings: r.Settings}
	if err := r.files.open(r.From()); err != nil {
		return models.Checkpoint{}, result, err
	}
	r.trainer.OnEvent = func(p models.Progress) {
		if p.Event == models.EventDone {
			result.EndedBy = p.Reason
		}
		result.History.Add(p)
		r.files.take(p)
		if r.job.OnEvent != nil {
			r.job.OnEvent(p)
		}
	}
	if save := r.job.Save; save != nil {
		r.trainer.Save = func(c models.Checkpoint) error {
			c.Data, c.Base, c.Frozen = r.data, r.base, r.job.Freeze
			return save(c)
		}
	}
	began, cpu := time.Now(), cpuSeconds()
	c, err := r.trainer.Run(ctx, r.learner, r.set.Train, r.set.Validation)
	result.Seconds, result.CPUSeconds = time.Since(began).Seconds(), cpuSeconds()-cpu
	r.files.close(&result)
	c.Data, c.Base, c.Frozen = r.data, r.base, r.job.Freeze
	return c, result, err
}

// A Result is how a training went.
type Result struct {
	Settings   Settings
	EndedBy    string // one of the models.EndedBy constants; "" where it was interrupted
	History    History
	Seconds    float64 // of this run
	CPUSeconds float64 // of all cores, see the runtime/metrics cpu classes: waiting for a busy core counts

	CurvesJSONL, CurvesCSV string // files of the curves; "" where there are none
	CurvesErr              error  // why they are incomplete; nil where they are not
}
