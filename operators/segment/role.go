package segment

import (
	"context"
	"fmt"
	"os"
	"time"

	"wavemill/pipeline/lease"
)

// Roles of an operator.
const (
	RoleActive  = "active"
	RoleStandby = "standby"
)

// Wait implements pipeline.Waiter: it returns when no other process cuts the stream, with the state that the last one has stored.
func (o *operator) Wait(ctx context.Context) error {
	for {
		bucket, err := o.openBucket(ctx)
		if err == nil {
			o.bucket = bucket
			break
		}
		o.env.Log.Warn("the bucket for the state is not available, trying again", "error", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	l, err := lease.Acquire(ctx, lease.Config{
		Bucket: o.bucket, Key: o.leaseKey(), TTL: o.config.Lease, OnWait: o.standsBy,
		Holder: fmt.Sprintf("%s, process %d", host, os.Getpid()),
	})
	if err != nil {
		return err
	}
	o.lease = l
	if err := o.restore(ctx); err != nil {
		return err
	}
	o.mu.Lock()
	o.details.Role, o.details.Holder = RoleActive, ""
	o.mu.Unlock()
	o.tell()
	return nil
}

func (o *operator) standsBy(other string) {
	o.mu.Lock()
	o.details.Role, o.details.Holder = RoleStandby, other
	o.mu.Unlock()
	o.env.Log.Info("another process cuts this stream; this one stands by and takes over when that one ends", "holder", other)
}

// Close implements pipeline.Closer: it stores the state, and another process may take over.
func (o *operator) Close(ctx context.Context) error {
	if o.lease == nil {
		return nil
	}
	if o.fold != nil && o.lease.Context().Err() == nil {
		o.checkpoint(ctx)
	}
	if err := o.lease.Release(ctx); err != nil { // It ends by itself.
		o.env.Log.Warn("another process cannot take over at once", "error", err, "after", o.config.Lease)
	}
	return nil
}

// Details is what the operator tells about itself in its status.
type Details struct {
	Role    string `json:"role"`             // Role is active, or standby where another process cuts the stream.
	Holder  string `json:"holder,omitempty"` // Holder names that process.
	Sources int    `json:"sources"`          // Sources of chunks that are in progress.
	Clips   uint64 `json:"clips"`            // Clips published by this process.
	Stored  uint64 `json:"stored"`           // Stored is the place in the stream of the last checkpoint.
	chunkCounts
}

// tell updates the details. They are apart from the state, so that a status request does not wait for a publication.
func (o *operator) tell() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.details.Sources, o.details.Stored, o.details.chunkCounts = len(o.fold.sessions), o.stored, o.fold.counts
}

func (o *operator) count(clips uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.details.Clips += clips
}

// Details implements pipeline.Detailer.
func (o *operator) Details() any {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.details
}
