package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"wavemill/pipeline"
	"wavemill/pipeline/verify"
)

// verifyFlags are the flags of `wavemill verify`.
type verifyFlags struct {
	busFlags
	settle         time.Duration
	replay, asJSON bool
	chaos          chaosFlags
}

func newVerify(a *app) *cobra.Command {
	var v verifyFlags
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check that a running pipeline has lost, doubled and held up nothing",
		Long: `Verify reads the streams of a pipeline and its operators' positions in them. It checks
that every message has its outputs or a dead letter, that no output is there twice, and
that no operator is stuck, and lists what is missing by its sequence. If a message is
acknowledged but has neither, another program acknowledged it, or its outputs were
deleted; verify also says whether a program is connected that answers what was not sent
to it.

It changes nothing, unless --replay is given: missing messages that the stream still has
are then put into it again, for the operator that lacks them, and checked once more.

--chaos runs another pipeline of these stages on the server, under a name of its own, and
sends recordings through it while its operators are killed, paused and cut off, and its
streams are full: at least --clips recordings and --seconds. It prints the same table for
it and removes its streams; the user's own pipeline is not touched. Without -f its only
stage is spectrogram.

The exit code is 1 where something is missing, doubled or stuck.`,
		Example: `  wavemill verify --nats nats://host:4222 -f pipeline.yaml
  wavemill verify --json
  wavemill verify --replay
  wavemill verify --nats nats://host:4222 --chaos --clips 500 --seconds 60 --seed 1`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if v.chaos.on {
				return a.chaos(cmd.Context(), v)
			}
			return a.verify(cmd.Context(), v)
		},
	}
	f := cmd.Flags()
	v.busFlags.add(f)
	f.DurationVar(&v.settle, "wait", verify.DefaultSettle, "how long to wait until no message is in flight, and for signs of progress")
	f.BoolVar(&v.replay, "replay", false, "put missing messages into their streams again, and check once more")
	f.BoolVar(&v.asJSON, "json", false, "print the report as one line of JSON")
	v.chaos.add(f)
	return cmd
}

// errFaults is the error of a pipeline with faults; the report has said which.
var errFaults = errors.New("the pipeline has lost, doubled or held up messages; see the report")

// stages returns the spec that flags name, and its stages; without a file those of the standard pipeline.
func (b *busFlags) stages() ([]pipeline.StageInfo, error) {
	spec, err := b.read(pipeline.Overrides{})
	if err != nil {
		return nil, err
	}
	if len(spec.Operators) == 0 {
		spec.Operators = standardOperators()
	}
	return spec.Stages(operators(hooks{}))
}

func (a *app) verify(ctx context.Context, v verifyFlags) error {
	if v.settle <= 0 {
		return usagef("--wait %v: it takes a moment to see whether operators get on", v.settle)
	}
	stages, err := v.stages()
	if err != nil {
		return err
	}
	return a.onBus(ctx, &v.busFlags, func(ctx context.Context, bus *pipeline.Bus) error {
		o := verify.Options{Stages: stages, Settle: v.settle}
		report, err := verify.Run(ctx, bus, o)
		if err == nil && v.replay {
			if report, err = a.verifyReplay(ctx, bus, o, report); err != nil {
				return err
			}
		}
		if err == nil {
			err = a.printResult(v.asJSON, report)
		}
		if err == nil && !report.OK {
			err = errFaults
		}
		return err
	})
}

// verifyReplay puts missing messages into their streams again and checks once more.
func (a *app) verifyReplay(ctx context.Context, bus *pipeline.Bus, o verify.Options, r verify.Report) (verify.Report, error) {
	replayed, gone, err := verify.Replay(ctx, bus, r, verify.Occasion(time.Now()))
	if err != nil {
		return r, err
	}
	a.note("%d missing messages are in their streams again; %d exist no more", replayed, gone)
	if replayed == 0 {
		return r, nil
	}
	return verify.Run(ctx, bus, o)
}
