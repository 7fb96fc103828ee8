package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"

	"github.com/spf13/cobra"

	"wavemill/pipeline"
	"wavemill/pipeline/health"
	"wavemill/pipeline/metrics"
)

// defaultDataDir is where the server of `wavemill up` keeps its data: in the current folder, not a hidden one.
const defaultDataDir = "wavemill-data"

// defaultListen is where the server that up runs accepts other programs: the address of defaultURL.
const defaultListen = "127.0.0.1:4222"

// runFlags are the flags of the commands that run operators.
type runFlags struct {
	busFlags
	accessFlags
	dataDir, listen   string
	http, checkpoints string
	watch, declares   bool
}

func newUp(a *app) *cobra.Command {
	var flags runFlags
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run a whole pipeline in one process",
		Long: `Up runs all operators of a pipeline until it is interrupted. Without --nats it also
runs a NATS server, which keeps its data in ./` + defaultDataDir + ` and accepts other
programs on this machine at ` + defaultURL + `.

Without -f it runs the standard pipeline: spectrogram, train, generate.`,
		Example: `  wavemill up
  wavemill up -f pipeline.yaml --watch
  wavemill up -f pipeline.yaml --nats nats://host:4222 --http :8080`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if flags.watch && flags.file == "" {
				return usagef("--watch needs the pipeline file to watch (-f)")
			}
			if err := flags.resolve(flags.http); err != nil {
				return err
			}
			spec, err := flags.runnable(a)
			if err != nil {
				return err
			}
			flags.declares = true
			return a.runPipeline(cmd.Context(), spec, flags)
		},
	}
	flags.busFlags.add(cmd.Flags())
	cmd.Flags().Lookup("nats").Usage = "URL of the NATS server (default: run one)"
	cmd.Flags().BoolVar(&flags.watch, "watch", false, "reload the pipeline file when it changes: only stages that changed are restarted, and no message is lost")
	cmd.Flags().StringVar(&flags.dataDir, "data-dir", "", "data folder of the server that up runs (default ./"+defaultDataDir+")")
	cmd.Flags().StringVar(&flags.listen, "listen", "", "host:port where other clients can connect to the server that up runs (default "+defaultListen+")")
	cmd.Flags().StringVar(&flags.http, "http", "", "host:port for /livez, /readyz, /metrics, /status and the studio, such as 127.0.0.1:8080 (default: none)")
	flags.accessFlags.add(cmd.Flags())
	cmd.Flags().StringVar(&flags.checkpoints, "checkpoints", "", "folder where the trainer also writes its checkpoints, <model>.safetensors (default: on the bus only)")
	return cmd
}

func newOperator(a *app) *cobra.Command {
	var flags runFlags
	cmd := &cobra.Command{
		Use:   "operator NAME",
		Short: "Run one operator of a pipeline",
		Long: `Operator runs one operator of a pipeline against a NATS server until it is
interrupted: what the Helm chart deploys. NAME is the operator's name in the
pipeline file; without -f, one of the standard pipeline: spectrogram, train,
generate.`,
		Example: "  wavemill operator spectrogram --nats nats://host:4222 -f pipeline.yaml",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("%s needs the name of one operator", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			spec, err := flags.runnable(a)
			if err != nil {
				return err
			}
			if spec.NATS == "" {
				return usagef("--nats is missing: a single operator needs the server that the other operators use")
			}
			if spec, err = spec.Only(args[0]); err != nil {
				return usageError{Err: err}
			}
			return a.runPipeline(cmd.Context(), spec, flags)
		},
	}
	flags.busFlags.add(cmd.Flags())
	cmd.Flags().Lookup("nats").Usage = "URL of the NATS server (required here or in the file)"
	cmd.Flags().StringVar(&flags.http, "http", "", "host:port for /livez, /readyz, /metrics and /status, such as :8080 (default: none)")
	cmd.Flags().StringVar(&flags.checkpoints, "checkpoints", "", "folder where the trainer also writes its checkpoints, <model>.safetensors (default: on the bus only)")
	return cmd
}

// runnable returns the spec to run: the file's or the standard one, with the flags applied to it.
func (r *runFlags) runnable(a *app) (pipeline.Spec, error) {
	if r.file != "" {
		if err := a.checkFile(r.file); err != nil {
			return pipeline.Spec{}, err
		}
	}
	spec, err := r.read(pipeline.Overrides{DataDir: r.dataDir, Listen: r.listen})
	switch {
	case errors.Is(err, pipeline.ErrExternalServer):
		return pipeline.Spec{}, usagef("--data-dir and --listen belong to the server that up runs when --nats is not given")
	case err != nil:
		return pipeline.Spec{}, err
	case r.file == "":
		spec.Operators = standardOperators()
	case len(spec.Operators) == 0:
		return pipeline.Spec{}, fmt.Errorf("%s: the pipeline has no operators; list them under operators, or leave out -f for the standard pipeline", r.file)
	}
	if spec.NATS == "" {
		spec.DataDir, spec.Listen = cmp.Or(spec.DataDir, defaultDataDir), cmp.Or(spec.Listen, defaultListen)
	}
	return spec, nil
}

// pages are what --http serves.
func pages(running *pipeline.Pipeline, figures *metrics.Set) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", health.Handler(running))
	mux.Handle("GET /metrics", figures.Handler())
	return mux
}

// runPipeline runs the operators of a spec until ctx is done or one of them fails.
func (a *app) runPipeline(ctx context.Context, spec pipeline.Spec, flags runFlags) (err error) {
	var h hooks
	if h.Train.CheckpointDir = flags.checkpoints; flags.checkpoints != "" {
		if err := os.MkdirAll(flags.checkpoints, 0o755); err != nil {
			return fmt.Errorf("--checkpoints: %w", err)
		}
	}
	registry := operators(h)
	if err := pipeline.Check(spec, registry); err != nil {
		return err
	}
	tracer, err := a.traces(ctx)
	if err != nil {
		return err
	}
	bus, err := pipeline.Open(ctx, spec, pipeline.BusOptions{Log: a.log, Tracer: tracer})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeBus(ctx, bus)) }()
	if flags.declares {
		if err := a.declare(ctx, bus, spec.Contract); err != nil {
			return err
		}
	}
	figures := metrics.New(bus.Spec().Name)
	running, err := pipeline.Start(ctx, bus, registry, pipeline.Options{Log: a.log, Observer: figures})
	if err != nil {
		return err
	}
	figures.Follow(running)
	served := pages(running, figures)
	if flags.declares && flags.http != "" {
		var close func()
		if served, close, err = a.pipelineStudio(ctx, running, flags.access, served); err != nil {
			return errors.Join(err, running.Stop(ctx))
		}
		defer close()
	}
	stop, err := health.Serve(ctx, flags.http, flags.access.TLS, served, a.log)
	if err != nil {
		return errors.Join(fmt.Errorf("--http: %w", err), running.Stop(ctx))
	}
	defer stop()
	a.log.Info("pipeline runs", "pipeline", bus.Spec().Name, "operators", bus.Spec().OperatorNames(), "nats", bus.URL(), "data", spec.DataDir)
	if flags.watch {
		watching, stopWatching := context.WithCancel(ctx)
		var watcher sync.WaitGroup
		watcher.Go(func() { a.watch(watching, &flags, running) })
		defer watcher.Wait()
		defer stopWatching()
	}
	return running.Wait()
}
