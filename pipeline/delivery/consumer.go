package delivery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// errSettings marks a consumer that exists with settings that cannot be changed and do not work here.
var errSettings = errors.New("the existing consumer has settings that cannot be changed; delete it or choose another name")

// open finds the durable consumer, or creates it, and brings it to the wanted settings.
func (l *Loop) open(ctx context.Context) (jetstream.Consumer, error) {
	stream, err := l.stream(ctx)
	if err != nil {
		return nil, err
	}
	info := stream.CachedInfo()
	if !info.Created.Equal(l.created) {
		// What is held belongs to the stream before, and must not be mistaken for this one's.
		if l.inFlight.room(ctx, l.inFlight.slots) == 0 {
			return nil, ctx.Err()
		}
		l.created, l.floor, l.repeated = info.Created, 0, 0 // Another stream: its sequences begin at 1 again.
	}
	existing, err := stream.Consumer(ctx, l.config.Durable)
	switch {
	case err == nil && l.config.Bind:
		l.opened(0)
		return existing, l.refresh(ctx, existing)
	case errors.Is(err, jetstream.ErrConsumerNotFound) && !l.config.Bind:
	case err != nil:
		return nil, fmt.Errorf("look it up: %w", err)
	}
	config := l.wanted()
	if existing != nil {
		old := existing.CachedInfo().Config
		if old.AckPolicy != jetstream.AckExplicitPolicy || old.DeliverSubject != "" {
			return nil, errSettings
		}
		config.DeliverPolicy, config.OptStartSeq, config.OptStartTime = old.DeliverPolicy, old.OptStartSeq, old.OptStartTime
		config.ReplayPolicy, config.MemoryStorage, config.MaxWaiting = old.ReplayPolicy, old.MemoryStorage, old.MaxWaiting
	} else if l.floor > 0 {
		config.DeliverPolicy, config.OptStartSeq = jetstream.DeliverByStartSequencePolicy, l.floor+1
	}
	consumer, err := stream.CreateOrUpdateConsumer(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("create or update it: %w", err)
	}
	if existing != nil {
		l.opened(0)
	} else {
		l.opened(info.State.LastSeq)
	}
	return consumer, l.refresh(ctx, consumer)
}

// opened tells what the consumer may repeat. Once a consumer had to be made, that stays true for this loop.
func (l *Loop) opened(repeatedUpTo uint64) {
	l.repeated = max(l.repeated, repeatedUpTo)
	if l.config.Opened != nil {
		l.config.Opened(l.created, l.repeated)
	}
}

// stream finds the input stream and has it restored when it is gone.
func (l *Loop) stream(ctx context.Context) (jetstream.Stream, error) {
	stream, err := l.js.Stream(ctx, l.config.Stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) && l.config.Restore != nil {
		if err := l.config.Restore(ctx); err != nil {
			return nil, fmt.Errorf("put the stream back: %w", err)
		}
		stream, err = l.js.Stream(ctx, l.config.Stream)
	}
	return stream, err
}

func (l *Loop) wanted() jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable: l.config.Durable, Description: l.config.Description, FilterSubject: l.config.Filter,
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: l.config.AckWait,
		MaxDeliver:    -1, // Poison is taken out by the handler, which also says why.
		MaxAckPending: ackPendingPerWorker * l.config.Workers * l.config.Replicas,
	}
}

// refresh reads the consumer's state.
func (l *Loop) refresh(ctx context.Context, consumer jetstream.Consumer) error {
	info, err := consumer.Info(ctx)
	if err != nil {
		return fmt.Errorf("consumer info: %w", err)
	}
	l.infoAt = time.Now()
	l.floor = max(l.floor, info.AckFloor.Stream)
	l.pending.store(info)
	return nil
}
