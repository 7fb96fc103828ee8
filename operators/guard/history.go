package guard

import (
	"context"
	"fmt"

	"wavemill/models/guard"
	"wavemill/pipeline"
)

// A history is what the operator remembers of the messages of its stream: their measures, by sequence, and the index of
// copies. It is a function of the stream, whoever has processed its messages and in whatever order: what it lacks it reads
// from the stream. It belongs to the goroutine of Process.
type history struct {
	window   uint64
	first    uint64 // first sequence that it has read; 0: none yet
	last     uint64 // last one
	examples map[uint64]guard.Example
	copies   *guard.Copies
}

func newHistory(window int) *history {
	h := &history{window: uint64(window)}
	h.reset(0)
	return h
}

// reset forgets everything; the next sequence to read is from.
func (h *history) reset(from uint64) {
	h.first, h.last = from, 0
	if from > 0 {
		h.last = from - 1
	}
	h.examples, h.copies = map[uint64]guard.Example{}, guard.NewCopies(int(h.window))
}

// before is the first sequence of the window that ends at seq.
func (h *history) before(seq uint64) uint64 {
	if seq <= h.window {
		return 1
	}
	return seq - h.window + 1
}

// ensure reads what is missing of the sequences from to upTo, both included, as far as the stream has them.
func (o *operator) ensure(ctx context.Context, from, upTo uint64) error {
	h := o.history
	if h.first == 0 || from < h.first || from > h.last+h.window {
		h.reset(from)
	}
	if upTo <= h.last {
		return nil
	}
	for m, err := range o.env.Bus.Messages(ctx, pipeline.Subscription{Stream: o.env.From, From: h.last + 1, Last: true}) {
		if m == nil {
			if ctx.Err() != nil {
				return fmt.Errorf("read stream %s: %w", o.env.From, ctx.Err())
			}
			if err != nil && unreadable(err) {
				continue // Process makes a dead letter of it.
			}
			return &pipeline.Error{Kind: pipeline.Transient, Err: err}
		}
		if m.Sequence > upTo {
			break
		}
		o.remember(ctx, m)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("read stream %s: %w", o.env.From, ctx.Err())
	}
	h.last = max(h.last, upTo) // The stream has no message of a sequence that was not read, and will not get one.
	return nil
}

// remember measures a message of the stream and takes it in.
func (o *operator) remember(ctx context.Context, m *pipeline.Message) {
	h := o.history
	r, err := o.read(ctx, m)
	if err != nil && ctx.Err() != nil {
		return
	}
	if h.last = max(h.last, m.Sequence); err == nil { // Else Process makes a dead letter of it.
		h.add(r.Example)
	}
}

// follows takes in the message that is being processed, where it is the next one.
func (h *history) follows(e guard.Example) {
	if h.first > 0 && e.ID == h.last+1 {
		h.last = e.ID
		h.add(e)
	}
}

func (h *history) add(e guard.Example) {
	h.examples[e.ID] = e
	h.copies.Add(e)
	keep := 3 * h.window
	for seq := h.first; h.last > keep && seq < h.last-keep; seq++ {
		delete(h.examples, seq)
		h.first = seq + 1
	}
}

// recent are the examples of the sequences from to upTo, in order.
func (h *history) recent(from, upTo uint64) []guard.Example {
	var out []guard.Example
	for seq := from; seq <= upTo; seq++ {
		if e, ok := h.examples[seq]; ok {
			out = append(out, e)
		}
	}
	return out
}
