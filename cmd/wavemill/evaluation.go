package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"wavemill/internal/progress"
	"wavemill/models/comparison"
)

// evaluationFlags are the flags that commands share that evaluate models: eval and compare.
type evaluationFlags struct {
	holdoutFlags
	data   []string
	labels string
	test   []string
	clips  int
	seed   uint64
	useful bool
	quick  bool
	asJSON bool
}

func (e *evaluationFlags) addAll(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&e.data, "data", nil, "folder or file with the recordings; may be repeated (required)")
	f.StringArrayVar(&e.test, "test", nil, "folder or file with other recordings to evaluate with; may be repeated (default: those of --data that no model has seen)")
	f.IntVar(&e.clips, "clips", 0, "clips to generate with each model (default: as many as there are training recordings)")
	f.Uint64Var(&e.seed, "seed", 1, "seed of everything random")
	f.BoolVar(&e.useful, "useful", true, "also train classifiers on the generated clips and test them on real ones")
	f.BoolVar(&e.quick, "quick", false, "train one classifier of each kind instead of three, with fewer steps, and add clips to no share of the recordings")
	f.BoolVar(&e.asJSON, "json", false, "print the report as one line of JSON")
	addLabels(cmd, &e.labels)
	e.holdoutFlags.add(cmd)
}

// check reports the first wrong flag.
func (e *evaluationFlags) checkAll() error {
	switch {
	case len(e.data) == 0:
		return usagef("--data is missing: a folder with recordings")
	case e.clips < 0:
		return usagef("--clips %d: ask for one clip or more", e.clips)
	}
	return e.holdoutFlags.check()
}

// options of an evaluation of so many candidates.
func (e *evaluationFlags) options(a *app, candidates int) (comparison.Options, *stages) {
	p := &stages{app: a}
	return comparison.Options{
		Seed: e.seed, Clips: e.clips, Useful: e.useful, Quick: e.quick, Candidates: candidates, Progress: p,
	}, p
}

// arguments are the flags as a command line has them, without defaults.
func (e *evaluationFlags) arguments() []string {
	var parts []string
	add := func(flag string, values ...string) {
		for _, v := range values {
			parts = append(parts, flag+quote(v))
		}
	}
	add("--test ", e.test...)
	if e.labels != "" {
		add("--labels ", e.labels)
	}
	if e.group != "" {
		add("--group ", e.group)
	}
	add("--hold-out ", e.out...)
	if e.clips > 0 {
		add("--clips ", strconv.Itoa(e.clips))
	}
	if !e.useful {
		add("--useful=", "false")
	}
	if e.quick {
		parts = append(parts, "--quick")
	}
	return parts
}

// stages shows an evaluation on the console, one stage after the other.
type stages struct {
	app  *app
	name string
	task *progress.Task
}

// Stage implements comparison.Progress.
func (s *stages) Stage(name string, part float64) {
	if name != s.name {
		s.done()
		s.name, s.task = name, s.app.console.Start(name, 100, "%")
	}
	s.task.Set(int64(100 * part))
	if part >= 1 {
		s.done()
	}
}

// Note implements comparison.Progress.
func (s *stages) Note(format string, args ...any) { s.app.note(format, args...) }

// done ends the stage that is shown.
func (s *stages) done() {
	if s.task != nil {
		s.task.Set(100)
		s.task.Done()
	}
	s.task, s.name = nil, ""
}

// stop ends the stage that is shown where it is.
func (s *stages) stop() { s.task.Done() }
