package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"wavemill/audio/slice"
	"wavemill/internal/progress"
)

// chopFlags cut long recordings into pieces before a command uses them.
type chopFlags struct {
	every, overlap time.Duration
	by             string
}

func (c *chopFlags) add(f *pflag.FlagSet) {
	f.DurationVar(&c.every, "chop", 0, "cut long recordings into pieces of at most this length first, such as 4s (default: the beginning of each is used)")
	f.DurationVar(&c.overlap, "chop-overlap", 0, "what two pieces have in common, with --chop")
	f.StringVar(&c.by, "chop-by", string(slice.Length), "where --chop cuts: length (pieces of equal length), onset, silence, speech")
}

// config is how to cut.
func (c chopFlags) config() (slice.Config, error) {
	return slice.Overrides{Max: &c.every, Overlap: &c.overlap}.Config(slice.Method(c.by))
}

// check reports a wrong flag.
func (c chopFlags) check(f *pflag.FlagSet) error {
	if !f.Changed("chop") {
		if f.Changed("chop-overlap") || f.Changed("chop-by") {
			return usagef("--chop-overlap and --chop-by are for --chop")
		}
		return nil
	}
	if _, err := c.config(); err != nil {
		return usagef("--chop: %w", err)
	}
	return nil
}

// pieces are what a command uses in place of the recordings.
type pieces struct {
	data    []string
	labels  string // As --labels.
	group   string // As --group: the recordings that the pieces come from, or the group that was asked for.
	release func() error
}

// chop cuts recordings, if it is asked to, into a temporary folder, and says what was left out. release removes the folder.
func (a *app) chop(ctx context.Context, c chopFlags, roots []string, labels, group string) (p pieces, err error) {
	p = pieces{roots, labels, group, func() error { return nil }}
	if c.every == 0 {
		return p, nil
	}
	dir, err := os.MkdirTemp("", "wavemill-chop-")
	if err != nil {
		return p, fmt.Errorf("--chop: %w", err)
	}
	p.release = func() error { return os.RemoveAll(dir) }
	defer func() {
		if err != nil {
			_ = p.release() // The error that led here is the one to report.
		}
	}()
	config, err := c.config()
	if err != nil {
		return p, err
	}
	var task *progress.Task
	summary, err := slice.Run(ctx, slice.Job{Sources: roots, Out: filepath.Join(dir, "pieces"), Config: config, Labels: labels, Group: group}, func(now slice.Progress) {
		if task == nil {
			task = a.console.Start("chop", max(1, now.Total>>10), "KiB")
		}
		task.Set(now.Bytes >> 10)
	})
	if task != nil {
		task.End(err)
	}
	switch {
	case ctx.Err() != nil:
		return p, fmt.Errorf("--chop: stopped; the same command cuts the recordings again: %w", ctx.Err())
	case err != nil:
		return p, fmt.Errorf("--chop: %w", err)
	}
	lines := strings.Split(summary.String(), "\n")
	a.notes(slices.Concat([]string{fmt.Sprintf("chop: %d pieces of at most %v of %d recordings", summary.Clips, c.every, summary.Sources)}, lines[1:len(lines)-1])...)
	p.data, p.labels = []string{summary.Out}, summary.Manifest
	if group == "" || strings.HasPrefix(group, "folder") {
		p.group = "group"
	}
	return p, nil
}
