package demo

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"wavemill/internal/text"
	"wavemill/models/nn/kernel"
	"wavemill/models/report"
	"wavemill/pipeline"
)

// writeClips writes one line for each clip, with file names relative to the folder.
func (r *run) writeClips() error {
	var b bytes.Buffer
	lines := json.NewEncoder(&b)
	lines.SetEscapeHTML(false)
	for _, clip := range r.clips {
		if err := lines.Encode(clip.Clip); err != nil {
			return err
		}
	}
	return write(filepath.Join(r.o.Out, ClipsFile), b.Bytes())
}

// page is report.html.
func (r *run) page() (report.Page, error) {
	d := report.Demo{
		Checkpoint: r.checkpoint, Digest: r.digest, Took: r.watch.trainingTime(), History: r.watch.losses(),
		Learnt: r.parts.learnt, HeldOut: r.parts.heldOut, Untrusted: r.parts.warning,
		Real: r.evaluation.real, Generated: r.evaluation.generated, NoClassifier: r.evaluation.missing,
		Made: time.Now(), Letters: r.letters, Notes: slices.Clone(r.notes), Timings: r.timings, Command: r.o.Command, Next: r.next(),
	}
	for _, skip := range r.set.Skipped {
		d.Notes = append(d.Notes, fmt.Sprintf("%s was skipped: %s", skip.Path, skip.Reason))
	}
	for _, c := range r.clips {
		clip := report.DemoClip{File: c.File, Sound: c.sound, Assigned: c.Heard}
		if c.Confidence != nil {
			clip.Confidence = *c.Confidence
		}
		d.Clips = append(d.Clips, clip)
	}
	d.Facts = []report.Fact{
		{Name: "seed", Value: strconv.FormatUint(r.o.Seed, 10)},
		{Name: "labels from", Value: r.set.LabelSource},
		{Name: "recordings", Value: fmt.Sprintf("%d, hash %s", len(r.set.Items), r.set.Hash()[:16])},
		{Name: "bus", Value: fmt.Sprintf("pipeline %s on %s", r.spec.Name, cmp.Or(pipeline.Redact(r.spec.NATS), "its own NATS server, data in "+r.spec.DataDir))},
		{Name: "machine", Value: fmt.Sprintf("%s/%s, %d processors, kernels %s, %s, wavemill %s", runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), kernel.Class(), runtime.Version(), r.o.Version)},
	}
	return d.Page()
}

// next are commands to try after the demo.
func (r *run) next() []report.Fact {
	model, label := text.Quote(filepath.Join(r.o.Out, ModelFile)), text.Quote(r.labels[0])
	facts := []report.Fact{
		{Name: "More clips of one label, from another seed:", Value: fmt.Sprintf("wavemill generate --model %s --label %s --n 20 --seed 1000 --out more", model, label)},
		{Name: "Serve the model on the bus and request a clip:", Value: fmt.Sprintf("wavemill up -f %s\nnats req %s.generate '{\"label\":%s,\"seed\":7}'", text.Quote(filepath.Join(r.o.Out, PipelineFile)), r.spec.Name, strings.ReplaceAll(jsonText(r.labels[0]), "'", `\u0027`))},
	}
	if r.o.Data == "" {
		return append(facts, report.Fact{Name: "The same with your own recordings, in a folder for each label:", Value: "wavemill demo --data DIR --budget 3m --out run1"})
	}
	return append(facts, report.Fact{Name: "Better clips, with more time:", Value: fmt.Sprintf("wavemill demo --data %s --budget 10m --out run2", text.Quote(r.o.Data))})
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
