package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"wavemill/audio"
	"wavemill/audio/wav"
	"wavemill/models"
	"wavemill/models/eval"
	"wavemill/models/frontend"
	"wavemill/operators/generate"
)

// topupOptions are the flags of `wavemill topup`.
type topupOptions struct {
	data, test []string
	labels     string
	model, out string
	to         int
	seed       uint64
	confidence float64
	proof      bool
	overwrite  bool
	asJSON     bool
}

func newTopup(a *app) *cobra.Command {
	var o topupOptions
	cmd := &cobra.Command{
		Use:   "topup --data DIR --model MODEL --to N --out DIR",
		Short: "Bring every label of a data set to N clips with generated ones, and prove that it helps",
		Long: `Topup counts the recordings of each label and generates what is missing. Only clips
that pass a sieve are kept: not silent, heard by a classifier (trained on the
recordings) as what they were asked to be, and no copies of recordings.

--out gets the clips, manifest.csv, which lists recordings and clips with their
labels and weights, and topup.json, with how many were tried, kept and refused and
why, and the proof: the accuracy on held-out recordings of a classifier trained
without and with the clips, means of three. Recordings are held out from --data as
"wavemill train" does, or given by --test.

A weight says how often to draw a file, to learn from, beside one clip: recordings
that clips outnumber are to be half of what is learnt from, because what has met few
of them hears clips better than recordings. The proof does so too.`,
		Example: `  wavemill topup --data recordings/ --model model.safetensors --to 500 --out more
  wavemill train --data recordings/ --data more/ --labels more/manifest.csv --out better.safetensors`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.topup(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.data, "data", nil, "folder or file with the recordings; may be repeated (required)")
	f.StringArrayVar(&o.test, "test", nil, "folder or file with other recordings for the proof (default: a tenth of --data)")
	f.StringVar(&o.model, "model", "", "checkpoint, such as model.safetensors (required)")
	f.IntVar(&o.to, "to", 0, "clips that every label shall have, recordings included (required)")
	f.StringVar(&o.out, "out", "", "folder for the clips and the manifest; it is made if it is not there (required)")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the first clip of each label, and of the classifier")
	f.Float64Var(&o.confidence, "confidence", 0, "least probability of the right label, by the classifier (default 0.5; none where it has too few recordings to be reliable)")
	f.BoolVar(&o.proof, "proof", true, "train classifiers without and with the clips")
	f.BoolVar(&o.overwrite, "overwrite", false, "write although --out has a manifest already")
	f.BoolVar(&o.asJSON, "json", false, "print topup.json as one line")
	addLabels(cmd, &o.labels)
	return cmd
}

func (o *topupOptions) check() error {
	switch {
	case len(o.data) == 0:
		return usagef("--data is missing: a folder with recordings")
	case o.model == "":
		return usagef("--model is missing: the checkpoint to generate with")
	case o.to < 1:
		return usagef("--to is missing: how many clips each label shall have")
	case o.out == "":
		return usagef("--out is missing: the folder for the clips")
	case !(o.confidence >= 0 && o.confidence < 1):
		return usagef("--confidence %g is not between 0 and 1", o.confidence)
	}
	if _, err := os.Stat(filepath.Join(o.out, topupManifest)); err == nil && !o.overwrite {
		return fmt.Errorf("%s is there already; --overwrite writes over it", filepath.Join(o.out, topupManifest))
	}
	return nil
}

// The files of a top-up.
const (
	topupManifest = "manifest.csv"
	topupJSON     = "topup.json"
)

// toppedUp is topup.json.
type toppedUp struct {
	Out       string        `json:"out"`
	Manifest  string        `json:"manifest"`
	Model     string        `json:"model"` // digest
	Seed      uint64        `json:"seed"`
	To        int           `json:"to"`
	Labels    []toppedLabel `json:"labels"`
	Generated int           `json:"generated"` // in all
	Judge     eval.HeldOut  `json:"judge"`     // the classifier of the sieve, on recordings held out from its training
	Proof     *eval.Gain    `json:"proof"`     // null without one
}

// toppedLabel is what was done for one label.
type toppedLabel struct {
	Label      string         `json:"label"`
	Recordings int            `json:"recordings"`
	Generated  int            `json:"generated"` // kept
	Tried      int            `json:"tried"`
	Acceptance float64        `json:"acceptance"`        // Generated / Tried; 0 where nothing was tried
	Refused    map[string]int `json:"refused"`           // by reason
	Missing    int            `json:"missing,omitempty"` // to N still
}

// A topping is a top-up at work.
type topping struct {
	*app
	o           topupOptions
	all         []recording
	train, test []audio.Clip
	maker       *generate.Maker
	sieve       *eval.Filter
	clips       []toppedClip
	result      toppedUp
}

// toppedClip is a clip that was kept.
type toppedClip struct {
	file string
	clip generate.Clip
	eval.FilterResult
}

func (a *app) topup(ctx context.Context, o topupOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	checkpoint, err := models.Read(o.model)
	if err != nil {
		return err
	}
	t := &topping{app: a, o: o}
	if t.maker, err = generate.NewMaker(checkpoint); err != nil {
		return fmt.Errorf("%s: %w", o.model, err)
	}
	t.result = toppedUp{Out: o.out, Manifest: filepath.Join(o.out, topupManifest), Model: t.maker.Digest, Seed: o.seed, To: o.to}
	if err := t.load(ctx, checkpoint.Seed); err != nil {
		return err
	}
	if err := t.makeSieve(ctx); err != nil {
		return err
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	for _, label := range labelNames(t.all) {
		if err := t.fill(ctx, label); err != nil {
			return err
		}
	}
	if o.proof {
		if err := t.prove(ctx); err != nil {
			return err
		}
	}
	if err := t.writeManifest(); err != nil {
		return err
	}
	return t.summarise()
}

// load reads the recordings and parts them.
func (t *topping) load(ctx context.Context, seed uint64) error {
	var err error
	if t.all, err = t.recordings(ctx, t.o.data, t.o.labels); err != nil {
		return err
	}
	if len(t.o.test) > 0 {
		test, err := t.recordings(ctx, t.o.test, t.o.labels)
		if err != nil {
			return err
		}
		t.train, t.test = clipsOf(t.all), clipsOf(test)
		return nil
	}
	train, held := split(t.all, seed)
	if len(held) == 0 {
		return errors.New("no label has two recordings: none can be held out; give others with --test")
	}
	t.train, t.test = clipsOf(train), clipsOf(held)
	return nil
}

// makeSieve trains the classifier that the clips have to pass.
func (t *topping) makeSieve(ctx context.Context) error {
	task := t.console.Start("train the classifier", 0, "epochs")
	defer task.Done()
	c, err := eval.Train(ctx, t.train, eval.Options{Seed: t.o.seed, OnProgress: func(p eval.Progress) {
		task.Total(int64(p.Epochs))
		task.Set(int64(p.Epoch))
	}})
	if err != nil {
		return err
	}
	t.result.Judge = c.HeldOut()
	if !c.Reliable() && t.o.confidence == 0 {
		task.Done()
		t.note("the classifier, right about %.0f %% of %d other recordings, is not known to hear well enough to refuse clips: they only must not be silent and no copies (--confidence has it refuse them)",
			100*c.HeldOutAccuracy(), c.HeldOut().Clips)
	}
	if t.sieve, err = eval.NewFilter(ctx, c, t.train, t.o.confidence); err == nil && t.o.confidence == 0 {
		t.sieve = t.sieve.WithReliableLabels()
	}
	return err
}

// Where a model makes less than one good clip in topupPatience, or none in the first topupLeast, it is given up for that label.
const (
	topupPatience = 20
	topupLeast    = 200
	topupShare    = 32 // clips tried at a time
)

// fill brings one label to the wanted number.
func (t *topping) fill(ctx context.Context, label string) error {
	l := toppedLabel{Label: label, Refused: map[string]int{}}
	for _, r := range t.all {
		if r.item.Label == label {
			l.Recordings++
		}
	}
	need := max(0, t.o.to-l.Recordings)
	defer func() {
		l.Missing = need - l.Generated
		if l.Tried > 0 {
			l.Acceptance = float64(l.Generated) / float64(l.Tried)
		}
		t.result.Labels = append(t.result.Labels, l)
		t.result.Generated += l.Generated
	}()
	if need > 0 && !slices.Contains(t.maker.Labels, label) {
		t.note("%s: the model does not know this label; nothing is added", label)
		return nil
	}
	if need == 0 {
		return nil
	}
	task := t.console.Start("top up "+label, int64(need), "clips")
	defer task.Done()
	seed := t.o.seed
	for l.Generated < need && l.Tried < max(topupLeast, topupPatience*(l.Generated+1)) {
		made, err := t.try(ctx, label, seed, min(topupShare, need-l.Generated))
		if err != nil {
			return err
		}
		seed += uint64(len(made))
		for _, m := range made {
			l.Tried++
			if !m.OK {
				l.Refused[strings.Fields(m.Reason)[0]]++
				continue
			}
			if err := t.keep(m); err != nil {
				return err
			}
			l.Generated++
		}
		task.Set(int64(l.Generated))
	}
	if l.Generated < need {
		t.note("%s: only %d of %d tries passed the sieve (refused: %s); %d clips are missing. Train the model longer, or lower --confidence",
			label, l.Generated, l.Tried, reasons(l.Refused), need-l.Generated)
	}
	return nil
}

// try makes the clips of n seeds and sifts them.
func (t *topping) try(ctx context.Context, label string, seed uint64, n int) ([]toppedClip, error) {
	made := make([]toppedClip, n)
	sounds := make([]audio.Clip, n)
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range made {
		group.Go(func() error {
			clip, err := t.maker.Make(working, label, seed+uint64(i), 0)
			if errors.Is(err, frontend.ErrSilent) {
				clip, err = generate.Clip{Audio: audio.Clip{Samples: make([]float32, 1000), Channels: 1, Rate: 8000}}, nil
			}
			made[i].clip, sounds[i] = clip, clip.Audio
			sounds[i].Label = label
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	sifted, err := t.sieve.Check(ctx, sounds)
	if err != nil {
		return nil, err
	}
	for i, s := range sifted {
		made[i].FilterResult = s
	}
	return made, nil
}

// keep writes a clip that passed.
func (t *topping) keep(c toppedClip) error {
	data, err := c.clip.WAV(wav.PCM16)
	if err != nil {
		return err
	}
	c.file = clipFile(t.o.out, c.clip.Label, c.clip.Seed)
	if err := writeFile(c.file, data); err != nil {
		return err
	}
	t.clips = append(t.clips, c)
	return nil
}

// prove trains classifiers without and with the clips.
func (t *topping) prove(ctx context.Context) error {
	task := t.console.Start("prove", 0, "classifiers")
	defer task.Done()
	trial := eval.Trial{Seeds: []uint64{t.o.seed, t.o.seed + 1, t.o.seed + 2}, OnProgress: func(done, all int) {
		task.Total(int64(all))
		task.Set(int64(done))
	}}
	added := make([]audio.Clip, len(t.clips))
	for i, c := range t.clips {
		added[i] = c.clip.Audio
	}
	gain, err := trial.Run(ctx, t.train, added, t.test)
	if err != nil {
		return err
	}
	t.result.Proof = &gain
	return nil
}

// writeManifest lists recordings and clips with their labels: what `--labels manifest.csv` reads. Their weights are how
// often to draw each, beside a clip: recordings that clips outnumber often enough to be half of what is learnt from.
func (t *topping) writeManifest() error {
	weight := map[string]string{}
	for _, l := range t.result.Labels {
		weight[l.Label] = strconv.FormatFloat(max(1, float64(l.Generated)/float64(l.Recordings)), 'f', 3, 64)
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	rows := [][]string{{"file", "label", "origin", "seed", "confidence", "newness", "weight"}}
	for _, r := range t.all {
		path, err := filepath.Abs(r.item.Path)
		if err != nil {
			return err
		}
		rows = append(rows, []string{path, r.item.Label, "recorded", "", "", "", weight[r.item.Label]})
	}
	for _, c := range t.clips {
		rows = append(rows, []string{
			filepath.Base(c.file), c.clip.Label, "generated", strconv.FormatUint(c.clip.Seed, 10),
			strconv.FormatFloat(c.Confidence, 'f', 4, 64), strconv.FormatFloat(c.Newness, 'f', 3, 64), "1.000",
		})
	}
	if err := w.WriteAll(rows); err != nil {
		return err
	}
	return writeFile(filepath.Join(t.o.out, topupManifest), b.Bytes())
}

func (t *topping) summarise() error {
	text, err := json.MarshalIndent(t.result, "", "  ")
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(t.o.out, topupJSON), append(text, '\n')); err != nil {
		return err
	}
	if t.o.asJSON {
		return t.printJSON(t.result)
	}
	for _, l := range t.result.Labels {
		line := fmt.Sprintf("%s: %d recordings, %d clips added", l.Label, l.Recordings, l.Generated)
		if l.Tried > 0 {
			line += fmt.Sprintf(" (%d tried, %.0f %% kept; refused: %s)", l.Tried, 100*l.Acceptance, reasons(l.Refused))
		}
		if err := t.say("%s", line); err != nil {
			return err
		}
	}
	if g := t.result.Proof; g != nil {
		if err := t.say("proof: on %d recordings that were not learnt from, a classifier names %.1f %% rightly without the clips and %.1f %% with them: %+.1f points",
			len(t.test), 100*g.Before, 100*g.After, g.Points); err != nil {
			return err
		}
	}
	return t.say("%s", t.result.Manifest)
}

// reasons lists counts by reason.
func reasons(refused map[string]int) string {
	if len(refused) == 0 {
		return "none"
	}
	parts := make([]string, 0, len(refused))
	for _, r := range slices.Sorted(maps.Keys(refused)) {
		parts = append(parts, fmt.Sprintf("%d %s", refused[r], r))
	}
	return strings.Join(parts, ", ")
}
