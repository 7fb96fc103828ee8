package verify

import (
	"context"
	"slices"
	"time"

	"wavemill/pipeline"
	"wavemill/pipeline/deadletter"
	"wavemill/pipeline/header"
)

// judge compares the inputs of a stage with what was found.
func (w *watch) judge(ctx context.Context, f *found) (Stage, error) {
	spec := w.bus.Spec()
	s := Stage{Name: w.stage.Name, Operator: w.stage.Operator, From: spec.StreamName(w.stage.From)}
	info := f.info[w.stage.From]
	if info == nil {
		s.State, s.Reason = StateStuck, "its stream does not exist"
		return s, nil
	}
	j := &verdicts{watch: w, found: f, stage: &s, replayed: map[string]bool{}}
	var inputs []input
	for m, err := range w.bus.Messages(ctx, pipeline.Subscription{Stream: w.stage.From, From: 1, Last: true, HeadersOnly: true}) {
		if m == nil {
			if err = broken(ctx, err); err != nil {
				return s, err
			}
			continue
		}
		only := m.Header[header.Only]
		if only != "" && only != w.stage.Name || m.Header[header.DeadSettled] != "" {
			continue // For another stage, or a note among the dead letters.
		}
		if original := deadletter.OriginalID(m.ID); original != m.ID {
			j.replayed[original] = true
		}
		inputs = append(inputs, input{m.Sequence, m.ID, m.Time})
	}
	for _, in := range inputs {
		j.input(in)
	}
	for _, sequence := range info.State.Deleted {
		if sequence > 0 { // Of a stream that has never had a message, the server lists 0.
			j.deleted(sequence)
		}
	}
	for sequence := uint64(1); sequence < info.State.FirstSeq && w.stage.Emits && info.Config.MaxAge == 0; sequence++ {
		j.deleted(sequence)
	}
	s.State, s.Reason = w.state(ctx, s.Pending > 0)
	return s, nil
}

// input is one message of the input stream.
type input struct {
	sequence uint64
	id       string
	time     time.Time
}

// verdicts gathers what becomes of the inputs of one stage.
type verdicts struct {
	watch    *watch
	found    *found
	stage    *Stage
	replayed map[string]bool // By original id.
}

// input judges one message.
func (j *verdicts) input(in input) {
	s, w := j.stage, j.watch
	s.Inputs++
	at := place{w.stage.Name, in.sequence}
	switch t := j.found.outputs[at]; {
	case t != nil:
		j.outputs(in.sequence, t)
	case j.found.letters[at]:
		s.Letters++
	case j.replayed[in.id]:
		s.Replayed++
	case w.info == nil || in.sequence > w.info.AckFloor.Stream:
		// Beyond the floor a consumer does not say which messages are acknowledged; with nothing in flight there are none.
		if w.info != nil && w.info.NumAckPending == 0 && in.sequence <= w.info.Delivered.Stream {
			j.acknowledged(in)
			return
		}
		s.Pending++
	default:
		j.acknowledged(in)
	}
}

// acknowledged judges an acknowledged message of which nothing is found.
func (j *verdicts) acknowledged(in input) {
	s, w := j.stage, j.watch
	to := j.found.info[w.stage.To]
	switch {
	case !w.stage.Emits:
		s.Done++
	case to != nil && to.Config.MaxAge > 0 && time.Since(in.time) > to.Config.MaxAge:
		s.Unknown++
	case j.found.taken > 0:
		j.found.taken--
		s.Unknown++
	default:
		s.Missing++
		s.MissingAt = extend(s.MissingAt, in.sequence, Unaccounted)
	}
}

// outputs judges a message that has outputs.
func (j *verdicts) outputs(sequence uint64, t *tally) {
	s := j.stage
	s.Outputs += uint64(t.outputs)
	if t.doubled > 0 {
		s.Doubled += uint64(t.doubled)
		s.DoubledAt = extend(s.DoubledAt, sequence, "")
	}
	if t.outputs <= t.highest && j.watch.stage.Emits && (j.watch.info == nil || sequence <= j.watch.info.AckFloor.Stream) {
		s.Missing++
		s.MissingAt = extend(s.MissingAt, sequence, Incomplete)
		return
	}
	s.Done++
}

// deleted judges a message that is not in the stream any more.
func (j *verdicts) deleted(sequence uint64) {
	s, at := j.stage, place{j.watch.stage.Name, sequence}
	switch t := j.found.outputs[at]; {
	case t != nil:
		s.Inputs++
		j.outputs(sequence, t)
	case j.found.letters[at]:
		s.Inputs++
		s.Letters++
	case j.watch.stage.Emits:
		s.Inputs++
		s.Missing++
		s.MissingAt = extend(s.MissingAt, sequence, Deleted)
	}
}

// extend adds a sequence to the faults.
func extend(faults []Fault, sequence uint64, why string) []Fault {
	if n := len(faults); n > 0 && faults[n-1].Last+1 == sequence && faults[n-1].Why == why {
		faults[n-1].Last = sequence
		return faults
	}
	return append(faults, Fault{sequence, sequence, why})
}

// Sequences returns the sequences of the input stream that are missing, in order.
func (s Stage) Sequences() []uint64 {
	var all []uint64
	for _, f := range s.MissingAt {
		for sequence := f.First; sequence <= f.Last; sequence++ {
			all = append(all, sequence)
		}
	}
	slices.Sort(all)
	return all
}
