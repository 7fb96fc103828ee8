package delivery

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// errSettings is the error of an existing consumer whose settings cannot be changed and do not work here.
var errSettings = errors.New("the existing consumer has settings that cannot be changed; delete it or choose another name")

// open finds the durable consumer, or creates it, and brings it to the wanted settings.
func (l *Loop) open(ctx context.Context) error {
	stream, err := l.stream(ctx)
	if err != nil {
		return err
	}
	info := stream.CachedInfo()
	created, floor := l.position.get()
	if !info.Created.Equal(created) {
		l.pull.drop()
		// Messages in flight belong to the earlier stream; their sequences mean other messages in this one.
		if !l.inFlight.empty(ctx) {
			return ctx.Err()
		}
		floor, l.repeated = 0, 0
		l.position.begin(info.Created) // It counts its sequences from 1.
	}
	existing, err := stream.Consumer(ctx, l.config.Durable)
	switch {
	case err == nil && l.config.Bind:
		l.opened(repeatedIn(existing))
		return l.refresh(ctx, existing)
	case errors.Is(err, jetstream.ErrConsumerNotFound) && !l.config.Bind:
	case err != nil:
		return fmt.Errorf("look up the consumer: %w", err)
	}
	config := l.consumerConfig()
	if existing != nil {
		old := existing.CachedInfo().Config
		if old.AckPolicy != jetstream.AckExplicitPolicy || old.DeliverSubject != "" {
			return errSettings
		}
		config.DeliverPolicy, config.OptStartSeq, config.OptStartTime = old.DeliverPolicy, old.OptStartSeq, old.OptStartTime
		config.ReplayPolicy, config.MemoryStorage, config.MaxWaiting = old.ReplayPolicy, old.MemoryStorage, old.MaxWaiting
		if text := old.Metadata[repeated]; text != "" {
			config.Metadata[repeated] = text
		}
	} else {
		if floor > 0 {
			config.DeliverPolicy, config.OptStartSeq = jetstream.DeliverByStartSequencePolicy, floor+1
		}
		if info.State.LastSeq > 0 {
			config.Metadata[repeated] = strconv.FormatUint(info.State.LastSeq, 10)
		}
	}
	consumer, err := stream.CreateOrUpdateConsumer(ctx, config)
	if err != nil {
		return fmt.Errorf("create or update the consumer: %w", err)
	}
	l.opened(repeatedIn(consumer))
	return l.refresh(ctx, consumer)
}

// Ensure creates the consumer, or brings it to the settings of the loop, as Run does before it asks for the first message.
func (l *Loop) Ensure(ctx context.Context) error {
	return l.open(ctx)
}

// repeatedIn returns the last sequence that an earlier consumer of the same name may have delivered.
func repeatedIn(consumer jetstream.Consumer) uint64 {
	n, err := strconv.ParseUint(consumer.CachedInfo().Config.Metadata[repeated], 10, 64)
	if err != nil {
		return 0 // The stream was empty when the consumer was created.
	}
	return n
}

// opened reports up to which sequence messages may be repeated. The value never decreases while the stream stays the same.
func (l *Loop) opened(repeatedUpTo uint64) {
	l.repeated = max(l.repeated, repeatedUpTo)
	if l.config.Opened != nil {
		created, _ := l.position.get()
		l.config.Opened(created, l.repeated)
	}
}

// stream finds the input stream, and creates it by Restore when it does not exist.
func (l *Loop) stream(ctx context.Context) (jetstream.Stream, error) {
	stream, err := l.js.Stream(ctx, l.config.Stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) && l.config.Restore != nil {
		if err := l.config.Restore(ctx); err != nil {
			return nil, fmt.Errorf("create the stream again: %w", err)
		}
		stream, err = l.js.Stream(ctx, l.config.Stream)
	}
	return stream, err
}

func (l *Loop) consumerConfig() jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable: l.config.Durable, Description: l.config.Description, FilterSubject: l.config.Filter,
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: l.config.AckWait,
		MaxDeliver:    -1, // The handler ends messages that keep failing, and records the reason.
		MaxAckPending: (AckPendingPerWorker + l.config.Ahead) * l.config.Workers * l.config.Replicas,
		Metadata:      map[string]string{configured: l.config.Configured},
	}
}

// configured is the name of Config.Configured in the consumer's metadata. repeated is that of the stream's last sequence when
// the consumer was created: an earlier consumer may have delivered what is up to it. It is kept on the server because the
// process that creates a consumer need not be the one that reads from it.
const (
	configured = "wavemill-configured"
	repeated   = "wavemill-repeated"
)

// compare finds out whether another loop has opened the consumer with another configuration, and says so once.
func (l *Loop) compare(info *jetstream.ConsumerInfo) {
	theirs := info.Config.Metadata[configured]
	if l.config.Bind || theirs == "" || theirs == l.config.Configured {
		l.mixed.Store(false)
		return
	}
	if !l.mixed.Swap(true) {
		l.log.Warn("another process handles messages of this consumer with another configuration: the outputs are a mixture",
			"consumer", l.config.Durable, "configuration", l.config.Configured, "other", theirs)
	}
}

// refresh reads the state of a consumer that was opened.
func (l *Loop) refresh(ctx context.Context, consumer jetstream.Consumer) error {
	created, _ := l.position.get()
	info, err := consumer.Info(ctx)
	if err != nil {
		return fmt.Errorf("consumer info: %w", err)
	}
	l.backlog.opened(consumer)
	l.told(created, info)
	return nil
}

// told takes what the server says of the consumer, which was asked for while the stream was the one created then.
func (l *Loop) told(created time.Time, info *jetstream.ConsumerInfo) {
	l.position.advance(created, info.AckFloor.Stream)
	l.backlog.store(info)
	l.compare(info)
}
