package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"wavemill/audio"
	"wavemill/audio/wav"
	"wavemill/models"
	"wavemill/models/eval"
	"wavemill/models/sampling"
)

// A generation is one run of `wavemill generate`.
type generation struct {
	*app
	o          generateOptions
	checkpoint models.Checkpoint
	sampler    *sampling.Sampler
	labels     []string     // asked for, in order
	filter     *eval.Filter // nil: none
	kinds      []sampling.Kind
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
	Tries       int            `json:"tries,omitempty"`   // until good: for this clip
	Refused     map[string]int `json:"refused,omitempty"` // until good: rejected tries by reason
	Reason      string         `json:"reason,omitempty"`  // until good: why it did not pass, although it was kept or was the best
}

// mixed is a clip's position between two endpoints, as --json prints it.
type mixed struct {
	From   string  `json:"from"` // label
	To     string  `json:"to"`
	Weight float64 `json:"weight"`         // 0 is From, 1 is To
	Like   string  `json:"like,omitempty"` // file of the second endpoint
}

// clipLine returns the line of a clip with the provenance p, without a file.
func clipLine(p sampling.Provenance) generatedClip {
	c := generatedClip{savedClip: savedClip{Label: p.Name(), Seed: p.Seed, Model: p.Model}, Temperature: p.Temperature}
	if p.Like != nil {
		c.Like = p.Like.File
		if p.Mix == nil {
			c.Strength = &p.Strength
		}
	}
	if p.Mix != nil {
		c.Mix = &mixed{From: p.Label, To: p.Mix.Label, Weight: p.Mix.Weight}
		if p.Mix.Like != nil {
			c.Mix.Like = p.Mix.Like.File
		}
	}
	return c
}

// clipFile is the name of a generated clip's file.
func clipFile(dir, label string, seed uint64) string {
	return filepath.Join(dir, sampling.FileName(label, seed))
}

// chosenLabels returns the labels that --label asks for, each once, in the order of the command line.
func chosenLabels(asked, known []string) ([]string, error) {
	labels, err := sampling.SelectLabels(asked, known)
	if err != nil {
		return nil, usagef("--label: %w", err)
	}
	return labels, nil
}

// checkLabels selects the labels and checks that their number fits the other flags.
func (g *generation) checkLabels() error {
	var err error
	if g.labels, err = chosenLabels(g.o.labels, g.sampler.Labels); err != nil {
		return err
	}
	n, likes := len(g.labels), len(g.o.likes)
	if g.o.interpolates() {
		switch {
		case likes == 0 && n != 2:
			return usagef("an interpolation has two endpoints: --label names %d labels; name two, such as --label three,seven", n)
		case likes == 1 && n != 2:
			return usagef("an interpolation has two endpoints: with one --like, --label names its label and the one to go to; or give two --like")
		}
	}
	if likes > 0 && n > 1 && n != max(likes, 2) {
		return usagef("--label names %d labels for %d --like: give one for all, or one for each", n, likes)
	}
	if likes == 1 && n == 2 && !g.o.interpolates() {
		return usagef("--label names 2 labels for one --like: give one; or go from the clip to the other label with --mix or --interpolate")
	}
	if likes > 0 && !g.sampler.CanEncode() {
		return fmt.Errorf("--like: %w; %s is a %s", sampling.ErrNoEncoder, g.o.model, g.sampler.Arch)
	}
	return nil
}

// plan sets the kinds of clips to generate.
func (g *generation) plan(ctx context.Context) error {
	clips, err := g.references(ctx)
	if err != nil {
		return err
	}
	temperature, err := sampling.Temperature(g.o.requestedTemperature())
	if err != nil {
		return err
	}
	switch {
	case g.o.interpolates():
		from, to := g.endpoints(clips)
		weights := []float64{g.o.mix}
		if g.o.given("interpolate") {
			weights = sampling.Weights(g.o.interpolate)
		}
		g.kinds = sampling.Interpolations(from, to, weights, temperature)
	case len(clips) > 0:
		g.kinds = sampling.Variations(clips, g.o.strength, temperature)
	default:
		g.kinds = sampling.Labels(g.labels, temperature)
	}
	return sampling.CheckNames(g.kinds)
}

// endpoints returns the two endpoints of an interpolation, which checkLabels has counted.
func (g *generation) endpoints(clips []sampling.Reference) (from, to sampling.Reference) {
	switch len(clips) {
	case 0:
		return sampling.Reference{Label: g.labels[0]}, sampling.Reference{Label: g.labels[1]}
	case 1:
		return clips[0], sampling.Reference{Label: g.labels[1]}
	}
	return clips[0], clips[1]
}

// all generates n clips of every kind. The clips of an interpolation are ordered by seed, others by kind.
func (g *generation) all(ctx context.Context) error {
	ps, kindOf := sampling.BySeed(g.kinds, g.o.seed, g.o.n), func(i int) sampling.Kind { return g.kinds[i%len(g.kinds)] }
	if !g.o.interpolates() {
		ps = nil
		for _, k := range g.kinds {
			ps = append(ps, sampling.BySeed([]sampling.Kind{k}, g.o.seed, g.o.n)...)
		}
		kindOf = func(i int) sampling.Kind { return g.kinds[i/g.o.n] }
	}
	task := g.console.Start("generate", int64(len(ps)), "clips")
	defer task.Done()
	lines := make([]generatedClip, 0, sampling.BatchSize)
	clips := make([]sampling.Clip, 0, sampling.BatchSize)
	err := g.sampler.Stream(ctx, ps, func(i int, c sampling.Clip) error {
		line, err := g.write(kindOf(i), c)
		if err != nil {
			return err
		}
		lines, clips = append(lines, line), append(clips, c)
		task.Add(1)
		if len(lines) < cap(lines) && i < len(ps)-1 {
			return nil
		}
		err = g.reportAll(ctx, lines, clips)
		lines, clips = lines[:0], clips[:0]
		return err
	})
	if errors.Is(err, sampling.ErrSilent) {
		return fmt.Errorf("%w; try another --seed, skip such seeds with --until-good, or train the model longer", err)
	}
	return err
}

// reportAll prints the lines of clips, with the filter's figures where there is a filter.
func (g *generation) reportAll(ctx context.Context, lines []generatedClip, clips []sampling.Clip) error {
	if g.filter != nil {
		sounds, conditions := make([]audio.Clip, len(clips)), make([]eval.Condition, len(clips))
		for i, c := range clips {
			var err error
			if sounds[i], err = c.Decoded(); err != nil {
				return err
			}
			conditions[i] = c.Condition()
		}
		results, err := g.filter.CheckFor(ctx, sounds, conditions)
		if err != nil {
			return err
		}
		for i, r := range results {
			lines[i].add(r)
		}
	}
	for _, line := range lines {
		if err := g.report(line); err != nil {
			return err
		}
	}
	return nil
}

// add adds the filter's figures.
func (c *generatedClip) add(r eval.FilterResult) {
	c.Confidence, c.Newness, c.Realness, c.Reason = &r.Confidence, &r.Newness, r.Realness, r.Reason
}

// write writes a clip to its file and returns its line.
func (g *generation) write(k sampling.Kind, clip sampling.Clip) (generatedClip, error) {
	data, err := clip.WAV(wav.PCM16)
	if err != nil {
		return generatedClip{}, err
	}
	c := clipLine(clip.Provenance)
	c.File = filepath.Join(g.o.out, k.FileName(clip.Seed))
	return c, writeFile(c.File, data)
}

// report prints the line of a clip.
func (g *generation) report(c generatedClip) error {
	if g.o.asJSON {
		return g.printJSON(c)
	}
	return g.say("%s", c.File)
}
