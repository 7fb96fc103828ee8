package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"wavemill/internal/progress"
	"wavemill/internal/text"
	"wavemill/internal/usage"
	"wavemill/models/nn/kernel"
	"wavemill/models/training"
)

// An app holds what all commands share: the streams, the console on standard error and the log. One app serves one run.
type app struct {
	in  io.Reader
	out io.Writer // results only, for scripts to read
	err io.Writer

	logFormat    string // auto, text, json
	logLevel     string // debug, info, warn, error
	progressMode string // auto, bar, lines, off

	console *progress.Console // progress, notes and logs; set by setup
	log     *slog.Logger      // set by setup
	level   slog.Level        // of log; set by setup
	atEnd   []func(context.Context) error

	// newEvaluator is that of trainings, for tests; nil: see training.Job.
	newEvaluator func(training.Set, uint64) (training.Evaluator, error)
}

// setup opens the console and the log once the flags are known. It runs before every command. ctx is that of the command: when
// it is cancelled, the work was interrupted.
func (a *app) setup(ctx context.Context) error {
	if err := kernel.Check(); err != nil {
		return usageError{Err: err}
	}
	mode, err := progress.ParseMode(a.progressMode)
	if err != nil {
		return usagef("--%w", err)
	}
	if err := a.level.UnmarshalText([]byte(a.logLevel)); err != nil {
		return usagef("--log-level is one of debug, info, warn, error; not %q", a.logLevel)
	}
	if a.logFormat == "json" {
		a.err = progress.JSONLines(a.err)
	}
	a.console = progress.NewConsole(a.err, mode)
	a.console.Follow(ctx)
	if a.log, err = a.console.Log(a.logFormat, a.level); err != nil {
		return usagef("--%w", err)
	}
	context.AfterFunc(ctx, func() { a.stopping(context.Cause(ctx)) })
	return nil
}

// stopping says that the work stops, in the form of the log where that is JSON, because a program reads it.
func (a *app) stopping(cause error) {
	const text = "stopping and saving; interrupt again to stop at once"
	switch {
	case !errors.Is(cause, usage.ErrInterrupted):
	case a.logFormat == "json":
		a.log.Info(text)
	default:
		fmt.Fprintln(a.err, "\nwavemill: "+text)
	}
}

// note writes one line for a person to standard error, above the progress bar if there is one.
func (a *app) note(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	// Where standard error cannot be written, there is no other place to report it.
	_, _ = io.WriteString(a.console, text.Block(strings.TrimRight(line, "\n"))+"\n")
}

// notes writes lines as note does.
func (a *app) notes(lines ...string) {
	for _, line := range lines {
		a.note("%s", line)
	}
}

// say writes one line of result to standard output.
func (a *app) say(format string, args ...any) error {
	_, err := fmt.Fprintf(a.out, format+"\n", args...)
	return err
}

// printJSON writes v to standard output as one line of JSON: what --json prints.
func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// run executes one command line and returns its exit code. It is main without the process around it.
func run(args []string, in io.Reader, out, errOut io.Writer) int {
	ctx, stop := usage.Interruptible()
	defer stop()
	return execute(ctx, args, in, out, errOut)
}

// execute runs one command line under ctx and returns its exit code. Tests call it with buffers.
func execute(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	return (&app{in: in, out: text.NewWriter(out), err: errOut}).execute(ctx, args)
}

// execute runs one command line, see the function of that name.
func (a *app) execute(ctx context.Context, args []string) int {
	root := newRoot(a)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	a.end(ctx)
	if err == nil {
		return exitOK
	}
	if a.log != nil && a.logFormat == "json" {
		a.log.Error(usage.Reason(err))
		return usage.Explain(io.Discard, cmd, err)
	}
	return usage.Explain(a.err, cmd, err)
}
