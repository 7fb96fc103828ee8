package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wavemill/audio"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/comparison"
	"wavemill/models/eval"
	"wavemill/models/nn/kernel"
	"wavemill/models/sampling"
)

// benchQuality is what `bench quality` is asked for.
type benchQuality struct {
	data   []string
	labels string
	models []string
	budget time.Duration
	seeds  int
	clips  int
	few    float64
	shares []float64
	keep   string
	write  string
	name   string
	asJSON bool
}

func newBenchQuality(a *app) *cobra.Command {
	var b benchQuality
	cmd := &cobra.Command{
		Use:   "quality --data DIR --keep DIR",
		Short: "Train and judge every architecture with several seeds: the tables of docs/quality.md",
		Long: `Quality trains each --model for --budget with each of --seeds seeds, judges it on the
tenth of the recordings that was held out with that seed, and prints the means.
With --few, each is also trained on that share of the training recordings alone, and
a classifier is trained on those with and without its clips.

What is done stays in --keep: the same command goes on where it was stopped.
--write FILE replaces what stands between "<!-- quality NAME -->" and
"<!-- end NAME -->" in a document by the tables.`,
		Example: `  wavemill bench quality --data recordings/ --budget 10m --keep quality --write docs/quality.md --name digits-10m`,
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.benchQuality(cmd.Context(), b) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&b.data, "data", nil, "folder or file with the recordings; may be repeated (required)")
	f.StringSliceVar(&b.models, "model", []string{"vae", "gan", "vaegan"}, "architectures to train")
	f.DurationVar(&b.budget, "budget", 10*time.Minute, "how long to train each")
	f.IntVar(&b.seeds, "seeds", 3, "seeds of split, training and judge: 1 to this")
	f.IntVar(&b.clips, "clips", 0, "clips to generate with each (default: as many as there are training recordings)")
	f.Float64Var(&b.few, "few", 0, "also train on this share of the training recordings alone, such as 0.05; 0 leaves it out")
	f.Float64SliceVar(&b.shares, "shares", eval.DefaultShares(), "shares of the recordings beside which the clips are tried, each with two classifiers; 0 tries none")
	f.StringVar(&b.keep, "keep", "", "folder for checkpoints and judgements (required)")
	f.StringVar(&b.write, "write", "", "document whose tables to replace")
	f.StringVar(&b.name, "name", "", "name of the tables in the document (needed with --write)")
	f.BoolVar(&b.asJSON, "json", false, "print the result as one line of JSON")
	addLabels(cmd, &b.labels)
	return cmd
}

func (b *benchQuality) check() error {
	switch {
	case len(b.data) == 0:
		return usagef("--data is missing: a folder with recordings")
	case b.keep == "":
		return usagef("--keep is missing: the folder for checkpoints and judgements")
	case b.budget <= 0 || b.seeds < 1 || b.clips < 0:
		return usagef("--budget and --seeds must be positive, --clips not negative")
	case !(b.few >= 0 && b.few < 1):
		return usagef("--few %g is not a share between 0 and 1", b.few)
	case b.write != "" && b.name == "":
		return usagef("--write needs --name: the name of the tables in the document")
	}
	for _, s := range b.shares {
		if !(s > 0 && s <= 1) && !(s == 0 && len(b.shares) == 1) {
			return usagef("--shares %g is not a share above 0 and at most 1, nor 0 alone for none", s)
		}
	}
	for _, m := range b.models {
		if !slices.Contains(architectures.Names(), m) {
			return usagef("--model %q is unknown; there are: %s", m, strings.Join(architectures.Names(), ", "))
		}
	}
	return nil
}

// qualityRun is the judgement of one model and seed, as it is kept.
type qualityRun struct {
	Model string                 `json:"model"`
	Seed  uint64                 `json:"seed"`
	Judge eval.EvaluatorAccuracy `json:"judge"`
	Row   eval.Row               `json:"row"`
	Few   *eval.Gain             `json:"few,omitempty"` // trained on a few recordings alone
}

// qualityResult is what --json prints.
type qualityResult struct {
	Name      string         `json:"name"`
	Command   string         `json:"command"`
	Date      string         `json:"date"`
	Machine   string         `json:"machine"`
	Budget    float64        `json:"budget_seconds"`
	Seeds     int            `json:"seeds"`
	Train     int            `json:"train_clips"`
	HeldOut   int            `json:"held_out_clips"`
	FewShare  float64        `json:"few_share,omitempty"`
	DataHash  string         `json:"data_hash"`
	Models    []qualityRun   `json:"models"`
	Reference []qualityRun   `json:"reference"` // real, ceiling and noise
	Means     []qualityMeans `json:"means"`
}

func (a *app) benchQuality(ctx context.Context, b benchQuality) error {
	if err := b.check(); err != nil {
		return err
	}
	set, err := a.scan(ctx, b.data, b.labels)
	if err != nil {
		return err
	}
	decoded, err := a.decodeAll(ctx, set.Items)
	if err != nil {
		return err
	}
	recordings := good(decoded)
	if err := os.MkdirAll(b.keep, 0o755); err != nil {
		return err
	}
	result := qualityResult{
		Name: b.name, Command: b.command(), Date: time.Now().Format(time.DateOnly), Budget: b.budget.Seconds(),
		Machine:  fmt.Sprintf("%s/%s, %d cores, %s kernels", runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), kernel.Class()),
		Seeds:    b.seeds,
		FewShare: b.few, DataHash: set.Hash(),
	}
	for seed := range uint64(b.seeds) {
		q := &qualitySeed{app: a, b: b, seed: seed + 1, hash: set.Hash()}
		q.train, q.held = split(recordings, q.seed)
		if len(q.held) == 0 {
			return errors.New("no label has two recordings that can be used: none can be held out")
		}
		if err := q.run(ctx, &result); err != nil {
			return err
		}
		result.Train, result.HeldOut = len(q.train), len(q.held)
	}
	result.Means = meansOf(result, b.models)
	if b.write != "" {
		if err := replaceSection(b.write, b.name, result.markdown()); err != nil {
			return err
		}
	}
	if b.asJSON {
		return a.printJSON(result)
	}
	return a.say("%s", result.markdown())
}

// command is the command line that makes the tables again, without the folders of this machine.
func (b *benchQuality) command() string {
	text := fmt.Sprintf("wavemill bench quality --data DIR --model %s --budget %v --seeds %d", strings.Join(b.models, ","), b.budget, b.seeds)
	if b.clips > 0 {
		text += fmt.Sprintf(" --clips %d", b.clips)
	}
	if b.few > 0 {
		text += fmt.Sprintf(" --few %g", b.few)
	}
	if !slices.Equal(b.shares, eval.DefaultShares()) {
		shares := make([]string, len(b.shares))
		for i, s := range b.shares {
			shares[i] = fmt.Sprint(s)
		}
		text += " --shares " + strings.Join(shares, ",")
	}
	if b.labels != "" {
		text += " --labels " + quote(b.labels)
	}
	return text + " --keep DIR"
}

// A qualitySeed is everything of one seed: the split, the judge, the models.
type qualitySeed struct {
	*app
	b           benchQuality
	seed        uint64
	hash        string // of the data
	train, held []recording
	evaluation  *comparison.Evaluation // once it is needed
	stages      *stages
}

// run judges what has not been judged yet.
func (q *qualitySeed) run(ctx context.Context, result *qualityResult) error {
	for _, kind := range []string{"real", "ceiling", "noise"} {
		r, err := q.kept(kind, func() (qualityRun, error) { return q.reference(ctx, kind) })
		if err != nil {
			return err
		}
		result.Reference = append(result.Reference, r)
	}
	for _, arch := range q.b.models {
		r, err := q.kept(arch, func() (qualityRun, error) { return q.model(ctx, arch) })
		if err != nil {
			return fmt.Errorf("%s, seed %d: %w", arch, q.seed, err)
		}
		result.Models = append(result.Models, r)
	}
	return nil
}

// file is the name of what is kept of a model.
func (q *qualitySeed) file(model, extension string) string {
	return filepath.Join(q.b.keep, fmt.Sprintf("%s-%.8s-%v-seed%d%s", model, q.hash, q.b.budget, q.seed, extension))
}

// kept returns the judgement that is there already, or makes and keeps it.
func (q *qualitySeed) kept(model string, fresh func() (qualityRun, error)) (qualityRun, error) {
	path := q.file(model, ".json")
	var r qualityRun
	text, err := os.ReadFile(path)
	if err == nil {
		if err := json.Unmarshal(text, &r); err != nil {
			return r, fmt.Errorf("%s: %w; remove it to judge again", path, err)
		}
		if r.Row.Kind != "model" || q.b.few == 0 || r.Few != nil {
			return r, nil
		}
	}
	if r, err = fresh(); err != nil {
		return r, err
	}
	if text, err = json.Marshal(r); err != nil {
		return r, err
	}
	return r, writeFile(path, text)
}

// evaluator returns the evaluation of this seed.
func (q *qualitySeed) evaluator(ctx context.Context) (*comparison.Evaluation, error) {
	if q.evaluation != nil {
		return q.evaluation, nil
	}
	q.stages = &stages{app: q.app}
	var err error
	q.evaluation, err = comparison.Open(ctx, comparison.Data{Learn: clipsOf(q.train), HeldOut: clipsOf(q.held)}, comparison.Options{
		Seed: q.seed, Clips: q.b.clips, Useful: true, Candidates: len(q.b.models), Progress: q.stages,
		Shares: slices.DeleteFunc(slices.Clone(q.b.shares), func(s float64) bool { return s == 0 }),
	})
	return q.evaluation, err
}

// reference measures real clips, the ceiling or noise.
func (q *qualitySeed) reference(ctx context.Context, kind string) (qualityRun, error) {
	e, err := q.evaluator(ctx)
	if err != nil {
		return qualityRun{}, err
	}
	defer q.stages.done()
	r := qualityRun{Model: kind, Seed: q.seed, Judge: e.Evaluator().Report().Evaluator}
	switch kind {
	case "real":
		r.Row = e.Real()
	case "ceiling":
		r.Row, err = e.Ceiling(ctx, planFrontEnd(q.train))
	default:
		r.Row, err = e.Noise(ctx)
	}
	return r, err
}

// model trains, unless its checkpoint is there, and evaluates.
func (q *qualitySeed) model(ctx context.Context, arch string) (qualityRun, error) {
	school := &school{app: q.app, seed: q.seed, budget: q.b.budget}
	cp, log, err := q.trained(ctx, school, arch, q.train, q.file(arch, ".safetensors"))
	if err != nil {
		return qualityRun{}, err
	}
	e, err := q.evaluator(ctx)
	if err != nil {
		return qualityRun{}, err
	}
	defer q.stages.done()
	r := qualityRun{Model: arch, Seed: q.seed, Judge: e.Evaluator().Report().Evaluator}
	c := comparison.Candidate{Name: arch, Checkpoint: cp, Seconds: log.seconds, CPUSeconds: log.cpuSeconds}
	if err := e.Model(ctx, &c); err != nil {
		return r, err
	}
	r.Row = c.Row
	if q.b.few > 0 {
		r.Few, err = q.few(ctx, school, arch)
	}
	return r, err
}

// trained reads a checkpoint or makes it.
func (q *qualitySeed) trained(ctx context.Context, s *school, arch string, recordings []recording, file string) (models.Checkpoint, schooling, error) {
	done := file + ".done"
	if text, err := os.ReadFile(done); err == nil {
		var log schooling
		if _, err := fmt.Sscan(string(text), &log.seconds, &log.cpuSeconds); err != nil {
			return models.Checkpoint{}, log, fmt.Errorf("%s: %w; remove it to train again", done, err)
		}
		cp, err := models.Read(file)
		return cp, log, err
	}
	q.note("%s, seed %d, %d recordings", arch, q.seed, len(recordings))
	cp, log, err := s.train(ctx, arch, recordings, file)
	if err != nil {
		return cp, log, err
	}
	return cp, log, writeFile(done, fmt.Appendf(nil, "%g %g\n", log.seconds, log.cpuSeconds))
}

// few trains on a few recordings alone, makes and sifts clips, and tries them on a classifier that has no other
// recordings either.
func (q *qualitySeed) few(ctx context.Context, s *school, arch string) (*eval.Gain, error) {
	some := fewOf(q.train, q.b.few)
	cp, _, err := q.trained(ctx, s, arch, some, q.file(fmt.Sprintf("%s-few%g", arch, q.b.few), ".safetensors"))
	if err != nil {
		return nil, err
	}
	real, test := clipsOf(some), clipsOf(q.held)
	c, err := eval.Train(ctx, real, eval.Options{Seed: q.seed})
	if err != nil {
		return nil, err
	}
	sieve, err := eval.NewFilter(ctx, c, real, 0)
	if err != nil {
		return nil, err
	}
	sampler, err := sampling.Open(cp)
	if err != nil {
		return nil, err
	}
	clips := make([]audio.Clip, len(q.train))
	for i := range clips {
		p := sampling.Provenance{Label: cp.Labels[i%len(cp.Labels)], Seed: q.seed + uint64(i)}
		clip, err := sampler.WithSilence().Generate(ctx, p)
		if err != nil {
			return nil, err
		}
		if clips[i], err = clip.Decoded(); err != nil {
			return nil, err
		}
	}
	sifted, err := sieve.WithReliableLabels().Check(ctx, clips)
	if err != nil {
		return nil, err
	}
	var good []audio.Clip
	for i, v := range sifted {
		if v.OK {
			good = append(good, clips[i])
		}
	}
	gain, err := eval.Trial{}.Run(ctx, real, good, test)
	gain.Share = q.b.few
	return &gain, err
}

// fewOf returns a share of each label's recordings, at least two, spread evenly over their names.
func fewOf(recordings []recording, share float64) []recording {
	byLabel := map[string][]recording{}
	for _, r := range recordings {
		byLabel[r.item.Label] = append(byLabel[r.item.Label], r)
	}
	var out []recording
	for _, label := range labelNames(recordings) {
		of := byLabel[label]
		n := min(max(2, int(math.Round(share*float64(len(of))))), len(of))
		for i := range n {
			out = append(out, of[(2*i+1)*len(of)/(2*n)])
		}
	}
	return out
}
