package main

import (
	"context"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"

	"wavemill/pipeline/tracing"
)

// traces returns what makes the spans of this run, nil where the environment does not ask for any. The command's end exports
// the last ones.
func (a *app) traces(ctx context.Context) (trace.TracerProvider, error) {
	if !tracing.Enabled() {
		return nil, nil
	}
	// The library reports what fails in the background to a global handler, which would print plain text.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { a.log.Warn("traces could not be exported", "error", err) }))
	otel.SetLogger(logr.FromSlogHandler(a.log.Handler()))
	provider, stop, err := tracing.Start(ctx, version())
	if err != nil {
		return nil, usageError{Err: err}
	}
	a.atEnd = append(a.atEnd, stop)
	return provider, nil
}

// end finishes what outlives the command's own work.
func (a *app) end(ctx context.Context) {
	for _, f := range a.atEnd {
		if err := f(ctx); err != nil {
			a.log.Warn("at the end", "error", err)
		}
	}
}
