package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wavemill/internal/usage"
	"wavemill/pipeline"
	"wavemill/pipeline/deadletter"
)

// letterFlags are the flags that choose dead letters.
type letterFlags struct {
	busFlags
	filter       deadletter.Filter
	sequences    []uint
	since, until string
	all, asJSON  bool
}

func (l *letterFlags) add(f *pflag.FlagSet) {
	l.busFlags.add(f)
	f.StringVar(&l.filter.Operator, "operator", "", "only letters of this operator")
	f.StringVar(&l.filter.Label, "label", "", "only letters of this label")
	f.StringVar(&l.filter.Kind, "kind", "", "only letters of this kind: invalid, transient, other")
	f.StringVar(&l.filter.Reason, "reason", "", "only letters whose reason contains this text")
	f.StringVar(&l.since, "since", "", "only letters of failures since then: a duration before now, such as 2h, or a time (RFC 3339)")
	f.StringVar(&l.until, "until", "", "only letters of failures before then, given as --since is")
	f.UintSliceVar(&l.sequences, "sequence", nil, "only letters about messages with these sequences in their streams")
	wordDefault(f, "sequence", "")
	f.BoolVar(&l.asJSON, "json", false, "print one line of JSON for each letter")
}

// choose completes the filter with the numbers of letters among the arguments. A command that changes letters needs a choice.
func (l *letterFlags) choose(args []string, changes bool) (err error) {
	for _, arg := range args {
		number, err := strconv.ParseUint(arg, 10, 64)
		if err != nil {
			return usagef("%q is not the number of a dead letter; `wavemill dlq ls` lists them", arg)
		}
		l.filter.Numbers = append(l.filter.Numbers, number)
	}
	for _, s := range l.sequences {
		l.filter.Sequences = append(l.filter.Sequences, uint64(s))
	}
	if l.filter.Since, err = pastTime("since", l.since); err != nil {
		return err
	}
	if l.filter.Until, err = pastTime("until", l.until); err != nil {
		return err
	}
	if changes && l.all != l.filter.IsZero() {
		return usagef("say which letters: their numbers, a filter such as --operator or --reason, or --all alone")
	}
	return nil
}

// pastTime reads a duration before now, or a time.
func pastTime(flag, value string) (time.Time, error) {
	if value == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(value); err == nil && d >= 0 {
		return time.Now().Add(-d), nil
	}
	t, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return t, usagef("--%s %q: use a duration before now, such as 90m, or a time such as 2026-11-29T12:00:00Z", flag, value)
	}
	return t, nil
}

// newDLQ groups the commands about dead letters.
func newDLQ(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dlq",
		Short: "List, show, replay and remove dead letters",
		Long: `A dead letter is a message that an operator could not process, kept with the reason.
Once the reason is gone, replay puts the message where it failed: on the stream that
the operator reads, for this operator alone.`,
		Args: cobra.ArbitraryArgs,
		RunE: usage.GroupOnly,
	}
	cmd.AddCommand(newDLQList(a), newDLQShow(a), newDLQReplay(a), newDLQPurge(a))
	return cmd
}

// A letterLine is a letter as `wavemill dlq ls` prints it.
type letterLine struct {
	deadletter.Letter
	Expires *time.Time `json:"body_expires,omitempty"` // Of a stored body.
	Gone    bool       `json:"body_gone,omitempty"`    // Gone: the stored body does not exist any more.
}

// String is the letter in one line.
func (l letterLine) String() string {
	text := fmt.Sprintf("%d  %s  %s  %s  %s %d", l.Number, l.Died.Local().Format(time.DateTime), l.Operator, l.Label, l.Stream, l.Sequence)
	if l.Source != "" {
		text += "  " + l.Source
	}
	text += "  " + l.Kind + ": " + l.Reason
	switch {
	case l.Gone:
		text += "  (its body has expired: it cannot be replayed)"
	case l.Expires != nil:
		text += fmt.Sprintf("  (its body expires in %v)", roundDuration(time.Until(*l.Expires)))
	}
	return text
}

// line completes a letter with the state of its stored body.
func line(ctx context.Context, letters deadletter.Store, l deadletter.Letter) (letterLine, error) {
	expires, err := letters.Expiry(ctx, l)
	if isGone(err) {
		return letterLine{Letter: l, Gone: true}, nil
	}
	if err != nil || expires.IsZero() {
		return letterLine{Letter: l}, err
	}
	return letterLine{Letter: l, Expires: &expires}, nil
}

func newDLQList(a *app) *cobra.Command {
	var flags letterFlags
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List dead letters",
		Long: `Ls lists dead letters, oldest first: number, time, operator, label, stream and sequence
of the message, its source, kind and reason. A body above the server's max payload is
stored apart and expires; the list says when.`,
		Example: `  wavemill dlq ls
  wavemill dlq ls --operator spectrogram --since 2h --reason "not a WAV" --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := flags.choose(nil, false); err != nil {
				return err
			}
			return a.onBus(cmd.Context(), &flags.busFlags, func(ctx context.Context, bus *pipeline.Bus) error {
				return a.eachLetter(ctx, bus, flags.filter, func(l deadletter.Letter) error {
					text, err := line(ctx, bus.DeadLetters(), l)
					if err != nil {
						return err
					}
					return a.printResult(flags.asJSON, text)
				})
			})
		},
	}
	flags.add(cmd.Flags())
	return cmd
}

// onBus runs f on a bus that nothing is created on.
func (a *app) onBus(ctx context.Context, flags *busFlags, f func(context.Context, *pipeline.Bus) error) error {
	bus, err := openClient(ctx, a, flags, []string{}...)
	if err != nil {
		return err
	}
	return errors.Join(f(ctx, bus), closeBus(ctx, bus))
}

// eachLetter calls f with the chosen letters. A message that is no dead letter is logged and passed over.
func (a *app) eachLetter(ctx context.Context, bus *pipeline.Bus, filter deadletter.Filter, f func(deadletter.Letter) error) error {
	for l, err := range bus.DeadLetters().List(ctx, filter) {
		switch {
		case errors.Is(err, deadletter.ErrNotLetter):
			a.log.Warn("passed over", "error", err)
		case err != nil:
			return err
		default:
			if err := f(l); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}
