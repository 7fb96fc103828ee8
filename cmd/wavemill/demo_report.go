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

	"wavemill/models/nn/kernel"
	"wavemill/models/report"
)

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
	r := report.Demo{
		Checkpoint: d.checkpoint, Digest: d.digest, Took: d.watch.trainingTime(), History: d.watch.losses(),
		Learnt: d.parts.learnt, HeldOut: d.parts.heldOut, Untrusted: d.parts.warning,
		Real: d.evaluation.real, Generated: d.evaluation.generated, NoClassifier: d.evaluation.missing,
		Made: time.Now(), Letters: d.letters, Notes: slices.Clone(d.notes), Timings: d.timings, Command: d.o.command(), Next: d.next(),
	}
	for _, skip := range d.set.Skipped {
		r.Notes = append(r.Notes, fmt.Sprintf("%s was skipped: %s", skip.Path, skip.Reason))
	}
	for _, c := range d.clips {
		clip := report.DemoClip{File: c.File, Sound: c.sound, Assigned: c.Heard}
		if c.Confidence != nil {
			clip.Confidence = *c.Confidence
		}
		r.Clips = append(r.Clips, clip)
	}
	r.Facts = []report.Fact{
		{Name: "seed", Value: decimal(d.o.seed)},
		{Name: "labels from", Value: d.set.LabelSource},
		{Name: "recordings", Value: fmt.Sprintf("%d, hash %s", len(d.set.Items), d.set.Hash()[:16])},
		{Name: "bus", Value: fmt.Sprintf("pipeline %s on %s", d.spec.Name, cmp.Or(d.spec.NATS, "its own NATS server, data in "+d.spec.DataDir))},
		{Name: "machine", Value: fmt.Sprintf("%s/%s, %d processors, kernels %s, %s, wavemill %s", runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), kernel.Class(), runtime.Version(), version())},
	}
	return r.Page()
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

// decimal prints a whole number.
func decimal[T int | int64 | uint64](v T) string { return fmt.Sprintf("%d", v) }
