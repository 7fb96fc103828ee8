package train

import (
	"context"
	"fmt"
	"os"
	"time"

	"wavemill/pipeline/lease"
	"wavemill/pipeline/modelstore"
)

// Roles of a trainer.
const (
	RoleActive  = "active"
	RoleStandby = "standby"
	// RoleUnconfirmed is that of a trainer that could not renew its lease for so long that another one may have taken over.
	RoleUnconfirmed = "unconfirmed"
)

// Lease is the key in the model store that the active trainer of a model holds.
func Lease(model string) string { return model + ".lease" }

// Wait implements pipeline.Waiter: it returns when no other process trains the model, and removes what such a process may have
// left.
func (o *operator) Wait(ctx context.Context) error {
	l, err := o.acquire(ctx)
	if err != nil {
		return err
	}
	o.mu.Lock()
	o.lease, o.state.Holder = l, ""
	o.mu.Unlock()
	name := o.config.Name
	names := []string{name, Unfinished(name), Refused(name), referenceKey(name), classifierKey(name)}
	switch n, err := o.env.Bus.Models().Sweep(ctx, names, o.config.Lease); {
	case err != nil:
		o.log.Warn("the model store could not be searched for checkpoints that no version refers to", "error", err)
	case n > 0:
		o.log.Info("checkpoints that no version refers to were removed", "objects", n)
	}
	return nil
}

// acquire gets the lease. While the model store is not available it tries again.
func (o *operator) acquire(ctx context.Context) (*lease.Lease, error) {
	for {
		entries, err := o.env.Bus.Models().Entries(ctx)
		if err == nil {
			return lease.Acquire(ctx, lease.Config{
				Bucket: entries, Key: Lease(o.config.Name), Holder: holder(), TTL: o.config.Lease, OnWait: o.standsBy, OnStale: o.unconfirmed,
			})
		}
		o.log.Warn("the model store is not available, trying again", "error", err)
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

func (o *operator) standsBy(other string) {
	o.mu.Lock()
	o.state.Holder = other
	o.mu.Unlock()
	o.log.Info("another process trains this model; this one stands by and takes over when that one ends", "holder", other)
}

// unconfirmed tells that the lease cannot be renewed, and that it can again.
func (o *operator) unconfirmed(err error) {
	if err == nil {
		o.log.Info("the lease is renewed again")
		return
	}
	o.log.Warn("the lease of the model cannot be renewed: nothing is stored meanwhile, and another trainer may take over; "+
		"see whether the server is there and has the model store, and restart the trainer where that was deleted",
		"bucket", o.env.Bus.Spec().ModelBucket(), "for", o.config.Lease, "error", err)
}

// holder names this process.
func holder() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return fmt.Sprintf("%s, process %d", host, os.Getpid())
}

// Close implements pipeline.Closer: another trainer may take over.
func (o *operator) Close(ctx context.Context) error {
	if o.lease == nil {
		return nil
	}
	if err := o.lease.Release(ctx); err != nil { // It ends by itself.
		o.log.Warn("another trainer cannot take over at once", "error", err, "after", o.config.Lease)
	}
	return nil
}

// store is a store of models that keeps so many versions.
func (o *operator) store(keep int) *modelstore.Store {
	spec := o.env.Bus.Spec()
	return &modelstore.Store{
		JetStream: o.env.Bus.JetStream(), Bucket: spec.ModelBucket(), Replicas: spec.Streams.Replicas, Bind: spec.Streams.Bind, Keep: keep,
	}
}

// working is the store of checkpoints of which only the last is needed.
func (o *operator) working() *modelstore.Store { return o.store(1) }

// versions is the store of served versions. Replicas compare each with the one before.
func (o *operator) versions() *modelstore.Store {
	s := o.store(o.config.Keep)
	s.Trial = true
	return s
}

// Details is what the operator tells about itself in its status.
type Details struct {
	Model   string   `json:"model"`
	Role    string   `json:"role"`                       // Role is one of the Role constants.
	Holder  string   `json:"holder,omitempty"`           // Holder names that process.
	Clips   int      `json:"clips"`                      // Clips to learn from.
	New     int      `json:"new_clips"`                  // New counts those that no training has been given.
	Aside   []string `json:"labels_set_aside,omitempty"` // Aside are labels with too few clips to learn from.
	Waiting string   `json:"waiting,omitempty"`          // Waiting says why no training begins.
	Phase   string   `json:"phase,omitempty"`            // Phase is what the active process does with the model: PhaseTraining, PhaseJudging, or empty.
}

// What a process does with its model: it learns, or its gate compares the outcome with the served version.
const (
	PhaseTraining = "training"
	PhaseJudging  = "judging"
)

// enter sets the phase, which ends with the returned function.
func (o *operator) enter(phase string) (leave func()) {
	set := func(p string) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.state.Phase = p
	}
	set(phase)
	return func() { set("") }
}

// Details implements pipeline.Detailer.
func (o *operator) Details() any {
	clips, fresh, _ := o.count()
	o.mu.Lock()
	defer o.mu.Unlock()
	d := o.state
	d.Role = RoleActive
	switch {
	case d.Holder != "" || o.lease == nil:
		d.Role = RoleStandby
	case !o.lease.Held():
		d.Role = RoleUnconfirmed
	}
	d.Model, d.Clips, d.New = o.config.Name, clips, fresh
	return d
}
