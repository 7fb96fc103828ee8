package segment

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wavemill/audio/slice"
	"wavemill/pipeline"
)

// stateVersion changes where a fold cannot go on with what was stored before. New fields can be absent: then they are empty.
const stateVersion = 1

// position says how far the stream has been read. Every source whose state changed before is stored before it.
type position struct {
	Version  int       `json:"version"`
	Config   string    `json:"config"`  // The hash of the configuration.
	Created  time.Time `json:"created"` // Of the stream.
	Sequence uint64    `json:"sequence"`
	Newest   time.Time `json:"newest"` // When the stream stored the last chunk.
}

// stored is the state of one source.
type stored struct {
	Key      string // See sourceKey.
	Sequence uint64 // Chunks up to here are in it.
	Ended    bool   // The source is not in progress: there is neither Session nor Slicer.
	End      *ended // Of a source that is remembered.
	Session  session
	Slicer   []byte
}

// Bucket is the name of the key-value bucket with the state of a pipeline's segment operators.
func Bucket(pipelineName string) string { return strings.ToUpper(pipelineName) + "_SEGMENT" }

func (o *operator) positionKey() string { return o.env.Operator + ".position" }
func (o *operator) leaseKey() string    { return o.env.Operator + ".lease" }
func (o *operator) sourcePrefix() string {
	return o.env.Operator + ".source."
}

// bucketKey is the key of a source.
func (o *operator) bucketKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return o.sourcePrefix() + hex.EncodeToString(sum[:16])
}

// openBucket finds or creates the bucket.
func (o *operator) openBucket(ctx context.Context) (jetstream.KeyValue, error) {
	spec := o.env.Bus.Spec()
	js := o.env.Bus.JetStream()
	if spec.Streams.Bind {
		return js.KeyValue(ctx, Bucket(spec.Name))
	}
	return js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: Bucket(spec.Name), Description: "where segment operators are in their streams", Replicas: spec.Streams.Replicas, History: 1,
	})
}

// stream looks up when the input stream was created, and up to where its messages have been acknowledged.
func (o *operator) stream(ctx context.Context) (created time.Time, acked uint64, err error) {
	spec := o.env.Bus.Spec()
	s, err := o.env.Bus.JetStream().Stream(ctx, spec.StreamName(o.env.From))
	if err != nil {
		return created, 0, fmt.Errorf("stream %s: %w", o.env.From, err)
	}
	created = s.CachedInfo().Created
	c, err := s.Consumer(ctx, spec.ConsumerName(o.env.Operator))
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return created, 0, nil
	}
	if err != nil {
		return created, 0, fmt.Errorf("consumer %s: %w", spec.ConsumerName(o.env.Operator), err)
	}
	return created, c.CachedInfo().AckFloor.Stream, nil
}

// checkpoint stores the state, if every chunk that has been fed is done with: only then is it that of a place in the stream. A
// failure is no reason to stop; the next checkpoint will be stored.
func (o *operator) checkpoint(ctx context.Context) {
	o.storing = time.Now()
	if err := o.store(ctx); err != nil {
		o.env.Log.Warn("the state could not be stored; work goes on, and a restart takes longer", "error", err)
	}
}

func (o *operator) store(ctx context.Context) error {
	created, acked, err := o.stream(ctx)
	if err != nil {
		return err
	}
	o.acked = max(o.acked, acked)
	maps.DeleteFunc(o.owed, func(sequence uint64, _ outcome) bool { return sequence <= o.acked })
	if len(o.owed) > 0 || o.read == o.stored {
		return nil
	}
	if err := o.lease.Check(ctx); err != nil {
		return err
	}
	f := o.fold
	for key, s := range f.sessions {
		if !s.dirty {
			continue
		}
		state, err := s.slicer.State()
		if err != nil {
			return err
		}
		if err := o.put(ctx, stored{Key: key, Sequence: o.read, Session: *s, Slicer: state}); err != nil {
			return err
		}
	}
	var gone []string
	for _, key := range f.gone {
		if f.sessions[key] == nil && !slices.Contains(gone, key) {
			gone = append(gone, key)
			if err := o.put(ctx, stored{Key: key, Sequence: o.read, Ended: true, End: f.ended[key]}); err != nil {
				return err
			}
		}
	}
	text, err := json.Marshal(position{stateVersion, o.env.Hash, created, o.read, o.newest})
	if err != nil {
		return err
	}
	if _, err := o.bucket.Put(ctx, o.positionKey(), text); err != nil {
		return err
	}
	for _, key := range gone {
		if f.ended[key] != nil {
			continue
		}
		if err := o.bucket.Purge(ctx, o.bucketKey(key)); err != nil {
			return err
		}
	}
	for _, s := range f.sessions {
		s.dirty = false
	}
	f.gone, f.included, o.stored = nil, nil, o.read
	return nil
}

func (o *operator) put(ctx context.Context, s stored) error {
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(s); err != nil {
		return fmt.Errorf("state of %s: %w", s.Key, err)
	}
	_, err := o.bucket.Put(ctx, o.bucketKey(s.Key), b.Bytes())
	return err
}

// begin begins with nothing: the stream is read from its beginning.
func (o *operator) begin(ctx context.Context, why string) error {
	_, acked, err := o.stream(ctx)
	if err != nil {
		return err
	}
	if why != "" {
		o.env.Log.Warn("the stream is read from its beginning", "reason", why)
	}
	o.fold = &fold{config: o.config, cut: o.cut, log: o.env.Log, sessions: map[string]*session{}, ended: map[string]*ended{}}
	o.read, o.newest, o.acked, o.stored, o.owed = 0, time.Time{}, acked, 0, map[uint64]outcome{}
	return nil
}

// restore reads the state that is stored.
func (o *operator) restore(ctx context.Context) error {
	o.storing = time.Now()
	created, _, err := o.stream(ctx)
	if err == nil {
		err = o.begin(ctx, "")
	}
	if err != nil {
		return err
	}
	entry, err := o.bucket.Get(ctx, o.positionKey())
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	var p position
	if err := json.Unmarshal(entry.Value(), &p); err != nil || p.Version != stateVersion || p.Config != o.env.Hash || !p.Created.Equal(created) {
		o.env.Log.Info("the stored state is of another configuration, version or stream; the stream is read from its beginning")
		return o.sweep(ctx)
	}
	sources, err := o.sources(ctx)
	if err != nil {
		return err
	}
	o.read, o.stored, o.newest, o.fold.included = p.Sequence, p.Sequence, p.Newest, map[string]uint64{}
	for _, s := range sources {
		o.fold.included[s.Key] = s.Sequence
		if s.Ended {
			if s.End != nil {
				o.fold.ended[s.Key] = s.End
			}
			continue
		}
		session := s.Session
		if session.slicer, err = slice.Restore(s.Slicer, o.cut, session.Rate, session.Channels); err != nil {
			return fmt.Errorf("state of %s: %w", s.Key, err)
		}
		o.fold.sessions[s.Key] = &session
	}
	return o.refill(ctx)
}

// sweep removes the state of sources.
func (o *operator) sweep(ctx context.Context) error {
	keys, err := o.keys(ctx)
	for _, key := range keys {
		err = errors.Join(err, o.bucket.Purge(ctx, key))
	}
	return err
}

// keys lists the keys of sources.
func (o *operator) keys(ctx context.Context) (keys []string, err error) {
	list, err := o.bucket.ListKeysFiltered(ctx, o.sourcePrefix()+">")
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	for key := range list.Keys() {
		keys = append(keys, key)
	}
	return keys, nil
}

func (o *operator) sources(ctx context.Context) (all []stored, err error) {
	keys, err := o.keys(ctx)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		entry, err := o.bucket.Get(ctx, key)
		if errors.Is(err, jetstream.ErrKeyNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("state: %w", err)
		}
		s, err := decodeStored(entry.Value())
		if err != nil {
			return nil, fmt.Errorf("state %s: %w", key, err)
		}
		all = append(all, s)
	}
	return all, nil
}

// decodeStored reads the state of a source as put writes it.
func decodeStored(b []byte) (s stored, err error) {
	err = gob.NewDecoder(bytes.NewReader(b)).Decode(&s)
	return s, err
}

// refill reads the samples that the sources need again from the stream. A source of which some are no longer there begins anew
// with its next chunk.
func (o *operator) refill(ctx context.Context) error {
	type use struct {
		s *session
		p place
		w int // Of the chunks that wait, or -1.
	}
	uses := map[uint64]use{}
	first, last := uint64(0), uint64(0)
	for _, s := range o.fold.sessions {
		s.waits = make([]*chunk, len(s.Waits))
		add := func(p place, w int) {
			uses[p.Sequence] = use{s, p, w}
			if first == 0 || p.Sequence < first {
				first = p.Sequence
			}
			last = max(last, p.Sequence)
		}
		for _, p := range s.Places {
			add(p, -1)
		}
		for i, p := range s.Waits {
			add(p, i)
		}
	}
	if len(uses) > 0 {
		for m, err := range o.env.Bus.Messages(ctx, pipeline.Subscription{Stream: o.env.From, From: first, Last: true}) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if m == nil {
				o.env.Log.Warn("a message cannot be read again", "error", err)
				continue
			}
			if u, ok := uses[m.Sequence]; ok {
				o.again(ctx, m, u.s, u.p, u.w)
			}
			if m.Sequence >= last {
				break
			}
		}
	}
	for key, s := range o.fold.sessions {
		if missing := s.slicer.Refill(0, nil); missing > 0 || slices.Contains(s.waits, nil) {
			o.env.Log.Warn("samples of a source are no longer in the stream; it begins anew with its next chunk, and the clip in progress is lost",
				"source", shortened(s.Source), "frames", missing)
			o.fold.forget(key)
		}
	}
	return ctx.Err()
}

// again takes a chunk that has been fed before.
func (o *operator) again(ctx context.Context, m *pipeline.Message, s *session, p place, wait int) {
	c, err := parse(ctx, m, o.config.Label)
	switch {
	case err != nil || wait < 0 && int64(c.clip.Frames()) != p.Frames:
		o.env.Log.Warn("a chunk is not what it was", "sequence", m.Sequence, "error", err)
	case wait >= 0:
		s.waits[wait] = c
	default:
		s.slicer.Refill(p.Start, c.clip.Samples)
	}
}
