package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"wavemill/internal/usage"
	"wavemill/operators/files"
	"wavemill/pipeline"
	"wavemill/pipeline/contract"
)

func newContract(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "contract",
		Short: "Say which recordings a pipeline admits",
		Long: `A contract lists the labels, sample rates, channels and durations of the recordings
that a pipeline admits. It is kept on the bus, with a revision for each change.
Publish refuses files that it does not admit before it sends any; a recording from
another client that violates it becomes a dead letter.`,
		Example: `  wavemill contract show
  wavemill contract set -f pipeline.yaml
  wavemill contract set --label kick,snare --rate 44100 --max-duration 2s`,
		Args: cobra.ArbitraryArgs,
		RunE: usage.GroupOnly,
	}
	cmd.AddCommand(newContractShow(a), newContractSet(a))
	return cmd
}

func newContractShow(a *app) *cobra.Command {
	var bus busFlags
	cmd := &cobra.Command{
		Use: "show", Short: "Print the contract in force as JSON",
		Example: "  wavemill contract show --nats nats://host:4222",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withContracts(cmd.Context(), &bus, func(b *pipeline.Bus) (contract.Stored, error) { return b.Contracts().Get(cmd.Context()) })
		},
	}
	bus.add(cmd.Flags())
	return cmd
}

func newContractSet(a *app) *cobra.Command {
	var bus busFlags
	var c contract.Contract
	var force, clear bool
	cmd := &cobra.Command{
		Use: "set", Short: "Bring a contract into force",
		Long: `Set brings a contract into force: the one of the pipeline file, or the one that the
flags say. It is refused where recordings that are stored would not be admitted,
unless --force is given.`,
		Example: `  wavemill contract set -f pipeline.yaml
  wavemill contract set --label kick,snare --rate 44100,48000 --channels 1
  wavemill contract set --clear --force`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			spec, err := bus.read(pipeline.Overrides{})
			if err != nil {
				return err
			}
			switch {
			case clear && !c.Empty():
				return usagef("--clear admits everything: leave out what is to be admitted")
			case !c.Empty() && spec.Contract != nil:
				return usagef("the pipeline file has a contract: leave out the flags, or change the file")
			case c.Empty() && spec.Contract != nil && !clear:
				c = *spec.Contract
			case c.Empty() && !clear:
				return usagef("set needs a contract: in the pipeline file (-f), or by --label, --rate, --channels, --min-duration, --max-duration")
			}
			if err := c.Validate(); err != nil {
				return usageError{Err: err}
			}
			ctx := cmd.Context()
			return a.withContracts(ctx, &bus, func(b *pipeline.Bus) (contract.Stored, error) {
				return b.Declare(ctx, c, force, func(c contract.Contract) error { return files.Audit(ctx, b, c) })
			})
		},
	}
	bus.add(cmd.Flags())
	f := cmd.Flags()
	f.StringSliceVar(&c.Labels, "label", nil, "labels that are admitted (default: all)")
	f.IntSliceVar(&c.Rates, "rate", nil, "sample rates that are admitted, in Hz (default: all)")
	f.IntSliceVar(&c.Channels, "channels", nil, "numbers of channels that are admitted (default: all)")
	f.DurationVar(&c.MinDuration, "min-duration", 0, "the shortest recording that is admitted (default: any)")
	f.DurationVar(&c.MaxDuration, "max-duration", 0, "the longest recording that is admitted (default: any)")
	f.BoolVar(&clear, "clear", false, "admit everything")
	f.BoolVar(&force, "force", false, "bring it into force even where stored recordings would not be admitted")
	return cmd
}

// withContracts calls f on the bus and prints the contract that it returns.
func (a *app) withContracts(ctx context.Context, flags *busFlags, f func(*pipeline.Bus) (contract.Stored, error)) error {
	bus, err := openClient(ctx, a, flags, pipeline.TypeAudio)
	if err != nil {
		return err
	}
	stored, err := f(bus)
	if err = errors.Join(err, closeBus(ctx, bus)); err != nil {
		return err
	}
	return a.printJSON(stored)
}

// declare brings the contract of a pipeline file into force before its operators run.
func (a *app) declare(ctx context.Context, bus *pipeline.Bus, c *contract.Contract) error {
	if c == nil {
		return nil
	}
	stored, err := bus.Declare(ctx, *c, false, func(c contract.Contract) error { return files.Audit(ctx, bus, c) })
	if err != nil {
		return fmt.Errorf("contract: %w", err)
	}
	a.log.Info("contract in force", "revision", stored.Revision)
	return nil
}
