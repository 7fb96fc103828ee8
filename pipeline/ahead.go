package pipeline

import (
	"context"
	"errors"
)

// mostBegun is how many outputs of one message may be on their way: more are waited for.
const mostBegun = 16

// begun is an output of a [Stateless] operator that is on its way into its stream.
type begun struct {
	publication *publication
	weight      int64       // What it takes of stage.ahead.
	size        uint64      // Of the body.
	end         func(error) // Ends its observation.
}

// begin starts the publication of an output. It waits while too much is on its way.
func (s *stage) begin(ctx context.Context, in *parent, stream string, out *Message) error {
	if len(in.begun) >= mostBegun {
		if err := s.confirmed(in); err != nil {
			return err
		}
	}
	msg, err := s.bus.spec.encode(stream, out)
	if err != nil {
		return err
	}
	weight := min(int64(msg.Size()), bytesAhead/mostBegun)
	if !s.ahead.TryAcquire(weight) {
		if err := s.confirmed(in); err != nil { // What others hold ends without this message; what it holds itself would not.
			return err
		}
		if err := s.ahead.Acquire(ctx, weight); err != nil {
			return err
		}
	}
	size := uint64(len(out.Body))
	_, end := s.bus.observe(ctx, stream, out, msg)
	p, err := s.bus.begin(in.lasting, msg, stream)
	if err != nil {
		end(err)
		s.ahead.Release(weight)
		return err
	}
	in.begun = append(in.begun, begun{p, weight, size, end})
	return nil
}

// confirmed waits until the outputs of a message that are on their way are stored.
func (s *stage) confirmed(in *parent) error {
	var errs []error
	for _, b := range in.begun {
		ack, err := b.publication.wait()
		b.end(err)
		s.ahead.Release(b.weight)
		errs = append(errs, s.stored(ack, b.size, err))
	}
	in.begun = nil
	return errors.Join(errs...)
}
