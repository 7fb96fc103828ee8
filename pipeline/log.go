package pipeline

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/trace"

	"wavemill/pipeline/header"
)

// messageKey is the key of a message's log attributes in a context.
type messageKey struct{}

// withMessage returns ctx with the attributes that every log line about m has: stream, seq, msg_id and trace_id.
func withMessage(ctx context.Context, m *Message) context.Context {
	id := header.TraceID(m.Header[header.Traceparent])
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		id = span.TraceID().String()
	}
	return context.WithValue(ctx, messageKey{}, []slog.Attr{
		slog.String("stream", m.Stream), slog.Uint64("seq", m.Sequence), slog.String("msg_id", m.ID), slog.String("trace_id", id),
	})
}

// messageHandler adds the attributes of the message in a record's context.
type messageHandler struct{ slog.Handler }

// aboutMessages returns log with the attributes of the message in the context of each line.
func aboutMessages(log *slog.Logger) *slog.Logger {
	if _, ok := log.Handler().(messageHandler); ok {
		return log
	}
	return slog.New(messageHandler{log.Handler()})
}

// Handle implements [slog.Handler].
func (h messageHandler) Handle(ctx context.Context, r slog.Record) error {
	if attrs, ok := ctx.Value(messageKey{}).([]slog.Attr); ok {
		r = r.Clone()
		r.AddAttrs(attrs...)
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h messageHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return messageHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (h messageHandler) WithGroup(name string) slog.Handler {
	return messageHandler{h.Handler.WithGroup(name)}
}
