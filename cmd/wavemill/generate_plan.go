package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"

	"golang.org/x/sync/errgroup"

	"wavemill/audio"
	"wavemill/audio/dataset"
	"wavemill/audio/wav"
	"wavemill/models"
	"wavemill/models/eval"
	"wavemill/models/frontend"
	"wavemill/operators/generate"
)

// A generation is one run of `wavemill generate`.
type generation struct {
	*app
	o          generateOptions
	checkpoint models.Checkpoint
	maker      *generate.Maker
	labels     []string     // asked for, in order
	sieve      *eval.Filter // nil: nobody judges
	kinds      []kind
}

// A kind is clips that differ by their seed alone.
type kind struct {
	generate.Provenance        // with the seed 0
	name                string // of files, before the seed
}

// A generatedClip is what --json prints for each clip.
type generatedClip struct {
	savedClip
	Temperature float64        `json:"temperature,omitempty"`
	Mix         *mixed         `json:"mix,omitempty"`
	Like        string         `json:"like,omitempty"` // file
	Strength    *float64       `json:"strength,omitempty"`
	Newness     *float64       `json:"newness,omitempty"`
	Realness    *float64       `json:"realness,omitempty"`
	Tries       int            `json:"tries,omitempty"`   // until good: this clip's
	Refused     map[string]int `json:"refused,omitempty"` // until good: why tries were refused, and how many
	Reason      string         `json:"reason,omitempty"`  // until good: why it did not pass, although it was kept or was the best
}

// mixed is the way on which a clip lies, as --json prints it.
type mixed struct {
	generate.ListedMix
	Like string `json:"like,omitempty"` // file at the end
}

// facts are what is known of a clip that p describes, whether it is made or not.
func facts(p generate.Provenance, model string) generatedClip {
	c := generatedClip{savedClip: savedClip{Label: p.Name(), Seed: p.Seed, Model: model}, Temperature: p.Temperature}
	if p.Like != nil {
		c.Like = p.Like.File
		if p.Mix == nil {
			c.Strength = &p.Strength
		}
	}
	if p.Mix != nil {
		c.Mix = &mixed{ListedMix: generate.ListedMix{From: p.Label, To: p.Mix.Label, Weight: p.Mix.Weight}}
		if p.Mix.Like != nil {
			c.Mix.Like = p.Mix.Like.File
		}
	}
	return c
}

// file is the name of the file of one of a kind.
func (g *generation) file(k kind, seed uint64) string {
	return filepath.Join(g.o.out, fmt.Sprintf("%s_%d.wav", k.name, seed))
}

// clipFile is the name of a generated clip's file.
func clipFile(dir, label string, seed uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%s_%d.wav", dataset.FileSlug(label), seed))
}

// checkLabels finds the labels that are asked for, and whether they fit what is to be made of them.
func (g *generation) checkLabels() error {
	var err error
	if g.labels, err = chosenLabels(g.o.labels, g.maker.Labels); err != nil {
		return err
	}
	n, likes := len(g.labels), len(g.o.likes)
	if g.o.isWay() {
		switch {
		case likes == 0 && n != 2:
			return usagef("a way has two ends: --label names %d labels, such as --label three,seven", n)
		case likes == 1 && n != 2:
			return usagef("a way has two ends: with one --like, --label names its label and the one to go to; or give two --like")
		}
	}
	if likes > 0 && n > 1 && n != max(likes, 2) {
		return usagef("--label names %d labels for %d --like: give one for all, or one for each", n, likes)
	}
	if likes == 1 && n == 2 && !g.o.isWay() {
		return usagef("--label names 2 labels for one --like: give one; or go from the clip to the other label with --mix or --interpolate")
	}
	if likes > 0 && !g.maker.CanEncode() {
		return fmt.Errorf("--like: %w; %s is a %s", generate.ErrNoEncoder, g.o.model, g.maker.Arch)
	}
	return nil
}

// plan says what is to be made.
func (g *generation) plan(ctx context.Context) error {
	sources, err := g.sources(ctx)
	if err != nil {
		return err
	}
	switch {
	case g.o.isWay():
		g.planWay(sources)
	case len(sources) > 0:
		for _, s := range sources {
			p := generate.Provenance{Label: s.label, Temperature: g.o.temperature, Like: s.Source, Strength: g.o.strength}
			g.kinds = append(g.kinds, kind{p, fmt.Sprintf("%s_like-%s_%s", dataset.FileSlug(s.label), s.stem, decimals(g.o.strength, -1))})
		}
	default:
		for _, label := range g.labels {
			g.kinds = append(g.kinds, kind{generate.Provenance{Label: label, Temperature: g.o.temperature}, dataset.FileSlug(label)})
		}
	}
	seen := map[string]bool{}
	for _, k := range g.kinds {
		if seen[k.name] {
			return fmt.Errorf("two different clips would be written to %s: make them one after the other, with an --out for each", g.file(k, g.o.seed))
		}
		seen[k.name] = true
	}
	return nil
}

// planWay is plan between two ends.
func (g *generation) planWay(sources []likeClip) {
	from := generate.Provenance{Temperature: g.o.temperature}
	var to generate.Mix
	var name string
	switch len(sources) {
	case 0:
		from.Label, to.Label = g.labels[0], g.labels[1]
		name = dataset.FileSlug(from.Label + "-" + to.Label)
	case 1:
		from.Label, from.Like, to.Label = sources[0].label, sources[0].Source, g.labels[1]
		name = fmt.Sprintf("%s_like-%s", dataset.FileSlug(from.Label+"-"+to.Label), sources[0].stem)
	default:
		a, b := sources[0], sources[1]
		from.Label, from.Like, to.Label, to.Like = a.label, a.Source, b.label, b.Source
		both := a.label
		if a.label != b.label {
			both += "-" + b.label
		}
		name = fmt.Sprintf("%s_like-%s-to-%s", dataset.FileSlug(both), a.stem, b.stem)
	}
	weights := []float64{g.o.mix}
	digits := -1
	if g.o.given("interpolate") {
		digits = 3 // All of one length, so that names are in the order of the way.
		weights = make([]float64, g.o.interpolate)
		for i := range weights {
			weights[i] = float64(i) / float64(len(weights)-1)
		}
		if len(weights) > 500 {
			digits = 5
		}
	}
	for _, w := range weights {
		mix := to
		mix.Weight = w
		p := from
		p.Mix = &mix
		g.kinds = append(g.kinds, kind{p, name + "_" + decimals(w, digits)})
	}
}

// decimals writes a share with so many digits; with -1, as many as it takes to tell it from others.
func decimals(v float64, digits int) string {
	return strconv.FormatFloat(v, 'f', digits, 64)
}

// all makes n clips of every kind. Of a way, each seed's clips follow each other.
func (g *generation) all(ctx context.Context) error {
	task := g.console.Start("generate", int64(len(g.kinds)*g.o.n), "clips")
	defer task.Done()
	at := func(i int) (kind, uint64) { return g.kinds[i/g.o.n], g.o.seed + uint64(i%g.o.n) } //nolint:gosec // An index.
	if g.o.isWay() {
		at = func(i int) (kind, uint64) { return g.kinds[i%len(g.kinds)], g.o.seed + uint64(i/len(g.kinds)) } //nolint:gosec // An index.
	}
	clips := make([]generatedClip, len(g.kinds)*g.o.n)
	sounds := make([]audio.Clip, len(clips))
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range clips {
		if working.Err() != nil {
			break
		}
		group.Go(func() error {
			k, seed := at(i)
			made, err := g.make(working, k, seed)
			if err != nil {
				return err
			}
			if g.sieve != nil {
				sounds[i] = made.Audio
			}
			clips[i], err = g.write(k, made)
			task.Add(1)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if g.sieve != nil {
		wishes := make([]eval.Condition, len(clips))
		for i := range clips {
			k, _ := at(i)
			wishes[i] = k.wish()
		}
		sifted, err := g.sieve.CheckFor(ctx, sounds, wishes)
		if err != nil {
			return err
		}
		for i, s := range sifted {
			clips[i].judged(s)
		}
	}
	for _, clip := range clips {
		if err := g.report(clip); err != nil {
			return err
		}
	}
	return nil
}

// wish is what a judge has to hear in clips of a kind.
func (k kind) wish() eval.Condition {
	w := eval.Condition{Label: k.Label}
	if k.Mix != nil && k.Mix.Label != k.Label {
		switch k.Mix.Weight {
		case 0:
		case 1:
			w.Label = k.Mix.Label
		default:
			w.Other, w.Weight = k.Mix.Label, k.Mix.Weight
		}
	}
	return w
}

// judged adds what a judge says.
func (c *generatedClip) judged(s eval.FilterResult) {
	c.Confidence, c.Newness, c.Realness, c.Reason = &s.Confidence, &s.Newness, s.Realness, s.Reason
}

// make makes one clip. Silence is a clip too where a judge will refuse it.
func (g *generation) make(ctx context.Context, k kind, seed uint64) (generate.Clip, error) {
	p := k.Provenance
	p.Seed = seed
	clip, err := g.maker.Compose(ctx, p)
	if g.o.untilGood && errors.Is(err, frontend.ErrSilent) {
		rate := g.checkpoint.FrontEnd.Spectrogram.SampleRate
		p.Model = g.maker.Digest
		return generate.Clip{Provenance: p, Audio: audio.Clip{Samples: make([]float32, rate/10), Channels: 1, Rate: rate, Label: p.Name()}}, nil
	}
	return clip, err
}

// write writes a clip to its file.
func (g *generation) write(k kind, clip generate.Clip) (generatedClip, error) {
	data, err := clip.WAV(wav.PCM16)
	if err != nil {
		return generatedClip{}, err
	}
	c := facts(clip.Provenance, g.maker.Digest)
	c.File = g.file(k, clip.Seed)
	return c, writeFile(c.File, data)
}

// report prints a clip that was written.
func (g *generation) report(c generatedClip) error {
	if g.o.asJSON {
		return g.printJSON(c)
	}
	return g.say("%s", c.File)
}
