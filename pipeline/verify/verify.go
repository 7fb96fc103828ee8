// Package verify checks a running pipeline on its own server and streams: every message has its outputs or a dead letter, nothing
// is stuck, and nothing is there twice.
//
// The proof is in the streams. The id of an output names the stage and the input that it was made from, and an input is
// acknowledged after its outputs are stored. So an acknowledged input without output and dead letter is lost, whoever lost it: an
// operator, a stream that was deleted, or a program that answers messages which were not sent to it, by which it acknowledges them.
// The check reads ids and headers, never bodies, and changes nothing.
package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline"
)

// DefaultSettle is how long [Run] waits for messages in flight. A working operator shows progress within it.
const DefaultSettle = 10 * time.Second

// Options are what Run needs.
type Options struct {
	// Stages are the stages of the pipeline, see [pipeline.Spec.Stages].
	Stages []pipeline.StageInfo
	// Settle is how long to wait until nothing is in flight; 0: DefaultSettle. Messages still in flight then count as pending.
	Settle time.Duration
}

// Why a message is missing.
const (
	Unaccounted = "acknowledged without output and dead letter" // A stranger has acknowledged it, or its outputs were deleted.
	Deleted     = "deleted from the stream without output and dead letter"
	Incomplete  = "some of its outputs are missing"
)

// A Fault is a run of messages with one fault.
type Fault struct {
	First uint64 `json:"first"` // First and Last are sequences of the input stream, both included.
	Last  uint64 `json:"last"`
	Why   string `json:"why"`
}

// A Stage is what Run found about one stage.
type Stage struct {
	Name     string `json:"stage"`
	Operator string `json:"operator"`
	From     string `json:"from"`     // From is the name of the input stream on the server.
	Inputs   uint64 `json:"inputs"`   // Inputs counts the messages that the stage is to work on, deleted ones that it has worked on too.
	Done     uint64 `json:"done"`     // Done counts those whose outputs are stored; of a stage without outputs, those acknowledged.
	Outputs  uint64 `json:"outputs"`  // Outputs counts the outputs.
	Letters  uint64 `json:"letters"`  // Letters counts those with a dead letter, or one that was purged.
	Replayed uint64 `json:"replayed"` // Replayed counts those that are in the stream again under another id.
	Pending  uint64 `json:"pending"`  // Pending counts those in flight and those not yet delivered.
	Unknown  uint64 `json:"unknown"`  // Unknown counts those whose outputs may have expired, or were taken out of quarantine.
	Missing  uint64 `json:"missing"`
	Doubled  uint64 `json:"doubled"` // Doubled counts outputs that are there twice.
	State    string `json:"state"`   // State is done, working or stuck.
	Reason   string `json:"reason,omitempty"`

	MissingAt []Fault `json:"missing_at,omitempty"`
	DoubledAt []Fault `json:"doubled_at,omitempty"` // DoubledAt has the inputs of doubled outputs.
}

// The states of a stage.
const (
	StateDone    = "done"
	StateWorking = "working"
	StateStuck   = "stuck"
)

// ok reports whether the stage has no fault.
func (s Stage) ok() bool { return s.Missing == 0 && s.Doubled == 0 && s.State != StateStuck }

// A Report is the result of a check.
type Report struct {
	Pipeline string    `json:"pipeline"`
	Time     time.Time `json:"time"`
	OK       bool      `json:"ok"` // OK: nothing is missing, doubled or stuck.
	Stages   []Stage   `json:"stages"`
	// Stranger: a client answers messages that were not sent to it, and may acknowledge those of operators.
	Stranger bool `json:"stranger"`
}

// Run checks a pipeline. It reads all of its streams, without bodies. A fault of the pipeline is in the report; an error means that
// the check could not be made.
func Run(ctx context.Context, bus *pipeline.Bus, o Options) (Report, error) {
	report := Report{Pipeline: bus.Spec().Name, Time: time.Now().UTC().Truncate(time.Millisecond)}
	var watched []*watch
	for _, s := range o.Stages {
		if s.From != "" {
			watched = append(watched, &watch{bus: bus, stage: s})
		}
	}
	if err := settle(ctx, watched, cmp.Or(o.Settle, DefaultSettle)); err != nil {
		return report, err
	}
	found, err := read(ctx, bus, watched)
	if err != nil {
		return report, err
	}
	for _, w := range watched {
		s, err := w.judge(ctx, found)
		if err != nil {
			return report, err
		}
		report.Stages = append(report.Stages, s)
	}
	report.Stranger = answered(ctx, bus)
	report.OK = !slices.ContainsFunc(report.Stages, func(s Stage) bool { return !s.ok() })
	return report, ctx.Err()
}

// answered reports whether somebody answers a request that nobody serves.
func answered(ctx context.Context, bus *pipeline.Bus) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_, err := bus.Conn().RequestWithContext(ctx, bus.Spec().Name+".verify.nobody", nil)
	return err == nil
}

// streamOf returns a stream with its deleted sequences, or nil for one that does not exist.
func streamOf(ctx context.Context, bus *pipeline.Bus, name string) (*jetstream.StreamInfo, error) {
	stream, err := bus.JetStream().Stream(ctx, bus.Spec().StreamName(name))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", bus.Spec().StreamName(name), err)
	}
	info, err := stream.Info(ctx, jetstream.WithDeletedDetails(true))
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", bus.Spec().StreamName(name), err)
	}
	return info, nil
}
