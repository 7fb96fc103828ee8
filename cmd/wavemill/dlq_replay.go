package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"wavemill/pipeline"
	"wavemill/pipeline/deadletter"
	"wavemill/pipeline/objectstore"
	"wavemill/pipeline/verify"
)

// isGone reports whether an error is about a stored body that has expired.
func isGone(err error) bool { return errors.Is(err, objectstore.ErrGone) }

// dlqReplay holds the flags of `dlq replay`.
type dlqReplay struct {
	letterFlags
	dryRun, diff bool
	wait         time.Duration
}

func newDLQReplay(a *app) *cobra.Command {
	var r dlqReplay
	cmd := &cobra.Command{
		Use:   "replay [NUMBER...]",
		Short: "Put the messages of dead letters where they failed",
		Long: `Replay publishes the messages of dead letters on their subjects again, each under a new
id, so that the stream does not take it for a duplicate, and for the operator that
failed alone. The letter is then removed, and a note remains for "wavemill verify". A
message that fails again has a new letter.

--diff waits for the operator and prints the outputs of the message before and after.
A letter whose stored body has expired is refused and stays; the others go on, and the
exit code is 1.`,
		Example: `  wavemill dlq replay 12 13 --diff
  wavemill dlq replay --operator spectrogram --reason ffmpeg --dry-run
  wavemill dlq replay --all`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := r.choose(args, true); err != nil {
				return err
			}
			return a.onBus(cmd.Context(), &r.busFlags, func(ctx context.Context, bus *pipeline.Bus) error { return a.dlqReplay(ctx, bus, r) })
		},
	}
	f := cmd.Flags()
	r.add(f)
	f.BoolVar(&r.all, "all", false, "replay every letter")
	f.BoolVar(&r.dryRun, "dry-run", false, "only print what would be replayed")
	f.BoolVar(&r.diff, "diff", false, "wait for the operator, and print the outputs before and after")
	f.DurationVar(&r.wait, "wait", 30*time.Second, "with --diff: how long to wait for each message")
	return cmd
}

// replayed is the outcome of one replay.
type replayed struct {
	Number    uint64 `json:"number"`
	Operator  string `json:"operator"`
	Subject   string `json:"subject"`
	Stream    string `json:"stream"`
	Sequence  uint64 `json:"sequence,omitempty"`
	DryRun    bool   `json:"dry_run,omitempty"`
	Duplicate bool   `json:"duplicate,omitempty"` // Duplicate: it had been replayed before.
	Error     string `json:"error,omitempty"`
	*verify.Diff
}

// String is the outcome in one line, and one for each output.
func (r replayed) String() string {
	switch {
	case r.Error != "":
		return fmt.Sprintf("%d  not replayed: %s", r.Number, r.Error)
	case r.DryRun:
		return fmt.Sprintf("%d  would be replayed on %s, for operator %s", r.Number, r.Subject, r.Operator)
	}
	text := fmt.Sprintf("%d  replayed on %s as message %d of %s, for operator %s", r.Number, r.Subject, r.Sequence, r.Stream, r.Operator)
	if r.Diff != nil {
		text += r.Diff.String()
	}
	return text
}

func (a *app) dlqReplay(ctx context.Context, bus *pipeline.Bus, r dlqReplay) error {
	n, failed := 0, 0
	err := a.eachLetter(ctx, bus, r.filter, func(l deadletter.Letter) error {
		out := replayed{Number: l.Number, Operator: l.Operator, Subject: l.Subject, Stream: l.Stream, DryRun: r.dryRun}
		n++
		if !r.dryRun {
			if err := a.replayOne(ctx, bus, r, l, &out); err != nil {
				if ctx.Err() != nil {
					return err
				}
				failed++
				out.Error = err.Error()
			}
		}
		return a.printResult(r.asJSON, out)
	})
	switch {
	case err != nil:
		return err
	case n == 0:
		return errors.New("there is no such dead letter; `wavemill dlq ls` lists them")
	case failed > 0:
		return fmt.Errorf("%d of %d dead letters were not replayed, or failed again", failed, n)
	}
	return nil
}

// replayOne replays a letter and, with --diff, follows the message.
func (a *app) replayOne(ctx context.Context, bus *pipeline.Bus, r dlqReplay, l deadletter.Letter, out *replayed) (err error) {
	var d verify.Diff
	if r.diff {
		if d.Before, err = verify.Before(ctx, bus, l); err != nil {
			return err
		}
	}
	var ack *jetstream.PubAck
	if ack, err = bus.DeadLetters().Replay(ctx, l); err != nil {
		return err
	}
	out.Stream, out.Sequence, out.Duplicate = ack.Stream, ack.Sequence, ack.Duplicate
	if !r.diff {
		return nil
	}
	out.Diff = &d
	d.After, d.Letter, err = verify.After(ctx, bus, l, ack, r.wait)
	if err == nil && d.Letter != nil {
		return fmt.Errorf("it failed again: %s (dead letter %d)", d.Letter.Reason, d.Letter.Number)
	}
	return err
}

func newDLQPurge(a *app) *cobra.Command {
	var flags letterFlags
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "purge [NUMBER...]",
		Short: "Remove dead letters",
		Long:  "Purge removes dead letters with their bodies. A note about each remains, so that \"wavemill\nverify\" does not take the message for a lost one.",
		Example: `  wavemill dlq purge 12 13
  wavemill dlq purge --until 720h --dry-run`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := flags.choose(args, true); err != nil {
				return err
			}
			return a.onBus(cmd.Context(), &flags.busFlags, func(ctx context.Context, bus *pipeline.Bus) error {
				return a.dlqPurge(ctx, bus, flags, dryRun)
			})
		},
	}
	flags.add(cmd.Flags())
	cmd.Flags().BoolVar(&flags.all, "all", false, "remove every letter")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only print what would be removed")
	return cmd
}

func (a *app) dlqPurge(ctx context.Context, bus *pipeline.Bus, flags letterFlags, dryRun bool) error {
	n := 0
	err := a.eachLetter(ctx, bus, flags.filter, func(l deadletter.Letter) error {
		n++
		if !dryRun {
			if err := bus.DeadLetters().PurgeOne(ctx, l); err != nil {
				return err
			}
		}
		return a.printResult(flags.asJSON, letterLine{Letter: l})
	})
	if err == nil && n == 0 {
		err = errors.New("there is no such dead letter; `wavemill dlq ls` lists them")
	}
	if err == nil && dryRun {
		a.note("nothing is removed: --dry-run")
	}
	return err
}
