package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"wavemill/pipeline"
)

func newDLQShow(a *app) *cobra.Command {
	var flags busFlags
	var asJSON bool
	var body string
	cmd := &cobra.Command{
		Use:     "show NUMBER",
		Short:   "Show a dead letter whole, and save its body",
		Long:    "Show prints everything about a dead letter: the error, the headers of the message, and\nwhere it was. --body saves the message's body as a file.",
		Example: "  wavemill dlq show 12\n  wavemill dlq show 12 --body broken.wav",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("%s needs the number of one dead letter; `wavemill dlq ls` lists them", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			number, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil {
				return usagef("%q is not the number of a dead letter; `wavemill dlq ls` lists them", args[0])
			}
			return a.onBus(cmd.Context(), &flags, func(ctx context.Context, bus *pipeline.Bus) error {
				return a.showLetter(ctx, bus, number, body, asJSON)
			})
		},
	}
	flags.add(cmd.Flags())
	cmd.Flags().StringVar(&body, "body", "", "file to save the body of the message to")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one line of JSON")
	return cmd
}

// shownLetter is a letter as `wavemill dlq show` prints it.
type shownLetter struct {
	letterLine
	Headers map[string][]string `json:"headers"`
}

// String has one line for each fact.
func (s shownLetter) String() string {
	var b strings.Builder
	put := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-12s %s\n", name, value)
		}
	}
	put("letter", strconv.FormatUint(s.Number, 10))
	put("operator", s.Operator)
	put("reason", s.Kind+": "+s.Reason)
	put("error", string(s.Error))
	put("attempts", strconv.Itoa(s.Attempts))
	put("time", s.Died.String())
	put("message", fmt.Sprintf("%s %d on %s", s.Stream, s.Sequence, s.Subject))
	put("id", s.MessageID)
	put("label", s.Label)
	put("source", s.Source)
	switch {
	case s.Gone:
		put("body", s.Object+", which has expired: the letter cannot be replayed")
	case s.Expires != nil:
		put("body", s.Object+", expires "+s.Expires.String())
	default:
		put("body", fmt.Sprintf("%d bytes", s.Size))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
		put("header", name+": "+strings.Join(s.Headers[name], ", "))
	}
	return strings.TrimRight(b.String(), "\n")
}

func (a *app) showLetter(ctx context.Context, bus *pipeline.Bus, number uint64, file string, asJSON bool) error {
	letters := bus.DeadLetters()
	l, err := letters.Get(ctx, number)
	if err != nil {
		return fmt.Errorf("%w; `wavemill dlq ls` lists them", err)
	}
	text, err := line(ctx, letters, l)
	if err != nil {
		return err
	}
	if file != "" {
		body, err := letters.Body(ctx, l)
		if err == nil {
			err = writeFile(file, body)
		}
		if err != nil {
			return fmt.Errorf("body of dead letter %d: %w", number, err)
		}
	}
	return a.printResult(asJSON, shownLetter{text, l.Header})
}
