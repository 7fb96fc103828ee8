package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"wavemill/audio/dataset"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/frontend"
	"wavemill/models/monitor"
	"wavemill/models/training"
	"wavemill/pipeline"
	"wavemill/pipeline/modelstore"
)

// Config is the operator's configuration.
type Config struct {
	// Model is the architecture, one of models/architectures.
	Model string `yaml:"model" jsonschema:"enum=flow,enum=gan,enum=vae,enum=vaegan"`
	// Name is what the model is called on the bus: <pipeline>.model.<name>. Empty: Model.
	Name string `yaml:"name"`
	// Config is the architecture's own configuration; empty: its defaults.
	Config yaml.RawMessage `yaml:"config"`
	// Seed decides weights, order and noise.
	Seed uint64 `yaml:"seed"`
	// Steps or Budget end the training; with both, whichever comes first. Where neither is given, Budget is DefaultBudget; with
	// Steps alone there is no budget, and nothing depends on the speed of the machine.
	Steps  int64          `yaml:"steps"`
	Budget *time.Duration `yaml:"budget"`
	// BatchSize is the number of clips a step; 0: the trainer's default.
	BatchSize int `yaml:"batch_size"`
	// EvalEvery is the number of steps between evaluations; 0: the trainer's default.
	EvalEvery int64 `yaml:"eval_every"`
	// SaveEvery is the least time between saved checkpoints; 0: the trainer's default.
	SaveEvery time.Duration `yaml:"save_every"`
	// BestBy is the figure, the lower the better, by which the weights to generate with are chosen: monitor.Distance, a loss
	// on the validation clips such as "val/loss", or "last" for those of the last step.
	BestBy string `yaml:"best_by"`
	// Holdout is the share of clips that the training does not use, so that they can evaluate the model.
	Holdout float64 `yaml:"holdout"`
	// Group, where not empty, names the groups that clips carry as Wavemill-Group, such as "speaker": clips of one group are
	// then all trained on or all held out. Only its being there matters to the split; the name is recorded.
	Group string `yaml:"group"`
	// HoldOut lists groups whose clips the training does not use, as FIELD=VALUE, such as "speaker=theo". Each must occur among
	// the clips; Holdout is then held out of the other groups clip by clip.
	HoldOut []string `yaml:"hold_out"`
	// Validation is the share of the other clips that the weights do not learn from, and that choose the best of them.
	Validation float64 `yaml:"validation"`
	// MinClips is how many clips there must be before training begins.
	MinClips int `yaml:"min_clips"`
	// WaitFor begins as soon as there are so many clips. 0: Idle decides alone.
	WaitFor int `yaml:"wait_for"`
	// Idle begins when no new clip has come for so long and none is waiting.
	Idle time.Duration `yaml:"idle"`
	// MinPerLabel is how many clips a label must have to be learnt; smaller ones are set aside. A label of which no clip can be
	// trained on, because all are held out, is set aside in any case.
	MinPerLabel int `yaml:"min_per_label"`
	// Again is how many new clips make a trained model learn again, from where it is, and AgainShare how many as a share of
	// those that it was given last; both must be reached. Again 0: it is left as it is, and the log says so.
	Again      int     `yaml:"again"`
	AgainShare float64 `yaml:"again_share"`
	// FrontEnd is the front end of the spectrograms, with the field names of a checkpoint. Empty: that of the served model,
	// else the one that most clips have when the first training begins. Other spectrograms are refused.
	FrontEnd yaml.RawMessage `yaml:"front_end"`
	// Lease is how long other trainers of the model wait for a sign of life of the active one before one takes over.
	Lease time.Duration `yaml:"lease"`
	// Gate compares a complete model with the served one, and serves it only if it is no worse.
	Gate bool `yaml:"gate"`
	// Keep is how many complete versions are kept, the served one included. See modelstore.DefaultKeep for the default's reason.
	Keep int `yaml:"keep"`
	// MaxClips bounds the memory. Of more clips a sample is kept that does not depend on their order.
	MaxClips int `yaml:"max_clips"`
}

// DefaultBudget is how long a training takes that is given neither steps nor a budget.
const DefaultBudget = 2 * time.Minute

// DefaultPatience is how long a training waits for messages on their way of which none gets any further. It covers ack_wait,
// after which the messages of a killed process are worked on again.
const DefaultPatience = time.Minute

// Defaults are the configuration of an empty document.
func Defaults() Config {
	rule := dataset.DefaultHoldout(0)
	return Config{
		Model: "vae", Holdout: rule.Share, Validation: rule.Validation, BestBy: monitor.Distance,
		MinClips: 16, MinPerLabel: 1, Idle: 3 * time.Second, Again: 16, AgainShare: 0.1, Gate: true, Lease: 10 * time.Second, Keep: modelstore.DefaultKeep,
		MaxClips: 20000, // 330 MB of 64 x 64 spectrograms.
	}
}

// Hooks let the program around the operator take part. All may be nil or empty. The functions are called from the
// operator's goroutine.
type Hooks struct {
	// CheckpointDir is a folder in which every stored checkpoint is also written to <model>.safetensors, for use without the
	// bus. It must exist. The bus remains the place where models are kept: a file that cannot be written is logged.
	CheckpointDir string
	// OnClips is called with the number of clips collected so far.
	OnClips func(model string, clips int)
	// OnProgress is called after every training step, evaluation and save.
	OnProgress func(model string, p models.Progress)
	// OnEvent is called with the event of each stored checkpoint: those of intermediate ones are not complete, and those of
	// complete ones say in Gate whether they are served. Served ones are published on <pipeline>.model.<model>.
	OnEvent func(Event)
	// Patience replaces DefaultPatience; 0: that.
	Patience time.Duration
	// NewLearner replaces models/architectures, for tests and for architectures that are not in that table.
	NewLearner func(arch string, config json.RawMessage, fe models.FrontEnd, labels []string, seed uint64) (models.Learner, error)
	// NewMeasure replaces the comparison with the served model; the result measures checkpoints on one set of held-out clips.
	// Without it, the learners of NewLearner are not compared.
	NewMeasure func(Reference) (Measure, error)
	// NewEvaluator replaces package monitor; the result evaluates the checkpoints of one training. Without it, the learners of
	// NewLearner are not evaluated.
	NewEvaluator func(set training.Set, seed uint64) (training.Evaluator, error)
}

// Factory builds the operator.
func Factory(h Hooks) pipeline.Factory {
	known := h.NewLearner == nil
	return pipeline.Typed(Defaults(), func(c Config, env pipeline.Env) (pipeline.Operator, error) {
		if known && !slices.Contains(architectures.Names(), c.Model) {
			return nil, fmt.Errorf("model %q is unknown; there are: %s", c.Model, strings.Join(architectures.Names(), ", "))
		}
		op, err := newOperator(c, env, h)
		if err == nil && known {
			err = checkArch(op.config.Model, op.arch)
		}
		return op, err
	})
}

// checkArch finds faults of an architecture's configuration before any clip is collected, by building the network for an
// arbitrary front end.
func checkArch(model string, config json.RawMessage) error {
	if _, err := architectures.NewLearner(model, config, frontend.Plan(nil, nil), []string{"a", "b"}, 0); err != nil {
		return fmt.Errorf("config: %w", err)
	}
	return nil
}

// budget is Budget, or 0 where there is none.
func (c Config) budget() time.Duration {
	if c.Budget == nil {
		return 0
	}
	return *c.Budget
}

// again is how many new clips begin another training of a model that was given so many.
func (c Config) again(trained int) int {
	return max(c.Again, int(math.Ceil(c.AgainShare*float64(trained))), 1)
}

// check fills in what follows from other fields and reports every fault.
func (c Config) check() (Config, json.RawMessage, *models.FrontEnd, error) {
	var faults []error
	fault := func(bad bool, text string) {
		if bad {
			faults = append(faults, errors.New(text))
		}
	}
	if c.Name == "" {
		c.Name = c.Model
	}
	fault(c.Name == "" || pipeline.Slug(c.Name) != c.Name, "name: use letters, digits, - and _")
	fault(c.Name == Progress, "name: "+Progress+" is the subject of notices; choose another name")
	if c.Budget == nil && c.Steps == 0 {
		c.Budget = new(DefaultBudget)
	}
	fault(c.Steps < 0 || c.budget() < 0 || c.Steps == 0 && c.budget() == 0, "steps or budget must be positive")
	fault(!(c.Validation >= 0 && c.Validation <= 0.9), "validation must be between 0 and 0.9")
	fault(!(c.Holdout >= 0 && c.Holdout <= 0.9), "holdout must be between 0 and 0.9")
	fault(c.MinClips < 1 || c.MinPerLabel < 1, "min_clips and min_per_label must be at least 1")
	fault(!(c.AgainShare >= 0 && c.AgainShare <= 1), "again_share must be between 0 and 1")
	fault(c.WaitFor < 0 || c.Again < 0 || c.BatchSize < 0 || c.EvalEvery < 0 || c.SaveEvery < 0, "wait_for, again, batch_size, eval_every and save_every must not be negative")
	fault(c.BatchSize > training.MaxBatchSize, fmt.Sprintf("batch_size %d: at most %d; a step holds the activations of the whole batch in memory", c.BatchSize, training.MaxBatchSize))
	fault(c.BestBy != monitor.Distance && c.BestBy != training.BestByLast && !strings.HasPrefix(c.BestBy, "val/"), "best_by must be "+monitor.Distance+", val/ and a loss, or last")
	fault(c.Idle <= 0, "idle must be positive")
	fault(c.Lease < 300*time.Millisecond, "lease must be at least 300ms")
	fault(c.Keep < 2, "keep must be at least 2: the served version, and one to go back to")
	fault(c.MaxClips < c.MinClips, "max_clips must be at least min_clips")
	var config json.RawMessage
	if len(c.Config) > 0 {
		text, err := yaml.YAMLToJSON(c.Config)
		if err != nil {
			faults = append(faults, fmt.Errorf("config: %s", yaml.FormatError(err, false, true)))
		}
		config = text
	}
	fe, err := parseFrontEnd(c.FrontEnd)
	return c, config, fe, errors.Join(append(faults, err)...)
}
