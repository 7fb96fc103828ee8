// Package segment is the operator that cuts long and endless audio into clips.
//
// In: stream take. A message with the header Wavemill-Chunk is a piece of endless audio: a file of any supported format, or
// samples that Content-Type describes (audio/L16, audio/pcm), numbered from 0 within its Wavemill-Source, the last one perhaps
// with Wavemill-Last. A message without it is a whole recording, of any length that an object holds. Out: stream audio, a WAV for
// every clip. Package slice cuts.
//
// # Exactly once
//
// The operator reads the chunks of the stream in their order, whatever the order in which they are delivered: a message that is
// delivered early makes it read those before it. A clip is the output of the chunk that completes it, and which one that is
// depends on the stream alone. So the runtime's rule, that an output's id derives from the sequence of its input, holds for clips
// of many chunks too: an operator that is killed anywhere and started again publishes the same clips with the same ids.
//
// The last chunk of a source takes the missing ones that the stream has stored up to two seconds after it, by the stream's
// times, ahead of their turn. So no end waits for a chunk that never comes, and which chunks it takes depends on the stream
// alone, unless the server's clock is set back or a message cannot be read for four seconds. What comes later is refused: a
// bounded number of ended sources is part of the state.
//
// The state is stored now and then in the key-value bucket <PIPELINE>_SEGMENT, without samples: the place in the stream, and for
// each source what the slicer knows and which chunks it still needs samples of. Those are read again from the stream. Without the
// bucket's content the stream is read from its beginning, which takes longer and gives the same.
//
// One process at a time works; others stand by and take over.
package segment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wavemill/audio/codec"
	"wavemill/audio/slice"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
	"wavemill/pipeline/lease"
)

// TypeTake is the type of the operator's input, and the name of the stream that it reads.
const TypeTake = "take"

// Factory builds the operator.
func Factory() pipeline.Factory {
	return pipeline.Typed(defaults(), func(c Config, env pipeline.Env) (pipeline.Operator, error) {
		cut, err := c.check()
		if err != nil {
			return nil, err
		}
		return &operator{config: c, cut: cut, env: env, details: Details{Role: RoleStandby}}, nil
	})
}

type operator struct {
	config Config
	cut    slice.Config
	env    pipeline.Env
	bucket jetstream.KeyValue
	lease  *lease.Lease // Held from Wait to Close.

	fold    *fold
	read    uint64             // Chunks up to this place in the stream have been fed.
	newest  time.Time          // When the stream stored the last of them.
	acked   uint64             // Messages up to here will not be delivered again.
	owed    map[uint64]outcome // Of chunks that have been fed and not been delivered, or whose clips are not published yet.
	stored  uint64             // The place of the last checkpoint.
	storing time.Time          // When it was made.

	mu      sync.Mutex
	details Details
}

var (
	_ pipeline.Consumer = (*operator)(nil)
	_ pipeline.Producer = (*operator)(nil)
	_ pipeline.Waiter   = (*operator)(nil)
	_ pipeline.Runner   = (*operator)(nil)
	_ pipeline.Detailer = (*operator)(nil)
	_ pipeline.Closer   = (*operator)(nil)
)

// Input implements pipeline.Consumer.
func (o *operator) Input() string { return TypeTake }

// Output implements pipeline.Producer.
func (o *operator) Output() string { return pipeline.TypeAudio }

// Selects implements pipeline.Selector: a chunk in which no clip ends emits nothing.
func (o *operator) Selects() bool { return true }

// Run implements pipeline.Runner: it ends with an error when another process has taken over, so that this one stands by.
func (o *operator) Run(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-o.lease.Context().Done():
		return fmt.Errorf("segment: %w", context.Cause(o.lease.Context()))
	}
}

// Process cuts a recording, or takes a chunk and publishes the clips that it completes.
func (o *operator) Process(ctx context.Context, m *pipeline.Message, emit pipeline.Emit) error {
	if !isChunk(m) {
		return o.recording(ctx, m, emit)
	}
	if err := context.Cause(o.lease.Context()); err != nil {
		return &pipeline.Error{Kind: pipeline.Transient, Err: err}
	}
	if m.Sequence <= o.read && m.Time.After(o.newest) {
		if err := o.begin(ctx, "the input stream was created anew"); err != nil {
			return err
		}
	}
	defer o.tell()
	done, known := o.owed[m.Sequence]
	switch {
	case !known && m.Sequence <= o.read:
		return nil // Its clips are published, or it had none.
	case !known:
		if err := o.catchUp(ctx, m.Sequence); err != nil {
			return err
		}
		var err error
		if done, err = o.take(ctx, m); err != nil {
			return &pipeline.Error{Kind: pipeline.Transient, Err: err}
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if done.err != nil {
		delete(o.owed, m.Sequence)
		return &pipeline.Error{Kind: pipeline.Invalid, Err: done.err}
	}
	for _, c := range done.clips {
		if err := emit(ctx, c.message()); err != nil {
			return err
		}
		o.count(1)
	}
	delete(o.owed, m.Sequence)
	if time.Since(o.storing) >= o.config.Checkpoint {
		o.checkpoint(ctx)
	}
	return nil
}

// take feeds a chunk, the next one of the stream.
func (o *operator) take(ctx context.Context, m *pipeline.Message) (outcome, error) {
	early, err := o.early(ctx, m)
	if err != nil {
		return outcome{}, err
	}
	done := o.fold.feed(context.WithoutCancel(ctx), m, early...) // A chunk is fed whole or not at all.
	o.read, o.newest = m.Sequence, m.Time
	if m.Sequence > o.acked {
		o.owed[m.Sequence] = done
	}
	return done, nil
}

// catchUp feeds the chunks before a place in the stream that have not been fed.
func (o *operator) catchUp(ctx context.Context, sequence uint64) error {
	if o.read+1 == sequence {
		return nil
	}
	for m, err := range o.env.Bus.Messages(ctx, pipeline.Subscription{Stream: o.env.From, From: o.read + 1, Last: true}) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if m == nil {
			o.env.Log.Warn("a message before the one that was delivered cannot be read; if it is a chunk, there is a gap", "error", err)
			continue
		}
		if m.Sequence >= sequence {
			break
		}
		if isChunk(m) {
			if _, err := o.take(ctx, m); err != nil {
				return &pipeline.Error{Kind: pipeline.Transient, Err: err}
			}
		}
	}
	o.read = max(o.read, sequence-1)
	return nil
}

// recording cuts a whole recording. Its clips depend on the message alone.
func (o *operator) recording(ctx context.Context, m *pipeline.Message, emit pipeline.Emit) error {
	source := m.Header[header.Source]
	if source == "" {
		source = m.ID
	}
	invalid := func(err error) error {
		if ctx.Err() != nil {
			return err
		}
		return &pipeline.Error{Kind: pipeline.Invalid, Err: err}
	}
	r, err := codec.NewReader(ctx, source, m.Body)
	if err != nil {
		return invalid(err)
	}
	defer r.Close()
	about := r.Info()
	s, err := slice.New(o.cut, about.SampleRate, about.Channels)
	if err != nil {
		return invalid(fmt.Errorf("%s: %w", source, err))
	}
	label := m.Label
	if o.config.Label != "" {
		label = o.config.Label
	}
	publish := func(c slice.Clip) error {
		made, err := encode(c, 0, about.SampleRate, about.Channels, o.config.encoding(about), source, label, m.Header[header.Group])
		if err != nil {
			return invalid(err)
		}
		return emit(ctx, made.message())
	}
	const block = 1 << 14
	buf := make([]float32, block*about.Channels)
	for {
		n, err := r.ReadFrames(buf)
		if failed := s.Write(buf[:n*about.Channels], publish); failed != nil {
			return failed
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return invalid(fmt.Errorf("after %.1f s, whose clips are published: %w", float64(s.Position())/float64(about.SampleRate), err))
		}
	}
	if err := s.Close(publish); err != nil {
		return err
	}
	c := s.Counts()
	o.count(uint64(c.Clips))
	if m.Sequence == o.read+1 {
		o.read, o.newest = m.Sequence, m.Time // It is not read again to find the chunks before the next one.
	}
	if c.Clips == 0 {
		o.env.Log.Warn("a recording gave no clip", "source", source, "sequence", m.Sequence, "too_short", c.Short, "silent", c.Silent)
	}
	return nil
}
