package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/lmittmann/tint"
	"github.com/spf13/cobra"

	"wavemill/internal/progress"
	"wavemill/internal/usage"
	"wavemill/models/nn/kernel"
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
}

// setup opens the console and the log once the flags are known. It runs before every command. ctx is that of the command: when
// it is cancelled, the work was interrupted.
func (a *app) setup(ctx context.Context) error {
	if err := kernel.Check(); err != nil {
		return usageError{Err: err}
	}
	modes := map[string]progress.Mode{"auto": progress.Auto, "bar": progress.Bars, "lines": progress.Lines, "off": progress.Off}
	mode, ok := modes[a.progressMode]
	if !ok {
		return usagef("--progress is one of auto, bar, lines, off; not %q", a.progressMode)
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(a.logLevel)); err != nil {
		return usagef("--log-level is one of debug, info, warn, error; not %q", a.logLevel)
	}
	a.console = progress.NewConsole(a.err, mode)
	a.console.Follow(ctx)
	if a.logFormat == "auto" {
		a.logFormat = "json"
		if progress.IsTerminal(a.err) {
			a.logFormat = "text"
		}
	}
	if a.logFormat != "text" && a.logFormat != "json" {
		return usagef("--log is one of auto, text, json; not %q", a.logFormat)
	}
	a.level = level
	a.log = a.logger(level)
	return nil
}

// logger returns a log on the console, from the given level upwards.
func (a *app) logger(level slog.Level) *slog.Logger {
	if a.logFormat == "text" {
		return slog.New(tint.NewTextHandler(a.console, &tint.Options{Level: level, TimeFormat: time.TimeOnly, NoColor: !progress.Colors(a.err)}))
	}
	return slog.New(slog.NewJSONHandler(a.console, &slog.HandlerOptions{Level: level}))
}

// note writes one line for a person to standard error, above the progress bar if there is one.
func (a *app) note(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	// Where standard error cannot be written, there is no other place to report it.
	_, _ = io.WriteString(a.console, strings.TrimRight(line, "\n")+"\n")
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
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	finished := make(chan struct{})
	defer close(finished)
	go func() {
		select {
		case <-signals:
			// The next signal has its default effect: it ends the process.
			signal.Reset(os.Interrupt, syscall.SIGTERM)
			fmt.Fprintln(errOut, "\nwavemill: stopping and saving; interrupt again to stop at once")
			cancel()
		case <-finished:
		}
	}()
	return execute(ctx, args, in, out, errOut)
}

// execute runs one command line under ctx and returns its exit code. Tests call it with buffers.
func execute(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	a := &app{in: in, out: out, err: errOut}
	root := newRoot(a)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	return explain(errOut, cmd, err)
}

// explain prints the error and returns the exit code that belongs to it.
func explain(w io.Writer, cmd *cobra.Command, err error) int {
	fmt.Fprintln(w, "wavemill: "+reason(err))
	if usage.Is(err) {
		fmt.Fprintf(w, "Run '%s --help' for usage.\n", cmd.CommandPath())
		return exitUsage
	}
	return exitFailed
}

// reason is the message of an error. The end of a context is an interruption by the user, and said once.
func reason(err error) string {
	if !errors.Is(err, context.Canceled) {
		return err.Error()
	}
	var lines []string
	for line := range strings.Lines(err.Error()) {
		line = strings.ReplaceAll(strings.TrimRight(line, "\n"), context.Canceled.Error(), "interrupted")
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}
