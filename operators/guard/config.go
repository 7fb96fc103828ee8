package guard

import (
	"errors"
	"fmt"
	"time"

	"wavemill/models/guard"
	"wavemill/pipeline"
)

// Config is the operator's configuration.
type Config struct {
	// Model names a model in the pipeline's model store by which clips are judged too, from its first version on; empty: none.
	Model string `yaml:"model"`
	// Window is how many of the last messages clips are compared with. Memory and the time of a fit grow with it: 1024 take
	// about 10 MB, and a fit some seconds for every Window/4 messages.
	Window int `yaml:"window"`
	// MinClips is how many messages there should be before the first are judged. Where there are fewer, the operator waits
	// until none has come for Idle, and then judges by what there is.
	MinClips int `yaml:"min_clips"`
	// Idle is how long no message must have come for the wait for MinClips to end.
	Idle time.Duration `yaml:"idle"`
	// MinPerLabel is how many clips of a label there must be before they are compared.
	MinPerLabel int `yaml:"min_per_label"`
	// Rate is the sample rate that clips must have, in Hz; 0: any.
	Rate int `yaml:"rate"`
	// MinDuration and MaxDuration bound the duration of clips; 0: no bound.
	MinDuration time.Duration `yaml:"min_duration"`
	MaxDuration time.Duration `yaml:"max_duration"`
	// Clipped is the greatest share of samples at full scale.
	Clipped float64 `yaml:"clipped"`
	// LabelMargin is by how much another label's score must exceed that of the clip's own.
	LabelMargin float64 `yaml:"label_margin"`
	// Spread is how many robust standard deviations above the median distances and errors may be.
	Spread float64 `yaml:"spread"`
	// Realness is the least share of recent clips that the model's discriminator scores lower than the clip.
	Realness float64 `yaml:"realness"`
	// Off are rules that do not refuse. What they measure is in the headers all the same.
	Off []string `yaml:"off"`
}

// Defaults are the configuration of an empty document.
func Defaults() Config {
	l := guard.DefaultLimits()
	return Config{
		Window: 1024, MinClips: 256, Idle: 3 * time.Second, MinPerLabel: l.Least,
		Clipped: l.Full, LabelMargin: l.LabelMargin, Spread: l.Spread, Realness: l.Realness,
	}
}

// Factory builds the operator.
func Factory() pipeline.Factory {
	return pipeline.Typed(Defaults(), func(c Config, env pipeline.Env) (pipeline.Operator, error) {
		return newOperator(c, env)
	})
}

// limits are those of package guard.
func (c Config) limits() guard.Limits {
	return guard.Limits{
		Off: c.Off, Rate: c.Rate, MinSeconds: c.MinDuration.Seconds(), MaxSeconds: c.MaxDuration.Seconds(), Full: c.Clipped,
		LabelMargin: c.LabelMargin, Spread: c.Spread, Realness: c.Realness, Least: c.MinPerLabel,
	}
}

// maxWindow bounds memory and time: a fit of so many clips takes about 1 GB and minutes.
const maxWindow = 8192

// check reports every fault. Where the operator has a pipeline, it needs a stream to write.
func (c Config) check(env pipeline.Env) error {
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	fault(c.Model != "" && pipeline.Slug(c.Model) != c.Model, "model: use letters, digits, - and _")
	fault(c.Window < 32 || c.Window > maxWindow, "window must be between 32 and %d", maxWindow)
	fault(c.MinClips < 0 || c.MinClips > c.Window, "min_clips must be between 0 and window")
	fault(c.Idle <= 0, "idle must be positive")
	fault(env.Pipeline != "" && env.To == "", "the stage has no to: name the stream for what passes, such as to: guarded, and let the next operator read it with from: guarded")
	return errors.Join(append(faults, c.limits().Validate())...)
}
