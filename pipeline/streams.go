package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// ensureStreams creates or updates the pipeline's streams, or only some; with Bind it only checks that they exist.
func (b *Bus) ensureStreams(ctx context.Context, only []string) error {
	streams := only
	if only == nil {
		streams = b.spec.streams()
	}
	for _, stream := range streams {
		if err := b.ensureStream(ctx, stream); err != nil {
			return err
		}
	}
	if only != nil {
		return nil // The object store is opened when it is needed.
	}
	return untilFormed(ctx, unplaced, func() error { return b.objects.Open(ctx) })
}

// ensureStream creates or updates one stream. It waits for a cluster that does not know all of its servers yet, ten seconds at most.
func (b *Bus) ensureStream(ctx context.Context, stream string) error {
	err := untilFormed(ctx, unplaced, func() error { return b.tryStream(ctx, stream) })
	if unplaced(err) {
		return fmt.Errorf("%w; it needs %d servers of the cluster that run with JetStream and have room (streams.replicas)", err, max(b.spec.Streams.Replicas, 1))
	}
	return err
}

// tryStream is ensureStream, tried once. It never takes over a stream with other subjects: with names of the user's own, the stream
// b_c of pipeline a and the stream c of pipeline a_b are both A_B_C.
func (b *Bus) tryStream(ctx context.Context, stream string) error {
	config := b.streamConfig(stream)
	if b.spec.Streams.Bind {
		if _, err := b.js.Stream(ctx, config.Name); err != nil {
			return fmt.Errorf("stream %s at %s (bind: it must exist): %w", config.Name, b.place(), err)
		}
		b.existing.Store(stream, true)
		return nil
	}
	if old, err := b.js.Stream(ctx, config.Name); err == nil {
		theirs := old.CachedInfo().Config
		if len(theirs.Subjects) > 0 && !slices.Contains(theirs.Subjects, config.Subjects[0]) {
			return fmt.Errorf("stream %s at %s exists with the subjects %s: it is not this pipeline's, which needs %s; choose another name for the pipeline or the stream",
				config.Name, b.place(), strings.Join(theirs.Subjects, ", "), config.Subjects[0])
		}
		config = keepLarger(config, theirs)
	}
	if _, err := b.js.CreateOrUpdateStream(ctx, config); err != nil {
		return fmt.Errorf("stream %s at %s: %w", config.Name, b.place(), err)
	}
	b.existing.Store(stream, true)
	return nil
}

func (b *Bus) streamConfig(stream string) jetstream.StreamConfig {
	maxBytes := b.spec.Streams.MaxBytes
	if maxBytes == 0 {
		maxBytes = -1
	}
	return jetstream.StreamConfig{
		Name:        b.spec.StreamName(stream),
		Description: "wavemill pipeline " + b.spec.Name + ": " + stream,
		Subjects:    []string{b.spec.subjects(stream)},
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardNew,
		Storage:     jetstream.FileStorage,
		MaxAge:      b.spec.Streams.MaxAge,
		MaxBytes:    maxBytes,
		Replicas:    b.spec.Streams.Replicas,
		Duplicates:  b.spec.duplicateWindow(),
		AllowDirect: true,
		// Publications that arrive while others are being stored are stored together, see commit.go.
		AllowAtomicPublish: true,
	}
}

// keepLarger returns our configuration with their duplicate window if that is larger: another process of the same
// pipeline, with other operators, may need it.
func keepLarger(ours, theirs jetstream.StreamConfig) jetstream.StreamConfig {
	if theirs.Duplicates > ours.Duplicates && (ours.MaxAge == 0 || theirs.Duplicates <= ours.MaxAge) {
		ours.Duplicates = theirs.Duplicates
	}
	return ours
}

// known reports whether a stream belongs to the pipeline.
func (b *Bus) known(stream string) bool {
	return stream == TypeQuarantine || slices.Contains(b.streams, stream)
}

// checkOutput reports why messages cannot be published to a stream, or nil.
func (b *Bus) checkOutput(stream string) error {
	switch {
	case stream == TypeDLQ:
		return Errorf(Invalid, "stream dlq: only the runtime writes dead letters")
	case !b.known(stream):
		return Errorf(Invalid, "pipeline %s has no stream %q; it has: %s. Name it in from or to of an operator, or under inputs", b.spec.Name, stream, strings.Join(b.streams, ", "))
	}
	return nil
}

// RemoveStreams removes everything that the pipeline keeps on the server: streams with their consumers, bodies, models, contract
// and owner.
func (b *Bus) RemoveStreams(ctx context.Context) error {
	var errs []error
	note := func(what string, err error) {
		if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) && !errors.Is(err, jetstream.ErrBucketNotFound) {
			errs = append(errs, fmt.Errorf("remove %s: %w", what, err))
		}
	}
	for _, stream := range b.spec.StreamNames() {
		name := b.spec.StreamName(stream)
		note("stream "+name, b.js.DeleteStream(ctx, name))
	}
	note("objects", b.js.DeleteObjectStore(ctx, b.spec.objectBucket()))
	note("models", b.js.DeleteObjectStore(ctx, b.spec.ModelBucket()))
	note("models", b.js.DeleteKeyValue(ctx, b.spec.ModelBucket()))
	note("contract", b.js.DeleteKeyValue(ctx, b.spec.contractBucket()))
	return errors.Join(errs...)
}
