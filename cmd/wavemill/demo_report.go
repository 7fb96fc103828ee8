package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"wavemill/audio"
	"wavemill/audio/spectrogram"
	"wavemill/audio/wav"
	"wavemill/cmd/wavemill/report"
	"wavemill/models/architectures"
	"wavemill/models/nn/kernel"
)

// demoSummary is what the demo found out, as --json prints it.
type demoSummary struct {
	Out          string             `json:"out"`
	Report       string             `json:"report"`
	Model        string             `json:"model"`
	Digest       string             `json:"digest"`
	Arch         string             `json:"arch"`
	Seed         uint64             `json:"seed"`
	Steps        int64              `json:"steps"`
	Labels       []string           `json:"labels"`
	Recordings   int                `json:"recordings"` // used
	DeadLetters  int                `json:"dead_letters"`
	Skipped      int                `json:"skipped"`
	Clips        int                `json:"clips"`
	Heard        *float64           `json:"heard"`    // share of the clips in which the classifier hears the label; null without one
	HeldOut      *float64           `json:"held_out"` // share of held-out recordings that the classifier names rightly
	Metrics      map[string]float64 `json:"metrics"`
	Seconds      float64            `json:"seconds"`
	TrainSeconds float64            `json:"train_seconds"`
}

// realShown is how many real recordings of a label the report shows beside the generated ones.
const realShown = 4

// writeDown judges the clips and writes everything that stays: clips.jsonl, the report, the pipeline file.
func (d *demo) writeDown(ctx context.Context) error {
	confusion, err := d.confusion(ctx)
	if err != nil {
		return err
	}
	if err := d.writeClips(); err != nil {
		return err
	}
	if err := d.writePipeline(); err != nil {
		return err
	}
	page, err := d.page(confusion)
	if err != nil {
		return err
	}
	path := filepath.Join(d.o.out, demoReport)
	if err := report.WriteFile(path, page); err != nil {
		return err
	}
	if err := writeState(d.o.out, demoState{Fingerprint: d.fingerprint(), Command: d.o.command(), Finished: true}); err != nil {
		return err
	}
	return d.summarise(confusion)
}

// writeClips writes one line for each clip, file names relative to the folder.
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

// writePipeline writes the pipeline as a file for `wavemill up`, which then serves the model of the demo.
func (d *demo) writePipeline() error {
	spec := d.spec
	if spec.NATS == "" {
		dir, err := filepath.Abs(spec.DataDir)
		if err != nil {
			return err
		}
		spec.DataDir, spec.Listen = dir, "127.0.0.1:4222"
	}
	doc := yaml.MapSlice{{Key: "name", Value: spec.Name}}
	for _, f := range []yaml.MapItem{{Key: "nats", Value: spec.NATS}, {Key: "data_dir", Value: spec.DataDir}, {Key: "listen", Value: spec.Listen}} {
		if f.Value != "" {
			doc = append(doc, f)
		}
	}
	var stages []yaml.MapSlice
	for _, o := range spec.Operators {
		var config yaml.MapSlice
		if err := yaml.UnmarshalWithOptions(o.Config, &config, yaml.UseOrderedMap()); err != nil {
			return fmt.Errorf("%s: %w", demoPipelineFile, err)
		}
		stage := yaml.MapSlice{{Key: "name", Value: o.Name}, {Key: "operator", Value: o.Operator}}
		if o.Workers > 0 {
			stage = append(stage, yaml.MapItem{Key: "workers", Value: o.Workers})
		}
		stages = append(stages, append(stage, yaml.MapItem{Key: "config", Value: config}))
	}
	text, err := yaml.Marshal(append(doc, yaml.MapItem{Key: "operators", Value: stages}))
	if err != nil {
		return fmt.Errorf("%s: %w", demoPipelineFile, err)
	}
	head := "# The pipeline of this demo. It serves the trained model:\n#   wavemill up -f " + quote(filepath.Join(d.o.out, demoPipelineFile)) + "\n"
	return writeFile(filepath.Join(d.o.out, demoPipelineFile), append([]byte(head), text...))
}

// madeRight counts the clips in which the classifier hears the label that was asked for.
func madeRight(c report.Confusion) (right, total int) {
	for i, row := range c.Counts {
		for j, n := range row {
			total += n
			if i == j {
				right += n
			}
		}
	}
	return right, total
}

func (d *demo) page(confusion report.Confusion) (report.Page, error) {
	labels, err := d.reportLabels(confusion)
	if err != nil {
		return report.Page{}, err
	}
	s := d.frontEnd.Spectrogram
	page := report.Page{
		Title:   fmt.Sprintf("%s that nobody recorded", count(len(d.clips), "sound", "sounds")),
		Summary: d.sentence(),
		Made:    time.Now(),
		Tiles:   d.tiles(confusion),
		Labels:  labels,
		Curves:  d.watch.lossCurves(),
		Heard:   confusion,
		Letters: d.letters,
		Notes:   d.notes,
		Timings: d.timings,
		Command: d.o.command(),
		Next:    d.next(),
	}
	for _, skip := range d.set.Skipped {
		page.Notes = append(page.Notes, fmt.Sprintf("%s was passed over: %s", skip.Path, skip.Reason))
	}
	page.Facts = []report.Fact{
		{Name: "seed", Value: decimal(d.o.seed)},
		{Name: "model", Value: fmt.Sprintf("%s, %d steps of %d clips", d.checkpoint.Arch, d.checkpoint.Step, d.checkpoint.BatchSize)},
		{Name: "model digest", Value: d.digest},
		{Name: "model settings", Value: string(d.checkpoint.Config)},
		{Name: "spectrograms", Value: fmt.Sprintf("%d frames by %d bins, %s %s, %d Hz, n_fft %d, hop %d", d.frontEnd.Frames, s.Bins(), s.Scale, s.Value, s.SampleRate, s.NFFT, s.Hop)},
		{Name: "labels from", Value: d.set.LabelSource},
		{Name: "recordings", Value: fmt.Sprintf("%d, hash %s", len(d.set.Items), d.set.Hash()[:16])},
		{Name: "bus", Value: fmt.Sprintf("pipeline %s on %s", d.spec.Name, cmp.Or(d.spec.NATS, "its own NATS server, data in "+d.spec.DataDir))},
		{Name: "machine", Value: fmt.Sprintf("%s/%s, %d processors, kernels %s, %s, wavemill %s", runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), kernel.Class(), runtime.Version(), version())},
	}
	if d.classifier.Load() == nil {
		page.Notes = append(page.Notes, "there is no classifier to judge the clips: "+d.judged.why)
	}
	return page, nil
}

// sentence says what happened.
func (d *demo) sentence() string {
	long := fmt.Sprintf("for %d steps", d.checkpoint.Step)
	if d.o.steps == 0 {
		long = "for " + roundDuration(d.watch.took).String()
	}
	return fmt.Sprintf("A %s listened to %s of %s %s and then made %d new clips of each.", architectures.Title(d.checkpoint.Arch),
		count(len(d.recordings), "recording", "recordings"), count(len(d.labels), "label", "labels"), long, d.o.perLabel)
}

// goodEnough are the shares above which a figure is shown as good: half of the clips rightly heard, nine tenths of the
// held-out recordings rightly named.
const (
	goodHeard   = 0.5
	goodHeldOut = 0.9
)

func (d *demo) tiles(confusion report.Confusion) []report.Tile {
	var tiles []report.Tile
	if right, total := madeRight(confusion); total > 0 {
		share := float64(right) / float64(total)
		tiles = append(tiles, report.Tile{
			Value: percentage(right, total), Name: "of generated clips", Good: share >= goodHeard, Bad: share < goodHeard,
			Detail: fmt.Sprintf("%d of %d are heard as the label that was asked for", right, total),
		})
		right, total = d.judged.rightAll(), d.judged.totalAll()
		share = float64(right) / float64(max(1, total))
		tiles = append(tiles, report.Tile{
			Value: percentage(right, total), Name: "of held-out recordings", Good: share >= goodHeldOut, Bad: share < goodHeldOut,
			Detail: fmt.Sprintf("%d of %d real ones are named rightly by that classifier", right, total),
		})
	}
	tiles = append(tiles,
		report.Tile{Value: decimal(len(d.recordings)), Name: "recordings", Detail: count(len(d.labels), "label", "labels")},
		report.Tile{Value: roundDuration(d.watch.took).String(), Name: "of training", Detail: fmt.Sprintf("%d steps", d.checkpoint.Step)},
	)
	if n := len(d.letters); n > 0 {
		tiles = append(tiles, report.Tile{Value: decimal(n), Name: "dead letters", Detail: "could not be used; see below", Bad: true})
	}
	return tiles
}

// reportLabels collects what there is to see and hear of every label.
func (d *demo) reportLabels(confusion report.Confusion) ([]report.Label, error) {
	out := make([]report.Label, len(d.labels))
	index := map[string]int{}
	for i, label := range d.labels {
		index[label] = i
		out[i] = report.Label{Name: label, RealRight: d.judged.right[label], RealTotal: d.judged.total[label]}
	}
	for i, label := range confusion.Labels {
		at := index[label]
		out[at].MadeRight, out[at].MadeTotal = confusion.Counts[i][i], total(confusion.Counts[i])
	}
	for _, r := range examples(d.train, realShown) {
		sound, err := d.sound(r.clip, filepath.Base(r.item.Name))
		if err != nil {
			return nil, err
		}
		l := &out[index[r.item.Label]]
		l.Real = append(l.Real, sound)
	}
	for _, clip := range d.clips {
		sound, err := d.sound(clip.sound, clip.File)
		if err != nil {
			return nil, err
		}
		if clip.Confidence != nil && clip.Heard != "" {
			sound.Detail = fmt.Sprintf("heard as %s, %.0f\u00a0%%", clip.Heard, 100*(*clip.Confidence))
			if sound.Doubted = clip.Heard != clip.Label; sound.Doubted {
				sound.Detail = "heard as " + clip.Heard
			}
		}
		l := &out[index[clip.Label]]
		l.Made = append(l.Made, sound)
	}
	return out, nil
}

// examples picks n recordings of each label, evenly spread over those there are, so that they show more than the first
// speaker.
func examples(recordings []recording, n int) []recording {
	byLabel := map[string][]recording{}
	for _, r := range recordings {
		byLabel[r.item.Label] = append(byLabel[r.item.Label], r)
	}
	var out []recording
	for _, label := range slices.Sorted(maps.Keys(byLabel)) {
		all := byLabel[label]
		for i := range min(n, len(all)) {
			out = append(out, all[i*len(all)/min(n, len(all))])
		}
	}
	return out
}

func total(row []int) int {
	n := 0
	for _, v := range row {
		n += v
	}
	return n
}

// sound turns a clip into what the report embeds: the model's view of it as a picture, and a WAV.
func (d *demo) sound(c audio.Clip, name string) (report.Sound, error) {
	s := report.Sound{Name: name}
	spec, _, err := d.front.Analyze(c)
	if err != nil {
		return s, fmt.Errorf("%s: %w", name, err)
	}
	// The loudest 60 dB of each clip, so that a quiet recording is as visible as a loud one.
	high := slices.Max(spec.Data)
	low := slices.Min(spec.Data)
	if c := spec.Config; c.Value == spectrogram.ValueLog && c.Max > c.Min {
		low = max(low, high-float32(2*math.Log(1000)/(c.Max-c.Min)))
	}
	if s.PNG, err = report.Thumbnail(spec.Data, spec.Frames, spec.Bins, low, high); err != nil {
		return s, err
	}
	s.WAV, err = wav.Encode(c, wav.Options{})
	return s, err
}

// next are the commands to try after this.
func (d *demo) next() []report.Fact {
	model, label := quote(filepath.Join(d.o.out, demoModel)), quote(d.labels[0])
	facts := []report.Fact{
		{Name: "More of one label, another seed:", Value: fmt.Sprintf("wavemill generate --model %s --label %s --n 20 --seed 1000 --out more", model, label)},
		{Name: "The model behind a request on the bus:", Value: fmt.Sprintf("wavemill up -f %s\nnats req %s.generate '{\"label\":%s,\"seed\":7}'", quote(filepath.Join(d.o.out, demoPipelineFile)), d.spec.Name, strings.ReplaceAll(jsonText(d.labels[0]), "'", `\u0027`))},
	}
	if len(d.o.data) == 0 {
		facts = append(facts, report.Fact{Name: "The same with recordings of your own, in a folder for each label:", Value: "wavemill demo --data DIR --budget 3m --out run1"})
	} else {
		facts = append(facts, report.Fact{Name: "Better clips, with more time:", Value: fmt.Sprintf("wavemill demo --data %s --budget 10m --out run2", quote(d.o.data[0]))})
	}
	return facts
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

// summarise prints the last lines.
func (d *demo) summarise(confusion report.Confusion) error {
	out := d.o.out
	right, total := madeRight(confusion)
	facts := demoSummary{
		Out: out, Report: filepath.Join(out, demoReport), Model: filepath.Join(out, demoModel), Digest: d.digest, Arch: d.checkpoint.Arch,
		Seed: d.o.seed, Steps: d.checkpoint.Step, Labels: d.labels, Recordings: len(d.recordings), DeadLetters: len(d.letters),
		Skipped: len(d.set.Skipped), Clips: len(d.clips), Metrics: d.checkpoint.Metrics,
		Seconds: time.Since(d.began).Seconds(), TrainSeconds: d.watch.took.Seconds(),
	}
	if total > 0 {
		heard, held := float64(right)/float64(total), float64(d.judged.rightAll())/float64(max(1, d.judged.totalAll()))
		facts.Heard, facts.HeldOut = &heard, &held
	}
	if d.o.asJSON {
		return d.printJSON(facts)
	}
	lines := []string{
		"",
		fmt.Sprintf("recordings  %d used, %s, %d skipped", facts.Recordings, count(facts.DeadLetters, "dead letter", "dead letters"), facts.Skipped),
	}
	for _, l := range d.letters {
		lines = append(lines, fmt.Sprintf("            %s: %s", l.Name, l.Reason))
	}
	for _, n := range d.notes {
		lines = append(lines, "            "+n)
	}
	if total > 0 {
		lines = append(lines,
			fmt.Sprintf("classifier  trained on real recordings only; names %s of %d held-out ones rightly", percentage(d.judged.rightAll(), d.judged.totalAll()), d.judged.totalAll()),
			fmt.Sprintf("generated   %d clips; it hears the wanted label in %s of them", len(d.clips), percentage(right, total)))
	} else {
		lines = append(lines, "classifier  none: "+d.judged.why, fmt.Sprintf("generated   %d clips", len(d.clips)))
	}
	lines = append(lines,
		fmt.Sprintf("model       %s, %d steps, seed %d, digest %s", facts.Model, facts.Steps, facts.Seed, d.digest[:12]),
		fmt.Sprintf("took        %v, of which %v were training", roundDuration(time.Since(d.began)), roundDuration(d.watch.took)),
		"",
		"Look and listen:  "+facts.Report,
		"Try next:")
	for _, f := range d.next() {
		for line := range strings.SplitSeq(f.Value, "\n") {
			lines = append(lines, "  "+line)
		}
	}
	return d.say("%s", strings.Join(lines, "\n"))
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
