package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline/delivery"
)

// Provisioned is what a pipeline has on its server. The names are those of the server.
type Provisioned struct {
	Pipeline  string                `json:"pipeline"`
	Streams   []string              `json:"streams"`
	Consumers []ProvisionedConsumer `json:"consumers"`
	Buckets   []string              `json:"buckets"` // Buckets are key-value buckets and object stores; one name may be both.
}

// ProvisionedConsumer is the durable consumer of a stage.
type ProvisionedConsumer struct {
	Operator string `json:"operator"` // Operator is the name of the stage.
	Stream   string `json:"stream"`
	Consumer string `json:"consumer"`
	// MaxAckPending is the most messages that all replicas together may have in hand.
	MaxAckPending int `json:"max_ack_pending"`
}

// ErrOwned means that the pipeline's name is taken on the server by another installation.
var ErrOwned = errors.New("the pipeline's name is taken on this server")

// ownerKey is the key of the owner in the bucket of contracts.
const ownerKey = "owner"

// Provision creates, or brings to the settings of the spec, everything that the operators of a bus use: streams, durable
// consumers, buckets and object stores. A stage that starts later finds them; one that runs already is not disturbed. Call it
// before anything watches the consumers, such as an autoscaler. No operator runs meanwhile.
//
// Owner names an installation, such as namespace/release. The first owner of a pipeline's name is kept on the server, and the
// error for another one is ErrOwned: two installations would share streams and consumers, and each would get a part of the
// messages. Take replaces the owner. An empty owner claims nothing and is never refused.
// While a cluster is still forming, Provision tries again, for ten seconds at most.
func (b *Bus) Provision(ctx context.Context, reg Registry, owner string, take bool) (done Provisioned, err error) {
	err = untilFormed(ctx, forming, func() error {
		done, err = b.provision(ctx, reg, owner, take)
		return err
	})
	return done, err
}

// provision is Provision, tried once. It may be tried again: what there is stays as it is.
func (b *Bus) provision(ctx context.Context, reg Registry, owner string, take bool) (Provisioned, error) {
	var none Provisioned
	if err := b.claim(ctx, owner, take); err != nil {
		return none, b.explain(err)
	}
	done := Provisioned{Pipeline: b.spec.Name, Streams: []string{}, Consumers: []ProvisionedConsumer{}}
	for _, stream := range b.spec.StreamNames() {
		if stream == TypeQuarantine && b.spec.Streams.Bind {
			continue // Not every pipeline has it.
		}
		if err := b.ensureStream(ctx, stream); err != nil {
			return none, b.explain(err)
		}
		done.Streams = append(done.Streams, b.spec.StreamName(stream))
	}
	own, others, faults := b.spec.routes(reg)
	if err := errors.Join(append(faults, b.spec.routeFaults(own, others)...)...); err != nil {
		return none, err
	}
	for i, o := range b.spec.Operators {
		for _, stream := range []string{own[i].from, own[i].to} {
			if stream != "" && !b.known(stream) {
				if err := b.ensureStream(ctx, stream); err != nil {
					return none, b.explain(fmt.Errorf("operator %s: %w", o.Name, err))
				}
				done.Streams = append(done.Streams, b.spec.StreamName(stream))
			}
		}
		consumer, err := b.provisionConsumer(ctx, o, own[i], reg)
		if err != nil {
			return none, b.explain(fmt.Errorf("operator %s: %w", o.Name, err))
		}
		if consumer.Consumer != "" {
			done.Consumers = append(done.Consumers, consumer)
		}
	}
	if _, err := b.models.Entries(ctx); err != nil {
		return none, b.explain(err)
	}
	if err := b.objects.Open(ctx); err != nil {
		return none, b.explain(err)
	}
	done.Buckets = []string{b.spec.contractBucket(), b.spec.ModelBucket(), b.spec.objectBucket()}
	return done, nil
}

// provisionConsumer creates or updates the consumer of a stage, if it reads a stream.
func (b *Bus) provisionConsumer(ctx context.Context, o OperatorSpec, r route, reg Registry) (ProvisionedConsumer, error) {
	var none ProvisionedConsumer
	hash, err := configHash(o.Operator, o.Config)
	if err != nil || r.from == "" {
		return none, err
	}
	op, err := buildOperator(o, r, reg, Env{Pipeline: b.spec.Name, Operator: o.Name, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return none, err
	}
	c := b.consumer(o, r, op, hash)
	loop, err := delivery.New(b.conn, b.js, c, b.log, nil)
	if err != nil {
		return none, err
	}
	if err := loop.Ensure(ctx); err != nil {
		return none, err
	}
	found, err := b.js.Consumer(ctx, c.Stream, c.Durable)
	if err != nil {
		return none, err
	}
	return ProvisionedConsumer{Operator: o.Name, Stream: c.Stream, Consumer: c.Durable, MaxAckPending: found.CachedInfo().Config.MaxAckPending}, nil
}

// claim records the owner of the pipeline's name, or checks it.
func (b *Bus) claim(ctx context.Context, owner string, take bool) error {
	bucket, err := b.contracts.Open(ctx)
	if err != nil {
		return fmt.Errorf("bucket %s at %s: %w", b.spec.contractBucket(), b.place(), err)
	}
	if owner == "" {
		return nil
	}
	if take {
		_, err = bucket.Put(ctx, ownerKey, []byte(owner))
	} else {
		_, err = bucket.Create(ctx, ownerKey, []byte(owner))
	}
	if !errors.Is(err, jetstream.ErrKeyExists) {
		return err
	}
	entry, err := bucket.Get(ctx, ownerKey)
	if err != nil {
		return fmt.Errorf("owner of pipeline %s at %s: %w", b.spec.Name, b.place(), err)
	}
	if other := string(entry.Value()); other != owner {
		return fmt.Errorf("%w: pipeline %s at %s belongs to %s, and this is %s; choose another name for the pipeline, or take it over if that installation is gone",
			ErrOwned, b.spec.Name, b.place(), other, owner)
	}
	return nil
}
