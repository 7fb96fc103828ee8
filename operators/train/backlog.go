package train

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wavemill/internal/text"
	"wavemill/pipeline"
)

// backlogs are the messages that are on their way to the trainer, by consumer. Consumers whose backlog is empty are not there.
type backlogs struct {
	seen  map[string]backlog
	told  string    // The consumer that was named last.
	again time.Time // When it is to be named again.
}

// A backlog is what a consumer has not done when it was looked at.
type backlog struct {
	stream, consumer string
	messages         uint64 // The fewest since moved.
	floor            uint64 // Up to where all messages are acknowledged.
	moved            time.Time
	givenUp          bool
}

// underway returns why a training must wait: the consumer of a stage that leads here has messages left. It returns "" where none
// has. A consumer that has finished no message for the time of patience does not count.
func (o *operator) underway(ctx context.Context) string {
	patience := cmp.Or(o.hooks.Patience, DefaultPatience)
	now := time.Now()
	waiting := o.backlogs.look(o.waiting(ctx), now)
	for _, b := range waiting {
		if now.Sub(b.moved) >= patience {
			if b.givenUp {
				continue
			}
			given := o.backlogs.seen[b.key()]
			given.givenUp = true
			o.backlogs.seen[b.key()] = given
			o.log.Warn("training no longer waits for the messages of a consumer that makes no progress; check the stage of this consumer",
				"consumer", b.consumer, "stream", b.stream, "messages", b.messages, "after", patience)
			continue
		}
		reason := fmt.Sprintf("waiting for %s of %s", text.Count(int(b.messages), "message", "messages"), b.consumer)
		if o.backlogs.told != b.key() || !now.Before(o.backlogs.again) {
			o.backlogs.told, o.backlogs.again = b.key(), now.Add(time.Minute)
			o.log.Info("no training begins yet: clips are on their way", "reason", reason, "stream", b.stream)
		}
		return reason
	}
	o.backlogs.told = ""
	return ""
}

func (b backlog) key() string { return b.stream + " " + b.consumer }

// look remembers the backlogs that the server has reported, and returns them with the time of their last progress.
func (s *backlogs) look(now []backlog, at time.Time) []backlog {
	next := map[string]backlog{}
	for i, b := range now {
		b.moved = at
		if old, ok := s.seen[b.key()]; ok && old.floor == b.floor && old.messages <= b.messages {
			b.moved, b.givenUp = old.moved, old.givenUp
			next[b.key()] = old // With the fewest messages.
		} else {
			next[b.key()] = b
		}
		now[i] = b
	}
	s.seen = next
	return now
}

// waiting returns the backlogs of the consumers on the way here, as far as the server tells.
func (o *operator) waiting(ctx context.Context) (found []backlog) {
	spec := o.env.Bus.Spec()
	for _, name := range o.env.Upstream {
		stream, err := o.env.Bus.JetStream().Stream(ctx, spec.StreamName(name))
		if err != nil {
			continue
		}
		var consumers []*jetstream.ConsumerInfo
		for info := range stream.ListConsumers(ctx).Info() { // To the end: the goroutine that sends the listing blocks otherwise.
			consumers = append(consumers, info)
		}
		for _, info := range consumers {
			n := info.NumPending + uint64(max(info.NumAckPending, 0))
			if stage, ok := strings.CutPrefix(info.Config.Durable, spec.ConsumerName("")); ok && n > 0 && o.leadsHere(stage, name) {
				found = append(found, backlog{stream: stream.CachedInfo().Config.Name, consumer: info.Name, messages: n, floor: info.AckFloor.Stream})
			}
		}
	}
	return found
}

// leadsHere reports whether the outputs of a stage that reads the stream reach this stage. Where the pipeline file has no stage
// between the stream and this one, because another process runs it from a file of its own, every stage that the file does not name
// counts.
func (o *operator) leadsHere(stage, stream string) bool {
	if stream == o.env.From {
		return stage == o.env.Operator
	}
	of := func(f pipeline.Feeder) bool { return f.From == stream }
	if slices.ContainsFunc(o.env.Feeders, of) {
		return slices.Contains(o.env.Feeders, pipeline.Feeder{Stage: stage, From: stream})
	}
	return stage != o.env.Operator && !slices.Contains(o.env.Bus.Spec().OperatorNames(), stage)
}
