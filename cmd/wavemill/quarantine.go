package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wavemill/internal/usage"
	"wavemill/pipeline/quarantine"
)

// newQuarantine groups the commands on messages that a guard has refused.
func newQuarantine(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "quarantine",
		Short: "Look at messages that a guard has refused, let them pass or remove them",
		Args:  cobra.ArbitraryArgs,
		RunE:  usage.GroupOnly,
	}
	cmd.AddCommand(newQuarantineLs(a), newQuarantineShow(a), newQuarantineAccept(a), newQuarantineRelabel(a), newQuarantineDrop(a))
	return cmd
}

// quarantineFlags are those of all commands of the group.
type quarantineFlags struct {
	busFlags
	label, rule, reason string
	since, until        string
	all, dryRun, asJSON bool
	filter              quarantine.Filter
}

func (q *quarantineFlags) addFilter(f *pflag.FlagSet) {
	f.StringVar(&q.label, "label", "", "only messages with this label")
	f.StringVar(&q.rule, "rule", "", "only messages that break this rule, such as label, outlier or copy")
	f.StringVar(&q.reason, "reason", "", "only messages whose reason contains this text")
	f.StringVar(&q.since, "since", "", "only messages from this time on: RFC 3339, or a duration before now such as 2h")
	f.StringVar(&q.until, "until", "", "only messages from before this time")
}

// addChange adds the flags of a command that changes something.
func (q *quarantineFlags) addChange(f *pflag.FlagSet) {
	q.busFlags.add(f)
	q.addFilter(f)
	f.BoolVar(&q.all, "all", false, "all messages, where neither numbers nor filters are given")
	f.BoolVar(&q.dryRun, "dry-run", false, "say what would be done, and do nothing")
	f.BoolVar(&q.asJSON, "json", false, "print one line of JSON for each message")
}

// choose makes the filter of the flags and of arguments such as 12 and 20-30.
func (q *quarantineFlags) choose(args []string) (err error) {
	q.filter = quarantine.Filter{Label: q.label, Rule: q.rule, Reason: q.reason}
	now := time.Now()
	if q.filter.Since, err = when("since", q.since, now); err != nil {
		return err
	}
	if q.filter.Until, err = when("until", q.until, now); err != nil {
		return err
	}
	q.filter.Numbers, err = numbers(args)
	return err
}

// chooseSome is choose for a command that must not apply to all messages by mistake.
func (q *quarantineFlags) chooseSome(args []string) error {
	if len(args) == 0 && !q.all && q.label+q.rule+q.reason+q.since+q.until == "" {
		return usagef("say which messages: their numbers, such as 12 or 20-30, a filter, or --all")
	}
	return q.choose(args)
}

// when reads a time or a duration before now.
func when(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, usagef("--%s %q is neither a time such as 2026-01-31T12:00:00Z nor a duration such as 2h", flag, text)
	}
	return t, nil
}

// mostNumbers bounds the numbers that ranges on the command line stand for.
const mostNumbers = 1_000_000

// numbers reads numbers and ranges of them.
func numbers(args []string) ([]uint64, error) {
	var out []uint64
	for _, arg := range args {
		lo, hi, isRange := strings.Cut(arg, "-")
		first, err := strconv.ParseUint(lo, 10, 64)
		last := first
		if err == nil && isRange {
			last, err = strconv.ParseUint(hi, 10, 64)
		}
		if err != nil || first == 0 || last < first {
			return nil, usagef("%q is no number of a message, nor a range such as 20-30", arg)
		}
		if last-first >= mostNumbers {
			return nil, usagef("the range %s has more than %d numbers", arg, mostNumbers)
		}
		for n := first; n <= last; n++ {
			out = append(out, n)
		}
	}
	return out, nil
}

func newQuarantineLs(a *app) *cobra.Command {
	var q quarantineFlags
	cmd := &cobra.Command{
		Use:   "ls [NUMBER|FROM-TO...]",
		Short: "List the messages in quarantine",
		Long: `Ls lists the messages that a guard has refused, oldest first: number, time, label,
rules, source and reason.`,
		Example: `  wavemill quarantine ls
  wavemill quarantine ls --label three --rule label --since 2h --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := q.choose(args); err != nil {
				return err
			}
			return a.onQuarantine(cmd.Context(), &q, func(_ context.Context, _ *quarantine.Store, m quarantine.Message) error {
				return a.printMessage(q.asJSON, m)
			})
		},
	}
	q.busFlags.add(cmd.Flags())
	q.addFilter(cmd.Flags())
	cmd.Flags().BoolVar(&q.asJSON, "json", false, "print one line of JSON for each message")
	return cmd
}

// printMessage prints one line about a message.
func (a *app) printMessage(asJSON bool, m quarantine.Message) error {
	if asJSON {
		return a.printJSON(m)
	}
	return a.say("%d  %s  %s  %s  %s  %s", m.Number, m.Time.UTC().Format(time.RFC3339), quote(m.Label), strings.Join(m.Rules, ","), quote(m.Source), m.Reason)
}

// onQuarantine calls f for the messages that the flags choose. It ends with an error where none of the numbers exists.
func (a *app) onQuarantine(ctx context.Context, q *quarantineFlags, f func(context.Context, *quarantine.Store, quarantine.Message) error) (err error) {
	bus, err := openClient(ctx, a, &q.busFlags, []string{}...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeBus(ctx, bus)) }()
	store, n, unreadable := quarantine.Of(bus), 0, 0
	all := q.label+q.rule+q.reason+q.since+q.until == "" && len(q.filter.Numbers) == 0
	for m, err := range store.List(ctx, q.filter) {
		switch {
		case err != nil && m.Number > 0:
			if all || slices.Contains(q.filter.Numbers, m.Number) { // It was asked for.
				unreadable++
			}
			a.log.Warn("a message in quarantine cannot be read", "error", err)
			continue
		case err != nil:
			return err
		}
		n++
		if err := f(ctx, store, m); err != nil {
			return err
		}
	}
	switch {
	case unreadable > 0:
		return fmt.Errorf("%d messages in quarantine cannot be read; remove them with `nats stream rmm`", unreadable)
	case n == 0 && len(q.filter.Numbers) > 0:
		return fmt.Errorf("%w with these numbers and filters", quarantine.ErrNotFound)
	case n == 0:
		a.note("no such message is in quarantine")
	}
	return nil
}
