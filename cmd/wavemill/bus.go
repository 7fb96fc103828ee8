package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"wavemill/pipeline"
)

// defaultURL is the address of the server that `wavemill up` runs, and the default of every client: the standard port of
// NATS, on this machine only.
const defaultURL = "nats://127.0.0.1:4222"

// closeTimeout is how long a bus may take to close.
const closeTimeout = 30 * time.Second

// busFlags are the flags that name a pipeline and its server.
type busFlags struct {
	file, url, pipeline, creds string
	input                      string // A stream that the command writes; empty: a standard one.
}

func (b *busFlags) add(f *pflag.FlagSet) {
	f.StringVarP(&b.file, "file", "f", "", "pipeline file with the name and login of the pipeline (YAML)")
	f.StringVar(&b.url, "nats", "", "URL of the NATS server (default "+defaultURL+")")
	f.StringVar(&b.pipeline, "pipeline", "", "name of the pipeline: first token of its subjects (default "+pipeline.DefaultName+")")
	f.StringVar(&b.creds, "creds", "", "NATS credentials file (.creds)")
}

// read returns the pipeline file, if one is given, with o and the flags applied to it.
func (b *busFlags) read(o pipeline.Overrides) (spec pipeline.Spec, err error) {
	if b.file != "" {
		if spec, err = pipeline.ReadSpec(b.file); err != nil {
			return pipeline.Spec{}, err
		}
	}
	if b.input != "" {
		spec.Inputs = append(spec.Inputs, b.input)
	}
	o.NATS, o.Name, o.Creds = b.url, b.pipeline, b.creds
	return spec.Override(o)
}

// openClient connects to a pipeline that other processes run, to use some of its streams.
func openClient(ctx context.Context, a *app, b *busFlags, streams ...string) (*pipeline.Bus, error) {
	spec, err := b.read(pipeline.Overrides{})
	if err != nil {
		return nil, err
	}
	tracer, err := a.traces(ctx)
	if err != nil {
		return nil, err
	}
	bus, err := pipeline.OpenClient(ctx, spec.Routed(operators(hooks{})).Client(defaultURL), pipeline.BusOptions{Log: a.log, Name: "wavemill", Streams: streams, Tracer: tracer})
	switch {
	case errors.Is(err, pipeline.ErrPermission), errors.Is(err, pipeline.ErrNoJetStream):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w; check --nats, or start a server with `wavemill up`", err)
	}
	return bus, nil
}

// closeBus closes a bus at the end of a command, also after ctx is done.
func closeBus(ctx context.Context, bus *pipeline.Bus) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	return bus.Close(ctx)
}
