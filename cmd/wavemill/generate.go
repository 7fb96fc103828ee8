package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wavemill/models"
	"wavemill/operators/generate"
)

// generateOptions are the flags of `wavemill generate`.
type generateOptions struct {
	model, out  string
	labels      []string
	n           int
	seed        uint64
	temperature float64
	asJSON      bool

	mix         float64
	interpolate int
	likes       []string
	strength    float64

	judge      judgeOptions
	untilGood  bool
	confidence float64
	realness   float64
	newness    float64
	maxTries   int
	keepBest   bool

	given func(flag string) bool // whether a flag stands on the command line
}

func newGenerate(a *app) *cobra.Command {
	var o generateOptions
	cmd := &cobra.Command{
		Use:   "generate --model MODEL --label LABEL --out DIR",
		Short: "Make clips from a checkpoint, without a bus",
		Long: `Generate makes WAV files that nobody recorded. Each is named by its label and seed,
and says in its INFO chunk which model and seed made it, and everything else that
"wavemill regenerate" needs: the same checkpoint and the same flags give the same
bytes. Clip i of a series has seed + i.

--mix makes clips between two labels, or between two given clips; --interpolate all
the way from one to the other. --like makes variations of given clips. All three are
ways through the model's latents; --like needs a model with an encoder, vae or vaegan.

--until-good throws away what a judge does not hear as its label, what the model's
own discriminator finds unreal, and copies of recordings, and tries the next seed.
The judge comes from "wavemill judge" or is trained on --data. Without --until-good
a judge only says what it hears.`,
		Example: `  wavemill generate --model m.safetensors --label kick --seed 7 --out clips
  wavemill generate --model m.safetensors --label all --n 10 --out clips --json

  wavemill generate --model m.safetensors --label three,seven --mix 0.3 --n 5 --out clips
  wavemill generate --model m.safetensors --label three,seven --interpolate 9 --out clips
  wavemill generate --model m.safetensors --like a.wav --like b.wav --interpolate 9 --out clips
  wavemill generate --model m.safetensors --like a.wav --strength 0.4 --n 5 --out clips

  wavemill judge --data recordings --model m.safetensors --out judge.safetensors
  wavemill generate --model m.safetensors --label all --n 50 --until-good --judge judge.safetensors --out clips`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.given = func(flag string) bool { return cmd.Flags().Changed(flag) }
			return a.generate(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.model, "model", "", "checkpoint, such as model.safetensors (required)")
	f.StringArrayVar(&o.labels, "label", nil, "what to make: a label of the model, several with commas between, or all; may be repeated")
	f.IntVar(&o.n, "n", 1, "clips for each label, or for each point of --interpolate")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the first clip of each label")
	f.Float64Var(&o.temperature, "temperature", 0, "variety: below 1 nearer to the typical, above 1 further (default: the model's own)")
	f.StringVar(&o.out, "out", "", "folder for the clips; it is made if it is not there (required)")
	f.BoolVar(&o.asJSON, "json", false, `print one line for each clip: {"file","label","seed","confidence",...}; see docs/generating.md`)
	f.Float64Var(&o.mix, "mix", 0, "between two labels or two clips: 0 is all the first, 1 all the second")
	f.IntVar(&o.interpolate, "interpolate", 0, "so many clips from one label or clip to the other, both ends included, equally spaced")
	f.StringArrayVar(&o.likes, "like", nil, "clip to vary, or to begin or end at with --mix and --interpolate; may be repeated")
	f.Float64Var(&o.strength, "strength", generate.DefaultStrength, "how far variations go: 0 is the clip as the model hears it, 1 a new clip of the label")
	addJudge(f, &o.judge)
	addUntilGood(f, &o)
	return cmd
}

// addUntilGood adds the flags of rejection.
func addUntilGood(f *pflag.FlagSet, o *generateOptions) {
	f.BoolVar(&o.untilGood, "until-good", false, "keep only clips that pass --judge, and try further seeds for the others")
	f.Float64Var(&o.confidence, "confidence", 0.5, "until good: least probability of the right label")
	f.Float64Var(&o.realness, "realness", defaultRealness, "until good: least share of recordings that the model's discriminator finds less real; 0 does not ask it")
	f.Float64Var(&o.newness, "newness", 0, "until good: least distance to the nearest recording, in usual distances between recordings (default: the judge's own, about 0.5)")
	f.IntVar(&o.maxTries, "max-tries", 100, "until good: tries for each clip before it counts as failed")
	f.BoolVar(&o.keepBest, "keep-best", false, "until good: where no try passes, keep the best of them instead of failing")
}

// defaultRealness is the quantile of recordings' scores that a clip has to reach.
const defaultRealness = 0.05

func (o *generateOptions) check() error {
	switch {
	case o.model == "":
		return usagef("--model is missing: the checkpoint to generate with")
	case len(o.labels) == 0 && len(o.likes) == 0:
		return usagef("--label is missing: a label of the model, or all; or a clip to vary, with --like")
	case o.out == "":
		return usagef("--out is missing: the folder for the clips")
	case o.n < 1:
		return usagef("--n %d: ask for one clip or more", o.n)
	case !(o.temperature >= 0 && o.temperature <= 10):
		return usagef("--temperature %g is not between 0 and 10", o.temperature)
	}
	if err := o.checkWay(); err != nil {
		return err
	}
	return o.checkJudging()
}

// maxInterpolate bounds a series; far below it neighbours sound the same.
const maxInterpolate = 10000

// isWay says whether the clips lie on a way between two ends.
func (o *generateOptions) isWay() bool { return o.given("mix") || o.given("interpolate") }

// checkWay looks at the flags of mixes, series and variations.
func (o *generateOptions) checkWay() error {
	switch {
	case o.given("mix") && o.given("interpolate"):
		return usagef("--mix is one point of the way and --interpolate all of it: use one of them")
	case !(o.mix >= 0 && o.mix <= 1):
		return usagef("--mix %g is not between 0 (all the first) and 1 (all the second)", o.mix)
	case o.given("interpolate") && (o.interpolate < 2 || o.interpolate > maxInterpolate):
		return usagef("--interpolate %d: ask for 2 to %d clips; the ends are two of them", o.interpolate, maxInterpolate)
	case !(o.strength >= 0 && o.strength <= 1):
		return usagef("--strength %g is not between 0 (the clip itself) and 1 (a new clip)", o.strength)
	case o.given("strength") && len(o.likes) == 0:
		return usagef("--strength is for variations of a clip: name it with --like")
	case o.given("strength") && o.isWay():
		return usagef("--strength is for variations of a clip; between two ends, --mix says how far")
	case o.isWay() && len(o.likes) > 2:
		return usagef("a way has two ends; --like names %d clips", len(o.likes))
	}
	return nil
}

// checkJudging looks at the flags of judging and rejection.
func (o *generateOptions) checkJudging() error {
	if err := o.judge.check(); err != nil {
		return err
	}
	if o.untilGood {
		switch {
		case !o.judge.asked():
			return usagef("--until-good needs a judge: --judge FILE, made by \"wavemill judge\", or --data DIR, the recordings to train one on")
		case o.given("interpolate"):
			return usagef("--until-good and --interpolate contradict each other: a series is one draw, whose middle may be neither label")
		}
	}
	for _, flag := range []string{"confidence", "realness", "newness", "max-tries", "keep-best"} {
		if o.given(flag) && !o.untilGood {
			return usagef("--%s is a condition of --until-good, which is not there", flag)
		}
	}
	switch {
	case !(o.confidence >= 0 && o.confidence < 1):
		return usagef("--confidence %g is not between 0 and 1", o.confidence)
	case !(o.realness >= 0 && o.realness < 1):
		return usagef("--realness %g is not between 0 and 1", o.realness)
	case !(o.newness >= 0 && o.newness <= 10):
		return usagef("--newness %g is not between 0 and 10", o.newness)
	case o.maxTries < 1:
		return usagef("--max-tries %d: try once or more", o.maxTries)
	}
	return nil
}

func (a *app) generate(ctx context.Context, o generateOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	checkpoint, err := models.Read(o.model)
	if err != nil {
		return err
	}
	maker, err := generate.NewMaker(checkpoint)
	if err != nil {
		return fmt.Errorf("%s: %w", o.model, err)
	}
	g := &generation{app: a, o: o, checkpoint: checkpoint, maker: maker}
	// All that can be refused is refused before a judge is trained and a file is written.
	if err := g.checkLabels(); err != nil {
		return err
	}
	if err := g.openJudge(ctx); err != nil {
		return err
	}
	if err := g.plan(ctx); err != nil {
		return err
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	if o.untilGood {
		return g.untilGood(ctx)
	}
	return g.all(ctx)
}

// allLabels stands for every label of the model, where none is called so.
const allLabels = "all"

// chosenLabels returns the labels asked for, each once, in the order in which they were asked for.
func chosenLabels(asked, known []string) ([]string, error) {
	var out []string
	for _, label := range listedLabels(asked, known) {
		switch {
		case slices.Contains(known, label):
			out = append(out, label)
		case label == allLabels:
			out = append(out, known...)
		default:
			err := &generate.LabelError{Label: label, Labels: known}
			return nil, usagef("--label: %w", err)
		}
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(out, func(label string) bool {
		again := seen[label]
		seen[label] = true
		return again
	}), nil
}

// listedLabels parts lists with commas. A label that has commas itself is none.
func listedLabels(asked, known []string) []string {
	var out []string
	for _, list := range asked {
		if slices.Contains(known, list) {
			out = append(out, list)
			continue
		}
		for label := range strings.SplitSeq(list, ",") {
			out = append(out, strings.TrimSpace(label))
		}
	}
	return out
}
