package training

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// MaxBatchSize is the greatest Job.BatchSize. It does not depend on the number of recordings: a batch that is larger than
// their number has some of them more than once.
const MaxBatchSize = 4096

// Validate reports the first field that cannot be used, as far as that shows without recordings. The message begins with
// the name of the field as command lines spell it, such as "eval-every".
func (j Job) Validate() error {
	negative := func(name string, v int64) error { return fmt.Errorf("%s %d: must not be negative", name, v) }
	if err := j.Architectures.Validate(); err != nil {
		return err
	}
	names := j.Architectures.OrKnown().Names()
	switch {
	case j.Budget < 0:
		return fmt.Errorf("budget %v: must not be negative", j.Budget)
	case j.Steps < 0:
		return negative("steps", j.Steps)
	case j.BatchSize < 0:
		return negative("batch", int64(j.BatchSize))
	case j.BatchSize > MaxBatchSize:
		return fmt.Errorf("batch %d: at most %d; a step holds the activations of the whole batch in memory", j.BatchSize, MaxBatchSize)
	case j.Channels < 0:
		return negative("channels", int64(j.Channels))
	case j.Patience < 0:
		return negative("patience", int64(j.Patience))
	case j.EvalEvery < 0:
		return negative("eval-every", j.EvalEvery)
	case j.SaveEvery < 0:
		return fmt.Errorf("save-every %v: must not be negative", j.SaveEvery)
	case j.BestBy != "" && j.BestBy != BestByDistance && j.BestBy != BestByLast && !strings.HasPrefix(j.BestBy, "val/"):
		return fmt.Errorf("best-by %q is none of %s, val/LOSS, %s", j.BestBy, BestByDistance, BestByLast)
	case j.BestBy == BestByLast && j.Patience > 0:
		return errors.New("patience needs a figure; best-by last has none")
	case len(j.Freeze) > 0 && j.Init == nil && j.Resume == nil:
		return errors.New("freeze needs init: parts of an untrained network would stay untrained")
	case j.Resume == nil && j.NewLearner == nil && j.Arch != ArchAuto && !slices.Contains(names, j.Arch):
		return fmt.Errorf("model %q is unknown; there are: %s", j.Arch, strings.Join(names, ", "))
	}
	return nil
}

// ChannelsAuto is the text of Job.Channels 0: the width that suits the budget.
const ChannelsAuto = "auto"

// ParseChannels reads a width of the network for Job.Channels: a positive number, or ChannelsAuto or "" for 0.
func ParseChannels(text string) (int, error) {
	if text == ChannelsAuto || text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("channels is %s or a positive number, not %q", ChannelsAuto, text)
	}
	return n, nil
}
