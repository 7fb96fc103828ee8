package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline"
	"wavemill/pipeline/deadletter"
	"wavemill/pipeline/header"
)

// place is one input of one stage.
type place struct {
	stage    string
	sequence uint64
}

// tally counts the outputs of one input.
type tally struct {
	outputs, doubled uint32
	highest          uint32              // The highest k.
	times            map[uint32]struct{} // The ks, once there is more than one output.
}

// found is what the streams say.
type found struct {
	outputs map[place]*tally
	letters map[place]bool
	// taken counts the messages that were taken out of quarantine: outputs that are there no more.
	taken uint64
	info  map[string]*jetstream.StreamInfo
}

// read reads all streams of the pipeline.
func read(ctx context.Context, bus *pipeline.Bus, stages []*watch) (*found, error) {
	f := &found{outputs: map[place]*tally{}, letters: map[place]bool{}, info: map[string]*jetstream.StreamInfo{}}
	inputs := map[string]string{} // The stream that each stage reads.
	names := bus.Spec().StreamNames()
	for _, w := range stages {
		inputs[w.stage.Name] = w.stage.From
		for _, name := range []string{w.stage.From, w.stage.To} { // The spec need not name those of the operators' own choice.
			if name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	for _, name := range names {
		info, err := streamOf(ctx, bus, name)
		if err != nil {
			return nil, err
		}
		if info == nil {
			continue
		}
		f.info[name] = info
	}
	for name, info := range f.info {
		var err error
		switch {
		case name == pipeline.TypeDLQ:
			err = f.readLetters(ctx, bus, inputs)
		case info.State.Msgs > 0:
			err = f.readOutputs(ctx, bus, name, inputs)
		}
		if err != nil {
			return nil, err
		}
	}
	if q := f.info[pipeline.TypeQuarantine]; q != nil && q.State.LastSeq > 0 {
		f.taken = q.State.LastSeq - q.State.Msgs
	}
	return f, nil
}

// readOutputs counts the outputs in one stream.
func (f *found) readOutputs(ctx context.Context, bus *pipeline.Bus, name string, inputs map[string]string) error {
	spec := bus.Spec()
	for m, err := range bus.Messages(ctx, pipeline.Subscription{Stream: name, From: 1, Last: true, HeadersOnly: true}) {
		if m == nil {
			if err = broken(ctx, err); err != nil {
				return err
			}
			continue
		}
		o, ok := pipeline.ParseOrigin(m.ID)
		from, known := inputs[o.Operator]
		if !ok || !known || o.Pipeline != spec.Name || o.Stream != spec.StreamName(from) || f.earlier(from, m.Time) {
			continue
		}
		f.count(place{o.Operator, o.Sequence}, uint32(o.K))
	}
	return nil
}

// broken returns the errors that end a check; a message that cannot be decoded is not one.
func broken(ctx context.Context, err error) error {
	var e *pipeline.Error
	if ctx.Err() != nil || !errors.As(err, &e) {
		return err
	}
	return nil
}

// earlier reports whether something happened before the stream was created: it was about an earlier stream of that name, whose
// sequences mean other messages.
func (f *found) earlier(stream string, at time.Time) bool {
	info := f.info[stream]
	return info == nil || at.Before(info.Created)
}

func (f *found) count(at place, k uint32) {
	t := f.outputs[at]
	if t == nil {
		f.outputs[at] = &tally{outputs: 1, highest: k}
		return
	}
	if t.times == nil {
		t.times = map[uint32]struct{}{t.highest: {}}
	}
	if _, twice := t.times[k]; twice {
		t.doubled++
		return
	}
	t.times[k] = struct{}{}
	t.outputs++
	t.highest = max(t.highest, k)
}

// readLetters reads the dead letters, and the notes about those that were removed.
func (f *found) readLetters(ctx context.Context, bus *pipeline.Bus, inputs map[string]string) error {
	for m, err := range bus.Messages(ctx, pipeline.Subscription{Stream: pipeline.TypeDLQ, From: 1, Last: true, HeadersOnly: true}) {
		if m == nil {
			if err = broken(ctx, err); err != nil {
				return err
			}
			continue
		}
		operator := m.Header[header.DeadOperator]
		var sequence uint64
		if _, err := fmt.Sscan(m.Header[header.DeadSequence], &sequence); err != nil {
			continue // Not a dead letter.
		}
		from, known := inputs[operator]
		if !known || m.Header[header.DeadStream] != bus.Spec().StreamName(from) || f.earlier(from, m.Time) || m.Header[header.DeadSettled] == deadletter.Replayed {
			continue
		}
		f.letters[place{operator, sequence}] = true
	}
	return nil
}
