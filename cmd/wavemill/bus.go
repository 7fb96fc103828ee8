package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/pflag"

	"wavemill/pipeline"
)

// defaultURL is the address of the server that `wavemill up` runs, and the default of every client: the standard port of
// NATS, on this machine only.
const defaultURL = "nats://127.0.0.1:4222"

// busFlags are the flags that name a pipeline and its server.
type busFlags struct {
	file, url, pipeline, creds string
}

func (b *busFlags) add(f *pflag.FlagSet) {
	f.StringVarP(&b.file, "file", "f", "", "pipeline file with the name and login of the pipeline (YAML)")
	f.StringVar(&b.url, "nats", "", "URL of the NATS server (default "+defaultURL+")")
	f.StringVar(&b.pipeline, "pipeline", "", "name of the pipeline: first token of its subjects (default "+pipeline.DefaultName+")")
	f.StringVar(&b.creds, "creds", "", "NATS credentials file (.creds)")
}

// spec returns the pipeline that the flags name, without operators, because a client runs none.
func (b *busFlags) spec() (pipeline.Spec, error) {
	spec, err := b.read()
	if err != nil {
		return pipeline.Spec{}, err
	}
	spec.Operators, spec.DataDir, spec.Listen = nil, "", ""
	if spec.NATS == "" {
		spec.NATS = defaultURL
	}
	return spec, nil
}

// read returns the pipeline file, if one is given, with the flags applied to it.
func (b *busFlags) read() (pipeline.Spec, error) {
	var spec pipeline.Spec
	if b.file != "" {
		var err error
		if spec, err = pipeline.ReadSpec(b.file); err != nil {
			return pipeline.Spec{}, err
		}
	}
	if b.url != "" {
		spec.NATS, spec.DataDir, spec.Listen = b.url, "", ""
	}
	if b.pipeline != "" {
		spec.Name = b.pipeline
	}
	if b.creds != "" {
		spec.Auth.Creds = b.creds
	}
	return spec, nil
}

// openClient connects to a pipeline that other processes run. It creates the streams only if one does not exist, so that a
// client does not change the limits of a running pipeline.
func openClient(ctx context.Context, a *app, b *busFlags) (*pipeline.Bus, error) {
	spec, err := b.spec()
	if err != nil {
		return nil, err
	}
	bound := spec
	bound.Streams.Bind = true
	options := pipeline.BusOptions{Log: a.log, Name: "wavemill"}
	bus, err := pipeline.Open(ctx, bound, options)
	if errors.Is(err, jetstream.ErrStreamNotFound) && !spec.Streams.Bind {
		bus, err = pipeline.Open(ctx, spec, options)
	}
	if err != nil {
		return nil, fmt.Errorf("%w; check --nats, or start a server with `wavemill up`", err)
	}
	return bus, nil
}

// closeBus closes a bus at the end of a command. It takes at most 30 seconds, also after ctx is done.
func closeBus(ctx context.Context, bus *pipeline.Bus) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	return bus.Close(ctx)
}
