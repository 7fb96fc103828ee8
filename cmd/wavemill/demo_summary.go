package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"wavemill/models/eval"
	"wavemill/models/training"
)

// demoSummary is the result of a demo, as --json prints it.
type demoSummary struct {
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
func (d *demo) summary() demoSummary {
	s := demoSummary{
		Out: d.o.out, Report: filepath.Join(d.o.out, demoReport), Model: filepath.Join(d.o.out, demoModel), Digest: d.digest, Arch: d.checkpoint.Arch,
		Seed: d.o.seed, Steps: d.checkpoint.Step, Labels: d.labels, Recordings: len(d.recordings), DeadLetters: len(d.letters),
		Skipped: len(d.set.Skipped), Clips: len(d.clips), HeldOutList: d.parts.list(), HeldOutTrusted: d.parts.warning == "",
		Metrics: d.checkpoint.Metrics, Seconds: time.Since(d.began).Seconds(), TrainSeconds: d.watch.trainingTime().Seconds(),
	}
	if made, real := d.evaluation.generated.Share(), d.evaluation.real.Share(); made.Whole > 0 {
		heard, held := made.Value(), real.Value()
		s.Heard, s.HeardInterval, s.HeldOut, s.HeldOutInterval = &heard, &made.Interval, &held, &real.Interval
	}
	return s
}

// summarise prints the result.
func (d *demo) summarise() error {
	facts := d.summary()
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
	if facts.Heard != nil {
		lines = append(lines,
			fmt.Sprintf("classifier  trained on real recordings only; classifies %v of %d held-out ones correctly", d.evaluation.real.Share(), len(d.parts.heldOut)),
			fmt.Sprintf("generated   %d clips; %v of them are classified as requested", len(d.clips), d.evaluation.generated.Share()))
	} else {
		lines = append(lines, "classifier  none: "+d.evaluation.missing, fmt.Sprintf("generated   %d clips", len(d.clips)))
	}
	if d.parts.warning != "" {
		lines = append(lines, "warning     "+d.parts.warning)
	}
	lines = append(lines,
		fmt.Sprintf("model       %s, %d steps, seed %d, digest %s", facts.Model, facts.Steps, facts.Seed, d.digest[:12]),
		fmt.Sprintf("took        %v, of which %v were training", roundDuration(time.Since(d.began)), roundDuration(d.watch.trainingTime())),
		"",
		"Report:  "+facts.Report,
		"Try next:")
	for _, f := range d.next() {
		for line := range strings.SplitSeq(f.Value, "\n") {
			lines = append(lines, "  "+line)
		}
	}
	return d.say("%s", strings.Join(lines, "\n"))
}
