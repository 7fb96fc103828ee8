package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"wavemill/internal/usage"
	"wavemill/operators/versions"
	"wavemill/pipeline"
	"wavemill/pipeline/modelstore"
)

// newModels groups the commands for served models.
func newModels(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "models",
		Short: "List, compare, pin and take back the versions of served models",
		Long: `Models shows the versions of the models that a running pipeline keeps, with the
figures by which the gate has let them pass, and changes which one is served.
Replicas follow at once; requests in progress end with the version they began with.`,
		Example: `  wavemill models ls
  wavemill models show vae
  wavemill models diff vae 3 4
  wavemill models rollback vae --reason "it hums"
  wavemill models pin vae 3 --nats nats://host:4222`,
		Args: cobra.ArbitraryArgs,
		RunE: usage.GroupOnly,
	}
	cmd.AddCommand(newModelsLs(a), newModelsShow(a), newModelsDiff(a), newModelsPin(a), newModelsUnpin(a), newModelsRollback(a), newModelsRm(a))
	return cmd
}

// modelsFlags are the flags of all commands for served models.
type modelsFlags struct {
	busFlags
	asJSON bool
}

// add adds them to a command, whose arguments are a name and between least and most version numbers.
func (m *modelsFlags) add(cmd *cobra.Command, least, most int, what string) *cobra.Command {
	m.busFlags.add(cmd.Flags())
	cmd.Flags().BoolVar(&m.asJSON, "json", false, "print the result as JSON")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) < 1+least || len(args) > 1+most {
			return usagef("%s needs %s", cmd.CommandPath(), what)
		}
		for _, arg := range args[1:] {
			if n, err := strconv.ParseUint(arg, 10, 64); err != nil || n == 0 {
				return usagef("%q is not the number of a version; `wavemill models ls` lists them", arg)
			}
		}
		return nil
	}
	return cmd
}

// versionNumbers are the version numbers among checked arguments.
func versionNumbers(args []string) []uint64 {
	var out []uint64
	for _, arg := range args[1:] {
		n, _ := strconv.ParseUint(arg, 10, 64) // Checked by Args.
		out = append(out, n)
	}
	return out
}

// withModels connects to the pipeline and calls f with its model store.
func (a *app) withModels(ctx context.Context, m *modelsFlags, f func(*modelstore.Store) error) (err error) {
	bus, err := openClient(ctx, a, &m.busFlags, []string{}...) // No stream is needed.
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeBus(ctx, bus)) }()
	return explainModels(f(bus.Models()), bus.Spec())
}

// explainModels says what to do about an error of the model store.
func explainModels(err error, spec pipeline.Spec) error {
	switch {
	case errors.Is(err, jetstream.ErrBucketNotFound), errors.Is(err, jetstream.ErrStreamNotFound):
		return fmt.Errorf("the pipeline %s has stored no model yet; check --pipeline, or wait until the trainer has served one", spec.Name)
	case errors.Is(err, modelstore.ErrNotFound):
		return fmt.Errorf("%w; `wavemill models ls` lists the models", err)
	case errors.Is(err, modelstore.ErrPinned):
		return fmt.Errorf("%w; `wavemill models unpin` ends that", err)
	case errors.Is(err, modelstore.ErrInUse):
		return fmt.Errorf("%w; serve another one first, with `wavemill models rollback`", err)
	case errors.Is(err, modelstore.ErrConflict):
		return fmt.Errorf("%w; look at `wavemill models ls` and repeat the command", err)
	}
	return err
}

// changed prints the versions of a model after a change, and notes what was done.
func (a *app) changed(m *modelsFlags, e modelstore.Entry, format string, args ...any) error {
	a.note(format, args...)
	return a.printVersions(m, versions.List(e))
}

func (a *app) printVersions(m *modelsFlags, list []versions.Version) error {
	if !m.asJSON {
		return a.say("%v", versions.Table(list))
	}
	for _, v := range list {
		if err := a.printJSON(v); err != nil {
			return err
		}
	}
	return nil
}
