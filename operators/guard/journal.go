package guard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline"
	"wavemill/pipeline/modelstore"
)

// A generation is a stretch of the stream whose messages are judged alike: by the clips of a window of the stream, and by a
// version of the model. It is recorded before the first of them is judged, so that all replicas, and every attempt at a
// message, judge by the same.
type generation struct {
	First uint64 `json:"first"` // of the sequences that are judged
	Last  uint64 `json:"last"`
	From  uint64 `json:"from"` // of the window
	UpTo  uint64 `json:"up_to"`
	// Model, Version, Digest and Object are those of the model; empty: there was none.
	Model   string `json:"model,omitempty"`
	Version uint64 `json:"version,omitempty"`
	Digest  string `json:"digest,omitempty"`
	Object  string `json:"object,omitempty"`
}

// journal is the value of the operator's key in the bucket of the model store.
type journal struct {
	Created     time.Time    `json:"created"` // of the stream
	Generations []generation `json:"generations"`
}

// keptGenerations is how many the journal keeps: far more than there are messages in flight.
const keptGenerations = 64

// key of the journal. The hash of the configuration is part of it: replicas with different ones judge differently.
func (o *operator) key() string { return o.env.Operator + ".guard." + o.env.Hash }

// generationOf returns the generation of a sequence. It records a new one where there is none.
func (o *operator) generationOf(ctx context.Context, seq uint64) (generation, error) {
	for {
		if g, ok := o.journal.find(seq); ok {
			return g, nil
		}
		bucket, err := o.env.Bus.Models().Entries(ctx)
		if err != nil {
			return generation{}, err
		}
		info, err := o.stream(ctx)
		if err != nil {
			return generation{}, err
		}
		j, revision, err := o.readJournal(ctx, bucket, info.Created)
		if err != nil {
			return generation{}, err
		}
		o.journal = j
		if g, ok := j.find(seq); ok {
			return g, nil
		}
		next, err := o.next(ctx, j, seq)
		if err != nil {
			return generation{}, err
		}
		j.Generations = append(j.Generations, next)
		if n := len(j.Generations); n > keptGenerations {
			j.Generations = j.Generations[n-keptGenerations:]
		}
		value, err := json.Marshal(j)
		if err != nil {
			return generation{}, err
		}
		if revision == 0 {
			_, err = bucket.Create(ctx, o.key(), value)
		} else {
			_, err = bucket.Update(ctx, o.key(), value, revision)
		}
		switch {
		case err == nil:
			o.journal = j
		case !wrongRevision(err):
			return generation{}, fmt.Errorf("record by what messages are judged: %w", err)
		}
	}
}

// wrongRevision reports that another replica has recorded a generation in the meantime.
func wrongRevision(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return errors.Is(err, jetstream.ErrKeyExists) ||
		ok && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// find returns the generation that a sequence belongs to. One from before the first that is kept belongs to that.
func (j journal) find(seq uint64) (generation, bool) {
	for _, g := range j.Generations {
		if seq <= g.Last {
			return g, true
		}
	}
	return generation{}, false
}

// readJournal reads the journal; one of a stream that was deleted and created again is empty. revision 0: there is none.
func (o *operator) readJournal(ctx context.Context, bucket jetstream.KeyValue, created time.Time) (j journal, revision uint64, err error) {
	entry, err := bucket.Get(ctx, o.key())
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		return journal{Created: created}, 0, nil
	case err != nil:
		return journal{}, 0, fmt.Errorf("key %s in %s: %w", o.key(), bucket.Bucket(), err)
	}
	if err := json.Unmarshal(entry.Value(), &j); err != nil || !j.Created.Equal(created) {
		j = journal{Created: created}
	}
	return j, entry.Revision(), nil
}

// next makes the generation that a sequence begins, or that the sequences after the last one begin. Its window ends at the
// last message that there is, at most half a window after its beginning, so that messages are compared with those after
// them too.
func (o *operator) next(ctx context.Context, j journal, seq uint64) (generation, error) {
	state, err := o.enough(ctx)
	if err != nil {
		return generation{}, err
	}
	window := uint64(o.config.Window)
	g := generation{First: 1}
	if n := len(j.Generations); n > 0 {
		g.First = j.Generations[n-1].Last + 1
	}
	start := max(g.First, state.FirstSeq)
	g.UpTo = max(seq, min(state.LastSeq, max(start-1+window/2, state.FirstSeq-1+window)))
	g.From = o.history.before(g.UpTo)
	length := max(16, min(window, g.UpTo-g.From+1)/4)
	g.Last = max(seq, start-1+length)
	if o.config.Model == "" {
		return g, nil
	}
	e, err := o.env.Bus.Models().Get(ctx, o.config.Model)
	switch {
	case errors.Is(err, modelstore.ErrNotFound):
	case err != nil:
		return generation{}, err
	default:
		g.Model, g.Version, g.Digest, g.Object = e.Name, e.Version, e.Digest, e.Object
	}
	return g, nil
}

// enough waits until the stream has MinClips messages, or none has come for Idle, and returns its state.
func (o *operator) enough(ctx context.Context) (jetstream.StreamState, error) {
	const poll = 100 * time.Millisecond
	last, since := uint64(0), time.Now()
	for {
		info, err := o.stream(ctx)
		if err != nil {
			return jetstream.StreamState{}, err
		}
		if info.State.LastSeq != last {
			last, since = info.State.LastSeq, time.Now()
		}
		if info.State.Msgs >= uint64(o.config.MinClips) || time.Since(since) >= o.config.Idle {
			return info.State, nil
		}
		select {
		case <-ctx.Done():
			return jetstream.StreamState{}, ctx.Err()
		case <-time.After(min(poll, o.config.Idle)):
		}
	}
}

// stream looks the input stream up.
func (o *operator) stream(ctx context.Context) (*jetstream.StreamInfo, error) {
	name := o.env.Bus.Spec().StreamName(o.env.From)
	s, err := o.env.Bus.JetStream().Stream(ctx, name)
	if err != nil {
		return nil, &pipeline.Error{Kind: pipeline.Transient, Err: fmt.Errorf("stream %s: %w", name, err)}
	}
	return s.CachedInfo(), nil
}
