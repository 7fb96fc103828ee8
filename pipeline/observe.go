package pipeline

import (
	"errors"
	"iter"
	"time"

	"wavemill/pipeline/contract"
	"wavemill/pipeline/delivery"
	"wavemill/pipeline/objectstore"
)

// An Observer is told how long the work of stages takes. Several goroutines call it at once; it must return quickly.
type Observer interface {
	// Processed is called after each attempt at a message, whatever its outcome. Stream and consumer are those on the
	// server.
	Processed(operator, stream, consumer string, took time.Duration)
	// Published is called after each publication that a stream has confirmed, with the time from the first attempt to
	// the confirmation. Stream is its name on the server.
	Published(operator, stream string, took time.Duration)
}

// Reasons of dead letters, a closed set: a metric has one series for each.
const (
	ReasonInvalid    = "invalid"    // ReasonInvalid: an error of kind invalid.
	ReasonTransient  = "transient"  // ReasonTransient: errors of kind transient until the deliveries were used up.
	ReasonOther      = "other"      // ReasonOther: errors of kind other until the attempts were used up.
	ReasonPanic      = "panic"      // ReasonPanic: the operator panicked at every attempt.
	ReasonTimeout    = "timeout"    // ReasonTimeout: the stage's timeout ended every attempt.
	ReasonDeliveries = "deliveries" // ReasonDeliveries: delivered again and again without an outcome, as if it crashed the process.
	ReasonObject     = "object"     // ReasonObject: the stored body is gone, or its reference is wrong.
	ReasonContract   = "contract"   // ReasonContract: the recording violates the contract of the pipeline.
	ReasonRefused    = "refused"    // ReasonRefused: the operator had acknowledged the message, and could not use it after all.
)

// Reasons lists them.
func Reasons() []string {
	return []string{
		ReasonInvalid, ReasonTransient, ReasonOther, ReasonPanic, ReasonTimeout, ReasonDeliveries, ReasonObject,
		ReasonContract, ReasonRefused,
	}
}

// errDeliveries is the cause of a dead letter about a message that was delivered too often.
var errDeliveries = errors.New("it may be crashing the process that works on it")

// reasonOf classifies the error of a dead letter.
func reasonOf(err error) string {
	_, panicked := errors.AsType[*panicError](err)
	switch {
	case panicked:
		return ReasonPanic
	case errors.Is(err, errTimeout):
		return ReasonTimeout
	case errors.Is(err, errDeliveries):
		return ReasonDeliveries
	case errors.Is(err, objectstore.ErrGone), errors.Is(err, objectstore.ErrReference):
		return ReasonObject
	case errors.Is(err, contract.ErrViolated):
		return ReasonContract
	}
	return KindOf(err).String()
}

// settled counts what was reported to the server about a message.
func (s *stage) settled(v delivery.Verdict) {
	switch v {
	case delivery.Ack:
		s.counters.acked.Add(1)
	case delivery.Retry:
		s.counters.nacked.Add(1)
	case delivery.Drop:
		s.counters.termed.Add(1)
	case delivery.Abandon:
	}
}

// Operators yields the name of every stage with the operator that works for it now, the first where it has several workers.
func (p *Pipeline) Operators() iter.Seq2[string, Operator] {
	return func(yield func(string, Operator) bool) {
		for _, s := range p.running() {
			if w := s.works.Load(); w != nil && !yield(s.spec.Name, w.operators[0]) {
				return
			}
		}
	}
}

// Bus returns the bus on which the pipeline runs.
func (p *Pipeline) Bus() *Bus {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bus
}

// running returns the stages.
func (p *Pipeline) running() []*stage {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stages
}
