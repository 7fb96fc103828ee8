package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"wavemill/pipeline/delivery"
	"wavemill/pipeline/header"
	"wavemill/pipeline/objectstore"
)

// handle processes one delivered message and returns its outcome.
func (s *stage) handle(ctx context.Context, worker int, msg *delivery.Message) delivery.Outcome {
	m, err := decode(msg)
	if m == nil {
		s.log.ErrorContext(ctx, "a message without metadata is skipped", "subject", msg.Subject(), "error", err)
		return delivery.Outcome{Verdict: delivery.Drop, Reason: "no metadata"}
	}
	s.counters.received.Add(1)
	s.counters.receivedBytes.Add(uint64(len(m.Body)))
	if m.Attempt > 1 {
		s.counters.redelivered.Add(1)
	}
	if m.Type == TypeDLQ && m.Header[header.DeadSettled] != "" {
		return delivery.Outcome{Verdict: delivery.Ack} // A note about a letter that has been removed.
	}
	if only := m.Header[header.Only]; err == nil && only != "" {
		if only != s.spec.Name {
			return delivery.Outcome{Verdict: delivery.Ack} // Replayed for another stage of this stream.
		}
		delete(m.Header, header.Only) // An operator that passes the message on must not pass this on.
	}
	ctx, span := s.consume(ctx, m)
	ctx = withMessage(ctx, m)
	if err == nil && m.Attempt > maxDeliveries {
		err = Errorf(Invalid, "delivered %d times without an outcome; %w", m.Attempt-1, errDeliveries)
	}
	var in *parent
	if err == nil {
		start := time.Now()
		in, err = s.process(ctx, worker, m.Clone())
		s.processed(time.Since(start))
	}
	end := func() delivery.Outcome {
		if in != nil {
			err = errors.Join(err, s.confirmed(in))
		}
		finish(span, err)
		if err == nil {
			s.counters.processed.Add(1)
			s.event(EventProcessed, m, nil)
			return delivery.Outcome{Verdict: delivery.Ack}
		}
		return s.failed(ctx, msg, m, err)
	}
	if in != nil && len(in.begun) > 0 && err == nil {
		return delivery.Outcome{Finish: end}
	}
	return end()
}

// process resolves the body and calls the operator, with a panic turned into an error. The operator owns m.
func (s *stage) process(ctx context.Context, worker int, m *Message) (*parent, error) {
	lasting := ctx // Of what goes on after Process.
	if s.spec.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, s.spec.Timeout, errTimeout)
		defer cancel()
	}
	switch err := s.bus.resolve(ctx, m); {
	case errors.Is(err, objectstore.ErrGone), errors.Is(err, objectstore.ErrReference):
		return nil, &Error{Kind: Invalid, Err: err}
	case err != nil:
		return nil, &Error{Kind: Transient, Err: err}
	}
	in := s.parentOf(m)
	op := s.works.Load().operators[worker]
	if o, ok := op.(Stateless); ok && o.Stateless() {
		in.lasting = lasting
	}
	emit := func(ctx context.Context, out *Message) error { return s.emit(ctx, in, out) }
	err := guard(func() error { return op.Process(ctx, m, emit) })
	if err != nil && errors.Is(context.Cause(ctx), errTimeout) {
		return in, &Error{Kind: Other, Message: fmt.Sprintf("no result after %v (%v)", s.spec.Timeout, errTimeout), Err: &timedOut{err}}
	}
	return in, err
}

// errTimeout is the cause of a context that ended because of the stage's timeout.
var errTimeout = errors.New("timeout")

// timedOut is the error of an operator that the timeout has interrupted.
type timedOut struct{ err error }

func (e *timedOut) Error() string   { return e.err.Error() }
func (e *timedOut) Unwrap() []error { return []error{errTimeout, e.err} }

// processed records the time of one attempt.
func (s *stage) processed(took time.Duration) {
	s.counters.busy.Add(int64(took))
	if o := s.options.Observer; o != nil {
		o.Processed(s.spec.Name, s.bus.spec.StreamName(s.route.from), s.bus.spec.ConsumerName(s.spec.Name), took)
	}
}

// guard calls f and returns a panic as an error.
func guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &panicError{value: r, stack: string(bytes.TrimSpace(debug.Stack()))}
		}
	}()
	return f()
}

// panicError is a panic of an operator.
type panicError struct {
	value any
	stack string
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// parent is what the outputs of a message take from it. It is a copy: the message itself belongs to the operator.
type parent struct {
	prefix    string // Of the outputs' ids.
	label     string
	inherited map[string]string // Headers.
	uncertain bool              // An earlier attempt may have published outputs that the streams' windows have forgotten.
	outputs   int

	lasting context.Context // Of publications that go on after Process; nil: there are none.
	begun   []begun
}

// inheritedHeaders are the headers that an output takes from its input where it has none of its own: which recording it
// is made from, and the trace.
func inheritedHeaders() []string {
	return []string{header.Source, header.Recording, header.Fingerprint, header.Group, header.Traceparent, header.Tracestate}
}

func (s *stage) parentOf(m *Message) *parent {
	p := &parent{prefix: s.outputPrefix(m.Sequence), label: m.Label, inherited: make(map[string]string)}
	for _, name := range inheritedHeaders() {
		if value := m.Header[name]; value != "" {
			p.inherited[name] = value
		}
	}
	repeated := m.Attempt > 1 || m.Sequence <= s.repeatedUpTo.Load()
	p.uncertain = repeated && time.Since(m.Time) > s.bus.spec.duplicateWindow()*9/10
	return p
}

// destination returns the stream of an output: the one that the spec's to names, except for model events and refused
// messages, or the one of its type.
func (s *stage) destination(out *Message) (string, error) {
	stream := out.Type
	if s.spec.To != "" && out.Type != TypeModel && out.Type != TypeQuarantine {
		stream = s.spec.To
	}
	switch {
	case stream == s.route.from:
		return "", &Error{Kind: Invalid, Err: fmt.Errorf("the output, of type %q: %w", out.Type, sameStream(stream))}
	case stream != TypeModel && stream != s.route.to:
		return stream, s.bus.checkOutput(stream)
	}
	return stream, nil
}

// emit publishes the next output of in.
func (s *stage) emit(ctx context.Context, in *parent, out *Message) error {
	out.ID = fmt.Sprintf("%s%d", in.prefix, in.outputs)
	in.outputs++
	if out.Label == "" {
		out.Label = in.label
	}
	for name, value := range in.inherited {
		if out.Header[name] == "" {
			out.SetHeader(name, value)
		}
	}
	stream, err := s.destination(out)
	if err != nil {
		return err
	}
	if in.uncertain && stream != TypeModel {
		known, err := s.published.has(ctx, stream, out.ID)
		if err != nil {
			return &Error{Kind: Transient, Err: err}
		}
		if known {
			s.counters.emitted.Add(1)
			s.counters.duplicates.Add(1)
			return nil
		}
	}
	size := uint64(len(out.Body))
	if in.lasting != nil && stream != TypeModel {
		return s.begin(ctx, in, stream, out)
	}
	ack, err := s.bus.store(ctx, stream, out)
	return s.stored(ack, size, err)
}

// stored counts an output whose body has so many bytes.
func (s *stage) stored(ack Ack, size uint64, err error) error {
	if err != nil {
		return err
	}
	s.counters.emitted.Add(1)
	s.counters.emittedBytes.Add(size)
	if ack.Duplicate {
		s.counters.duplicates.Add(1)
	}
	return nil
}

// failed routes an error by its kind.
func (s *stage) failed(ctx context.Context, msg *delivery.Message, m *Message, err error) delivery.Outcome {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, delivery.ErrLeaseLost):
		s.log.WarnContext(ctx, "work on a message stopped: its lease on the server has run out; it will be delivered again", "error", cause)
		return delivery.Outcome{Verdict: delivery.Abandon}
	case cause != nil: // Stopping: not the message's fault.
		return delivery.Outcome{Verdict: delivery.Retry}
	}
	kind := KindOf(err)
	if kind == Invalid || (kind == Other && m.Attempt >= s.spec.MaxAttempts) || m.Attempt >= maxDeliveries {
		return s.deadLetter(ctx, msg, m, err)
	}
	s.logPanic(ctx, err)
	s.counters.retried.Add(1)
	s.event(EventRetried, m, err)
	delay := retryDelay(m.Attempt, rand.Float64()) // Jitter: results do not depend on it.
	s.log.WarnContext(ctx, "failed, trying again", "label", m.Label, "attempt", m.Attempt, "kind", kind.String(), "delay", delay, "error", err)
	return delivery.Outcome{Verdict: delivery.Retry, Delay: delay}
}

func (s *stage) logPanic(ctx context.Context, err error) {
	if p, ok := errors.AsType[*panicError](err); ok {
		s.log.ErrorContext(ctx, "the operator panicked", "panic", p.value, "stack", p.stack)
	}
}
