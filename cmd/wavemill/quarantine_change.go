package main

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"wavemill/pipeline/quarantine"
)

// quarantineResult is a line of accept, relabel and drop.
type quarantineResult struct {
	Number uint64             `json:"number"`
	Done   string             `json:"done"` // accepted, relabelled or dropped; with --dry-run what would be done
	Label  string             `json:"label"`
	Was    string             `json:"was,omitempty"` // the former label
	Placed *quarantine.Placed `json:"placed,omitempty"`
	DryRun bool               `json:"dry_run,omitempty"`
}

func newQuarantineShow(a *app) *cobra.Command {
	var q quarantineFlags
	var body string
	cmd := &cobra.Command{
		Use:   "show NUMBER",
		Short: "Show one message in quarantine, and save its body",
		Long: `Show prints what is known of one message in quarantine: its reasons, scores and where
it came from. With --body it writes the body to a file: the audio file as
it was published, or the .npy array of a spectrogram.`,
		Example: "  wavemill quarantine show 12 --body refused.wav",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("%s needs the number of one message", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.quarantineShow(cmd.Context(), &q, args, body) },
	}
	q.busFlags.add(cmd.Flags())
	cmd.Flags().StringVar(&body, "body", "", "file for the body of the message; it must not exist")
	cmd.Flags().BoolVar(&q.asJSON, "json", false, "print one line of JSON")
	return cmd
}

func (a *app) quarantineShow(ctx context.Context, q *quarantineFlags, args []string, file string) (err error) {
	wanted, err := numbers(args)
	if err != nil {
		return err
	}
	if len(wanted) != 1 {
		return usagef("show one message at a time")
	}
	bus, err := openClient(ctx, a, &q.busFlags, []string{}...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeBus(ctx, bus)) }()
	m, err := quarantine.Of(bus).Get(ctx, wanted[0])
	if err != nil {
		return err
	}
	if file != "" {
		content, err := quarantine.Of(bus).Content(ctx, bus, m)
		if err != nil {
			return err
		}
		if _, err := os.Lstat(file); err == nil {
			return usagef("--body %s exists", file)
		}
		if err := writeFile(file, content); err != nil {
			return err
		}
	}
	if q.asJSON {
		return a.printJSON(m)
	}
	return a.say("%v", m)
}

func newQuarantineAccept(a *app) *cobra.Command {
	var q quarantineFlags
	cmd := &cobra.Command{
		Use:   "accept [NUMBER|FROM-TO...]",
		Short: "Let messages in quarantine pass",
		Long: `Accept publishes messages in quarantine on the stream after the guard, under a new
id and with the header Wavemill-Guard: accepted, and removes them from quarantine. If
it is interrupted, run it again: no message is lost or published twice.`,
		Example: `  wavemill quarantine accept 12 20-30
  wavemill quarantine accept --rule loud --dry-run`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.changeQuarantine(cmd.Context(), &q, args, "", "accepted")
		},
	}
	q.addChange(cmd.Flags())
	return cmd
}

func newQuarantineRelabel(a *app) *cobra.Command {
	var q quarantineFlags
	var to string
	cmd := &cobra.Command{
		Use:   "relabel --to LABEL [NUMBER|FROM-TO...]",
		Short: "Let messages in quarantine pass under another label",
		Long: `Relabel does what accept does, under another label: the header Wavemill-Label and the
subject change, and Wavemill-Guard-Label keeps the former label.`,
		Example: "  wavemill quarantine relabel --to seven 12 20-30",
		RunE: func(cmd *cobra.Command, args []string) error {
			if to == "" {
				return usagef("--to is missing: the label under which the messages pass")
			}
			return a.changeQuarantine(cmd.Context(), &q, args, to, "relabelled")
		},
	}
	q.addChange(cmd.Flags())
	cmd.Flags().StringVar(&to, "to", "", "the new label (required)")
	return cmd
}

func newQuarantineDrop(a *app) *cobra.Command {
	var q quarantineFlags
	cmd := &cobra.Command{
		Use:   "drop [NUMBER|FROM-TO...]",
		Short: "Remove messages from quarantine for good",
		Long: `Drop removes messages from quarantine. The originals stay in the stream that the guard
read, as long as that keeps them.`,
		Example: `  wavemill quarantine drop 12 20-30
  wavemill quarantine drop --rule silent --until 24h --dry-run`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.changeQuarantine(cmd.Context(), &q, args, "", "dropped")
		},
	}
	q.addChange(cmd.Flags())
	return cmd
}

// changeQuarantine lets messages pass or drops them.
func (a *app) changeQuarantine(ctx context.Context, q *quarantineFlags, args []string, label, done string) error {
	if err := q.chooseSome(args); err != nil {
		return err
	}
	return a.onQuarantine(ctx, q, func(ctx context.Context, s *quarantine.Store, m quarantine.Message) error {
		r := quarantineResult{Number: m.Number, Done: done, Label: m.Label, DryRun: q.dryRun}
		if label != "" && label != m.Label {
			r.Label, r.Was = label, m.Label
		}
		var placed quarantine.Placed
		var err error
		switch {
		case done == "dropped" && !q.dryRun:
			err = s.Remove(ctx, m.Number)
		case done == "dropped":
		case q.dryRun:
			placed, err = s.Where(m, label)
			r.Placed = &placed
		default:
			placed, err = s.Accept(ctx, m, label)
			r.Placed = &placed
		}
		if err != nil {
			return err
		}
		return a.printChange(q.asJSON, r)
	})
}

// printChange prints one line about what was done to a message.
func (a *app) printChange(asJSON bool, r quarantineResult) error {
	if asJSON {
		return a.printJSON(r)
	}
	line := r.Done
	if r.DryRun {
		line = "would be " + line
	}
	if r.Was != "" {
		line += " from " + quote(r.Was) + " to " + quote(r.Label)
	}
	if r.Placed != nil {
		line += ": " + r.Placed.Subject
	}
	return a.say("%d %s", r.Number, line)
}
