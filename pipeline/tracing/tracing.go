// Package tracing exports traces by OpenTelemetry's protocol over HTTP (OTLP).
//
// The standard environment variables decide on everything, see the specification
// (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/): OTEL_EXPORTER_OTLP_ENDPOINT or
// OTEL_EXPORTER_OTLP_TRACES_ENDPOINT turns it on, OTEL_SDK_DISABLED=true and OTEL_TRACES_EXPORTER=none turn it off,
// OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER and the others mean what they mean elsewhere.
package tracing

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"
)

// stopTimeout is how long the last spans may take to be exported.
const stopTimeout = 5 * time.Second

// Enabled reports whether the environment turns the export on.
func Enabled() bool {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// Start returns a tracer whose spans are exported as the environment says, nil where it does not turn the export on. Stop
// exports the last spans; it is never nil. Version is the program's.
func Start(ctx context.Context, version string) (_ trace.TracerProvider, stop func(context.Context) error, err error) {
	stop = func(context.Context) error { return nil }
	if !Enabled() {
		return nil, stop, nil
	}
	if err := check(); err != nil {
		return nil, stop, err
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, stop, fmt.Errorf("traces: %w", err)
	}
	provider, err := newProvider(ctx, version, sdktrace.WithBatcher(exporter))
	if err != nil {
		return nil, stop, errors.Join(err, exporter.Shutdown(ctx))
	}
	return provider, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil {
			return fmt.Errorf("the last traces could not be exported: %w", err)
		}
		return nil
	}, nil
}

// check refuses what the environment asks for and this package does not have.
func check() error {
	if e := os.Getenv("OTEL_TRACES_EXPORTER"); e != "" && e != "otlp" {
		return fmt.Errorf("OTEL_TRACES_EXPORTER is %q: there is otlp, and none", e)
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if p := os.Getenv(name); p != "" && p != "http/protobuf" {
			return fmt.Errorf("%s is %q: traces are exported by http/protobuf alone, usually to port 4318", name, p)
		}
	}
	return nil
}

// newProvider returns a provider for this process. The environment overrides the service's name, "wavemill".
func newProvider(ctx context.Context, version string, o sdktrace.TracerProviderOption) (*sdktrace.TracerProvider, error) {
	described, err := resource.New(ctx,
		resource.WithAttributes(semconv.ServiceName("wavemill"), attribute.String("service.version", version)),
		resource.WithTelemetrySDK(), resource.WithHost(), resource.WithProcessPID(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("traces: describe this process: %w", err)
	}
	return sdktrace.NewTracerProvider(sdktrace.WithResource(described), o), nil
}
