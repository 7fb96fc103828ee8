package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"wavemill/models/architectures"
	"wavemill/models/frontend"
	"wavemill/models/nn/kernel"
	"wavemill/models/report"
)

// realShown is how many recordings of a label the report shows beside the generated clips.
const realShown = 4

// finish classifies the clips and writes clips.jsonl, the pipeline file, the report and the summary.
func (d *demo) finish(ctx context.Context) error {
	if err := d.classifyClips(ctx); err != nil {
		return err
	}
	if err := d.writeClips(); err != nil {
		return err
	}
	if err := d.writePipeline(); err != nil {
		return err
	}
	page, err := d.page()
	if err != nil {
		return err
	}
	if err := writePage(filepath.Join(d.o.out, demoReport), page); err != nil {
		return err
	}
	if err := writeState(d.o.out, demoState{Fingerprint: d.fingerprint(), Command: d.o.command(), Finished: true}); err != nil {
		return err
	}
	return d.summarise()
}

// writeClips writes one line for each clip, with file names relative to the folder.
func (d *demo) writeClips() error {
	var b bytes.Buffer
	lines := json.NewEncoder(&b)
	lines.SetEscapeHTML(false)
	for _, clip := range d.clips {
		if err := lines.Encode(clip.savedClip); err != nil {
			return err
		}
	}
	return writeFile(filepath.Join(d.o.out, demoClips), b.Bytes())
}

// page is report.html.
func (d *demo) page() (report.Page, error) {
	labels, err := d.reportLabels()
	if err != nil {
		return report.Page{}, err
	}
	page := report.Page{
		Title: count(len(d.clips), "generated clip", "generated clips"), Summary: d.sentence(), Made: time.Now(),
		Tiles: d.tiles(), Labels: labels, Curves: report.Losses("", d.watch.losses()), HeldOut: d.parts.list(),
		SoundsHint: "Left: recordings that the model was trained on. Right: generated clips. Click a picture to play its clip; time runs to the right, frequency upwards. The number in a clip's name is its seed: with the model and the label it gives the same clip again.",
		Letters:    d.letters, Notes: slices.Clone(d.notes), Facts: d.facts(), Timings: d.timings, Command: d.o.command(), Next: d.next(),
	}
	for _, skip := range d.set.Skipped {
		page.Notes = append(page.Notes, fmt.Sprintf("%s was skipped: %s", skip.Path, skip.Reason))
	}
	if d.parts.warning != "" {
		page.Warnings = []string{d.parts.warning}
	}
	if d.evaluation.missing != "" {
		page.Notes = append(page.Notes, "no classifier evaluates the clips: "+d.evaluation.missing)
		return page, nil
	}
	page.Confusions = []report.Confusion{d.evaluation.generated, d.evaluation.real}
	return page, nil
}

// facts are the settings of the run.
func (d *demo) facts() []report.Fact {
	s := d.frontEnd.Spectrogram
	return []report.Fact{
		{Name: "seed", Value: decimal(d.o.seed)},
		{Name: "model", Value: fmt.Sprintf("%s, %d steps of %d clips", d.checkpoint.Arch, d.checkpoint.Step, d.checkpoint.BatchSize)},
		{Name: "model digest", Value: d.digest},
		{Name: "model settings", Value: string(d.checkpoint.Config)},
		{Name: "spectrograms", Value: fmt.Sprintf("%d frames by %d bins, %s %s, %d Hz, n_fft %d, hop %d", d.frontEnd.Frames, s.Bins(), s.Scale, s.Value, s.SampleRate, s.NFFT, s.Hop)},
		{Name: "labels from", Value: d.set.LabelSource},
		{Name: "recordings", Value: fmt.Sprintf("%d, hash %s; %d learnt from, %d held out", len(d.set.Items), d.set.Hash()[:16], len(d.parts.learnt), len(d.parts.heldOut))},
		{Name: "bus", Value: fmt.Sprintf("pipeline %s on %s", d.spec.Name, cmp.Or(d.spec.NATS, "its own NATS server, data in "+d.spec.DataDir))},
		{Name: "machine", Value: fmt.Sprintf("%s/%s, %d processors, kernels %s, %s, wavemill %s", runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), kernel.Class(), runtime.Version(), version())},
	}
}

// sentence summarises the run.
func (d *demo) sentence() string {
	long := fmt.Sprintf("for %d steps", d.checkpoint.Step)
	if d.o.steps == 0 {
		long = "for " + roundDuration(d.watch.trainingTime()).String()
	}
	return fmt.Sprintf("A %s was trained %s on %s of %s and generated %d clips of each.", architectures.Title(d.checkpoint.Arch), long,
		count(len(d.parts.learnt), "recording", "recordings"), count(len(d.labels), "label", "labels"), d.o.perLabel)
}

// Shares from which on a figure is shown as good: of generated clips, and of held-out recordings.
const (
	goodGenerated = 0.5
	goodHeldOut   = 0.9
)

// tiles are the most important figures.
func (d *demo) tiles() []report.Tile {
	var tiles []report.Tile
	if s := d.evaluation.generated.Share(); s.Whole > 0 {
		tiles = append(tiles, shareTile(s, goodGenerated, "of generated clips", "are classified as the requested label"))
	}
	if s := d.evaluation.real.Share(); s.Whole > 0 {
		tiles = append(tiles, shareTile(s, goodHeldOut, "of held-out recordings", "are classified correctly by the same classifier"))
	}
	tiles = append(tiles,
		report.Tile{Value: decimal(len(d.recordings)), Name: "recordings", Detail: count(len(d.labels), "label", "labels")},
		report.Tile{Value: roundDuration(d.watch.trainingTime()).String(), Name: "of training", Detail: fmt.Sprintf("%d steps", d.checkpoint.Step)},
	)
	if n := len(d.letters); n > 0 {
		tiles = append(tiles, report.Tile{Value: decimal(n), Name: "dead letters", Detail: "could not be used; see below", Bad: true})
	}
	return tiles
}

// shareTile shows a share with its interval.
func shareTile(s report.Share, good float64, of, what string) report.Tile {
	return report.Tile{
		Value: percentage(s.Part, s.Whole), Name: of, Good: s.Value() >= good, Bad: s.Value() < good,
		Detail: fmt.Sprintf("%d of %d %s; 95 %% interval %.1f to %.1f %%", s.Part, s.Whole, what, 100*s.Interval[0], 100*s.Interval[1]),
	}
}

// reportLabels collects the sounds and figures of every label.
func (d *demo) reportLabels() ([]report.Label, error) {
	front, err := frontend.New(d.frontEnd)
	if err != nil {
		return nil, err
	}
	out := make([]report.Label, len(d.labels))
	index := map[string]int{}
	for i, label := range d.labels {
		index[label] = i
		out[i] = report.Label{Name: label, Sides: []report.Side{{Name: "recordings"}, {Name: "generated", Generated: true}}}
		if s := d.evaluation.generated.ShareOf(label); s.Whole > 0 {
			out[i].Scores = append(out[i].Scores, fmt.Sprintf("generated: %d of %d classified as %s, %v", s.Part, s.Whole, label, s))
		}
		if s := d.evaluation.real.ShareOf(label); s.Whole > 0 {
			out[i].Scores = append(out[i].Scores, fmt.Sprintf("held-out recordings: %v", s))
		}
	}
	for _, r := range report.Examples(d.parts.learnt, realShown) {
		at, known := index[r.Label]
		if !known {
			continue
		}
		sound, err := report.NewSound(front, r.Clip, filepath.Base(r.Name))
		if err != nil {
			return nil, err
		}
		side := &out[at].Sides[0]
		side.Clips = append(side.Clips, report.Clip{Sound: sound})
	}
	for _, clip := range d.clips {
		sound, err := report.NewSound(front, clip.sound, clip.File)
		if err != nil {
			return nil, err
		}
		if clip.Confidence != nil && clip.Heard != "" {
			sound.Detail = fmt.Sprintf("classified as %s, %.0f\u00a0%%", clip.Heard, 100*(*clip.Confidence))
			if sound.Doubted = clip.Heard != clip.Label; sound.Doubted {
				sound.Detail = "classified as " + clip.Heard
			}
		}
		side := &out[index[clip.Label]].Sides[1]
		side.Clips = append(side.Clips, report.Clip{Sound: sound})
	}
	return out, nil
}

// next are commands to try after the demo.
func (d *demo) next() []report.Fact {
	model, label := quote(filepath.Join(d.o.out, demoModel)), quote(d.labels[0])
	facts := []report.Fact{
		{Name: "More clips of one label, from another seed:", Value: fmt.Sprintf("wavemill generate --model %s --label %s --n 20 --seed 1000 --out more", model, label)},
		{Name: "Serve the model on the bus and request a clip:", Value: fmt.Sprintf("wavemill up -f %s\nnats req %s.generate '{\"label\":%s,\"seed\":7}'", quote(filepath.Join(d.o.out, demoPipelineFile)), d.spec.Name, strings.ReplaceAll(jsonText(d.labels[0]), "'", `\u0027`))},
	}
	if len(d.o.data) == 0 {
		return append(facts, report.Fact{Name: "The same with your own recordings, in a folder for each label:", Value: "wavemill demo --data DIR --budget 3m --out run1"})
	}
	return append(facts, report.Fact{Name: "Better clips, with more time:", Value: fmt.Sprintf("wavemill demo --data %s --budget 10m --out run2", quote(d.o.data[0]))})
}

func jsonText(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return `""`
	}
	return strings.TrimSpace(b.String())
}

// percentage prints a share with one decimal.
func percentage(part, whole int) string {
	if whole == 0 {
		return "none"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(whole))
}

// decimal prints a whole number.
func decimal[T int | int64 | uint64](v T) string { return fmt.Sprintf("%d", v) }
