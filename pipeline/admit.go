package pipeline

import (
	"context"
	"errors"

	"wavemill/pipeline/contract"
)

// Contracts returns the store of the pipeline's contract.
func (b *Bus) Contracts() *contract.Store { return b.contracts }

// contractBucket is the name of the key-value bucket with the contract.
func (s Spec) contractBucket() string { return s.bucket("CONTRACT") }

// Contract returns the contract in force, read at most every five seconds. A user that may not read it gets one that admits
// everything, which the log says.
func (b *Bus) Contract(ctx context.Context) (contract.Contract, error) {
	stored, err := b.contracts.Current(ctx)
	if err != nil && unanswered(err) && b.isDenied("$JS.API.STREAM.INFO.KV_"+b.spec.contractBucket()) {
		b.log.Warn("this user may not read the contract of the pipeline; every recording is admitted, see docs/nats.conf", "pipeline", b.spec.Name, "bucket", b.spec.contractBucket())
		b.contracts.Assume(contract.Contract{})
		return contract.Contract{}, nil
	}
	return stored.Contract, err
}

// Admit returns why the contract of the pipeline does not admit a recording, an error of kind Invalid, or nil. While the
// contract has never been read because the server is away, the error is Transient.
func (b *Bus) Admit(ctx context.Context, f contract.Facts) error {
	c, err := b.Contract(ctx)
	if err != nil {
		return &Error{Kind: Transient, Err: err}
	}
	if err := c.Check(f); err != nil {
		return &Error{Kind: Invalid, Err: err}
	}
	return nil
}

// Declare makes c the contract in force, if it differs from the one that is. Audit is asked first whether the
// stored recordings still are what it admits, unless force is set; its error keeps the old contract.
func (b *Bus) Declare(ctx context.Context, c contract.Contract, force bool, audit func(contract.Contract) error) (contract.Stored, error) {
	old, err := b.contracts.Get(ctx)
	if err != nil {
		return contract.Stored{}, err
	}
	if old.Revision > 0 && old.Contract.Equal(c) || old.Revision == 0 && c.Empty() {
		return old, nil
	}
	if err := c.Validate(); err != nil {
		return contract.Stored{}, err
	}
	if !force {
		if err := audit(c); err != nil {
			return contract.Stored{}, err
		}
	}
	revision, err := b.contracts.Put(ctx, c, old.Revision)
	if errors.Is(err, contract.ErrConflict) {
		return contract.Stored{}, err
	}
	return contract.Stored{Contract: c, Revision: revision}, err
}
