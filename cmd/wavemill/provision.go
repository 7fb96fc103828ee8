package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"wavemill/pipeline"
)

// provisionFlags are the flags of `wavemill provision`.
type provisionFlags struct {
	busFlags
	owner        string
	take, remove bool
	wait         time.Duration
}

func newProvision(a *app) *cobra.Command {
	var p provisionFlags
	cmd := &cobra.Command{
		Use:   "provision",
		Short: "Create the streams, consumers and buckets of a pipeline",
		Long: `Provision creates everything that the operators of a pipeline use on a NATS server:
streams, durable consumers, key-value buckets and object stores. It prints their names as
JSON. Operators do the same for themselves when they start, unless the file says bind;
run provision before something watches their consumers, such as an autoscaler.

--owner names an installation. Another owner is then refused: two installations of one
name would share streams and consumers, and each would get a part of the messages.`,
		Example: `  wavemill provision -f pipeline.yaml --nats nats://host:4222
  wavemill provision -f pipeline.yaml --owner audio/mill --wait 2m`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.provision(cmd.Context(), p) },
	}
	f := cmd.Flags()
	p.busFlags.add(f)
	f.StringVar(&p.owner, "owner", "", "installation that the pipeline belongs to, such as namespace/release (default: nobody)")
	f.BoolVar(&p.take, "take-over", false, "take the pipeline over from another owner")
	f.BoolVar(&p.remove, "remove", false, "delete it all instead, with every recording, clip and model of the pipeline")
	f.DurationVar(&p.wait, "wait", 0, "how long to wait for a server that is not there yet (default: not at all)")
	return cmd
}

func (a *app) provision(ctx context.Context, p provisionFlags) (err error) {
	if p.take && p.owner == "" || p.remove && p.owner != "" {
		return usagef("--take-over needs --owner, and --remove takes none")
	}
	if p.file != "" {
		if err := a.checkFile(p.file); err != nil {
			return err
		}
	}
	spec, err := p.read(pipeline.Overrides{})
	if err != nil {
		return err
	}
	if len(spec.Operators) == 0 {
		spec.Operators = standardOperators()
	}
	if spec.NATS == "" {
		spec.NATS, spec.DataDir, spec.Listen = defaultURL, "", ""
	}
	bus, err := a.openWaiting(ctx, spec, p.wait)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeBus(ctx, bus)) }()
	if p.remove {
		return bus.RemoveStreams(ctx)
	}
	done, err := bus.Provision(ctx, operators(hooks{}), p.owner, p.take)
	switch {
	case errors.Is(err, pipeline.ErrOwned):
		return fmt.Errorf("%w (--take-over)", err)
	case err != nil:
		return err
	}
	return a.printJSON(done)
}

// openWaiting connects to a server without touching its streams, and tries for so long while it is not there, or has no
// JetStream yet, as a cluster that has no leader.
func (a *app) openWaiting(ctx context.Context, spec pipeline.Spec, wait time.Duration) (*pipeline.Bus, error) {
	deadline := time.Now().Add(wait)
	for {
		bus, err := pipeline.Open(ctx, spec, pipeline.BusOptions{Log: a.log, Streams: []string{}})
		if err == nil {
			if _, err = bus.JetStream().AccountInfo(ctx); err == nil {
				return bus, nil
			}
			err = errors.Join(err, closeBus(ctx, bus))
		}
		if errors.Is(err, nats.ErrAuthorization) || time.Now().After(deadline) {
			return nil, err
		}
		a.log.Info("the NATS server is not ready", "error", err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
