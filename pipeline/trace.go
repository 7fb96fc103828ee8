package pipeline

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"

	"wavemill/pipeline/header"
)

// instrumentation names the spans of this package.
const instrumentation = "wavemill/pipeline"

// Traces travel on the bus in the headers traceparent and tracestate of the W3C, in lower case.
//
// A publication is a span of kind PRODUCER, an attempt at a message one of kind CONSUMER, whose parent is the publication of
// the message; it is linked to it too, for tools that show links. The outputs are children of the attempt. Without a tracer
// the headers of an input are passed on to its outputs.

// carrier reads and writes the trace of a message.
type carrier struct{ msg *nats.Msg }

// Get implements [propagation.TextMapCarrier].
func (c carrier) Get(name string) string {
	if values := c.msg.Header[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// Set implements [propagation.TextMapCarrier]. The propagator's names are in lower case, and NATS keeps them so.
func (c carrier) Set(name, value string) { c.msg.Header[name] = []string{value} }

// Keys implements [propagation.TextMapCarrier].
func (c carrier) Keys() []string { return []string{header.Traceparent, header.Tracestate} }

// observe starts the observation of a publication: its span, whose context the message carries, and its time. The returned
// function ends it.
func (b *Bus) observe(ctx context.Context, stream string, m *Message, msg *nats.Msg) (context.Context, func(error)) {
	start := time.Now()
	ctx, span := b.produce(ctx, stream, m, msg)
	return ctx, func(err error) {
		if err == nil && b.observer != nil {
			b.observer.Published(b.operator, b.spec.StreamName(stream), time.Since(start))
		}
		finish(span, err)
	}
}

// produce starts the span of a publication. Its parent is the span in ctx, else the one that the message carries.
func (b *Bus) produce(ctx context.Context, stream string, m *Message, msg *nats.Msg) (context.Context, trace.Span) {
	if b.tracer == nil {
		return ctx, nil
	}
	if !trace.SpanContextFromContext(ctx).IsValid() {
		ctx = propagation.TraceContext{}.Extract(ctx, carrier{msg})
	}
	ctx, span := b.tracer.Start(ctx, "publish "+b.template(stream), trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(
		append(b.describe(stream, m), semconv.MessagingOperationName("publish"), semconv.MessagingOperationTypeSend)...))
	propagation.TraceContext{}.Inject(ctx, carrier{msg})
	return ctx, span
}

// consume starts the span of an attempt at a message.
func (s *stage) consume(ctx context.Context, m *Message) (context.Context, trace.Span) {
	if s.bus.tracer == nil {
		return ctx, nil
	}
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier(m.Header))
	options := []trace.SpanStartOption{
		trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(append(s.bus.describe(s.route.from, m),
			semconv.MessagingOperationName("process"), semconv.MessagingOperationTypeProcess,
			semconv.MessagingConsumerGroupName(s.bus.spec.ConsumerName(s.spec.Name)),
			attribute.String("wavemill.operator", s.spec.Name), attribute.Int("wavemill.attempt", m.Attempt),
			attribute.Int64("wavemill.sequence", int64(min(m.Sequence, 1<<62))))...),
	}
	if parent := trace.SpanContextFromContext(ctx); parent.IsValid() {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: parent}))
	}
	return s.bus.tracer.Start(ctx, "process "+s.bus.template(s.route.from), options...)
}

// template is the subject of a stream's messages without their label, which has any number of values.
func (b *Bus) template(stream string) string { return b.spec.Name + "." + stream + ".{label}" }

// describe returns the attributes of a message by the conventions of OpenTelemetry.
func (b *Bus) describe(stream string, m *Message) []attribute.KeyValue {
	return []attribute.KeyValue{
		semconv.MessagingSystemKey.String("nats"),
		semconv.MessagingDestinationName(b.spec.StreamName(stream)),
		semconv.MessagingDestinationTemplate(b.template(stream)),
		semconv.MessagingMessageID(m.ID),
		semconv.MessagingMessageBodySize(len(m.Body)),
	}
}

// finish ends a span, if there is one, with the error that it ended in, or nil.
func finish(span trace.Span, err error) {
	if span == nil {
		return
	}
	if err != nil {
		span.RecordError(err)
		span.SetStatus(codes.Error, oneLine(err.Error()))
	}
	span.End()
}
