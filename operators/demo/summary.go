package demo

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"wavemill/internal/text"
	"wavemill/models/eval"
	"wavemill/models/training"
)

// Result is the result of a demo, for a program and for a person.
type Result struct {
	Summary Summary
	Lines   []string
}

// Summary holds the facts of a demo.
type Summary struct {
	Out             string             `json:"out"`
	Report          string             `json:"report"`
	Model           string             `json:"model"`
	Digest          string             `json:"digest"`
	Arch            string             `json:"arch"`
	Seed            uint64             `json:"seed"`
	Steps           int64              `json:"steps"`
	Labels          []string           `json:"labels"`
	Recordings      int                `json:"recordings"` // used
	DeadLetters     int                `json:"dead_letters"`
	Skipped         int                `json:"skipped"`
	Clips           int                `json:"clips"`
	Heard           *float64           `json:"heard"`          // share of the clips that are classified as requested; null without a classifier
	HeardInterval   *eval.Interval     `json:"heard_interval"` // 95 %
	HeldOut         *float64           `json:"held_out"`       // share of held-out recordings that are classified correctly
	HeldOutInterval *eval.Interval     `json:"held_out_interval"`
	HeldOutList     []training.HeldOut `json:"held_out_recordings"`
	HeldOutTrusted  bool               `json:"held_out_trusted"` // false: the checkpoint has no record of its recordings
	Metrics         map[string]float64 `json:"metrics"`
	Seconds         float64            `json:"seconds"`
	TrainSeconds    float64            `json:"train_seconds"`
}

// summary collects the facts.
func (r *run) summary() Summary {
	s := Summary{
		Out: r.o.Out, Report: filepath.Join(r.o.Out, ReportFile), Model: filepath.Join(r.o.Out, ModelFile), Digest: r.digest, Arch: r.checkpoint.Arch,
		Seed: r.o.Seed, Steps: r.checkpoint.Step, Labels: r.labels, Recordings: len(r.recordings), DeadLetters: len(r.letters),
		Skipped: len(r.set.Skipped), Clips: len(r.clips), HeldOutList: r.parts.list(), HeldOutTrusted: r.parts.warning == "",
		Metrics: r.checkpoint.Metrics, Seconds: time.Since(r.began).Seconds(), TrainSeconds: r.watch.trainingTime().Seconds(),
	}
	if made, real := r.evaluation.generated.Share(), r.evaluation.real.Share(); made.Whole > 0 {
		heard, held := made.Value(), real.Value()
		s.Heard, s.HeardInterval, s.HeldOut, s.HeldOutInterval = &heard, &made.Interval, &held, &real.Interval
	}
	return s
}

// lines are the result for a person.
func (r *run) lines() []string {
	facts := r.summary()
	lines := []string{
		"",
		fmt.Sprintf("recordings  %d used, %s, %d skipped", facts.Recordings, text.Count(facts.DeadLetters, "dead letter", "dead letters"), facts.Skipped),
	}
	for _, l := range r.letters {
		lines = append(lines, fmt.Sprintf("            %s: %s", l.Name, l.Reason))
	}
	for _, n := range r.notes {
		lines = append(lines, "            "+n)
	}
	if facts.Heard != nil {
		lines = append(lines,
			fmt.Sprintf("classifier  trained on real recordings only; classifies %v of %d held-out ones correctly", r.evaluation.real.Share(), len(r.parts.heldOut)),
			fmt.Sprintf("generated   %d clips; %v of them are classified as requested", len(r.clips), r.evaluation.generated.Share()))
	} else {
		lines = append(lines, "classifier  none: "+r.evaluation.missing, fmt.Sprintf("generated   %d clips", len(r.clips)))
	}
	if r.parts.warning != "" {
		lines = append(lines, "warning     "+r.parts.warning)
	}
	lines = append(lines,
		fmt.Sprintf("model       %s, %d steps, seed %d, digest %s", facts.Model, facts.Steps, facts.Seed, r.digest[:12]),
		fmt.Sprintf("took        %v, of which %v were training", text.RoundDuration(time.Since(r.began)), text.RoundDuration(r.watch.trainingTime())),
		"",
		"Report:  "+facts.Report,
		"Try next:")
	for _, f := range r.next() {
		for line := range strings.SplitSeq(f.Value, "\n") {
			lines = append(lines, "  "+line)
		}
	}
	return lines
}
