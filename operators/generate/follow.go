package generate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"wavemill/models"
	"wavemill/models/eval"
	"wavemill/models/sampling"
	"wavemill/pipeline/modelstore"
)

// follow opens every new version of the model, until ctx is done. It tries again while the store is not available.
func (o *operator) follow(ctx context.Context) {
	for ctx.Err() == nil {
		err := o.env.Bus.Models().Watch(ctx, o.config.Model, func(e modelstore.Entry) {
			if err := o.load(ctx, e); err != nil && ctx.Err() == nil {
				o.log.Error("a new version of the model cannot be used; the one before stays", "model", e.Name, "version", e.Version, "error", err)
			}
		})
		if err != nil && ctx.Err() == nil {
			o.log.Warn("the model store is not available, trying again", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}
}

// load uses the current version, or begins its trial. It belongs to the goroutine of Run.
func (o *operator) load(ctx context.Context, e modelstore.Entry) error {
	o.follows(e)
	o.loadClassifier(ctx)
	m := o.sampler.Load()
	if m != nil && m.Digest == e.Digest { // Another one was withdrawn, or pinned beside.
		o.audit.replaced(m)
		return o.join(ctx)
	}
	trial := e.Trial && o.config.ShadowShare > 0
	if m == nil && trial && time.Since(e.Since) < o.config.ShadowFor {
		if before, ok := e.Previous(); ok { // The other replicas still use this one.
			if old, ok := e.At(before.Version); ok {
				if s, err := o.fetch(ctx, old); err == nil {
					m = s
					if err := o.use(ctx, s); err != nil {
						return err
					}
				}
			}
		}
	}
	if trial && m != nil && o.audit.trying() == e.Digest {
		return nil
	}
	s, err := o.fetch(ctx, e)
	if err != nil {
		return err
	}
	if trial && m != nil {
		o.log.Info("a new version is on trial: a share of the requests is answered with both, and callers get the answers of the served one", "version", e.Version, "digest", s.Digest[:12])
		o.audit.try(s)
		return o.join(ctx)
	}
	return o.use(ctx, s)
}

// fetch opens the current version of an entry.
func (o *operator) fetch(ctx context.Context, e modelstore.Entry) (*sampling.Sampler, error) {
	c, err := o.checkpoint(ctx, e)
	if err != nil {
		return nil, err
	}
	return sampling.OpenWith(c, o.hooks.Open)
}

// checkpoint reads the current version of an entry.
func (o *operator) checkpoint(ctx context.Context, e modelstore.Entry) (models.Checkpoint, error) {
	content, err := o.env.Bus.Models().Load(ctx, e)
	if err != nil {
		return models.Checkpoint{}, err
	}
	return models.Decode(content)
}

// use answers requests with a version from now on.
func (o *operator) use(ctx context.Context, s *sampling.Sampler) error {
	o.audit.replaced(s)
	o.sampler.Store(s)
	err := o.join(ctx)
	o.replace(s)
	return err
}

// replace makes a version the one that new requests are answered with.
func (o *operator) replace(s *sampling.Sampler) {
	o.sampler.Store(s)
	o.log.Info("model in use", "digest", s.Digest[:12], "arch", s.Arch, "labels", len(s.Labels))
	if o.hooks.OnModel != nil {
		o.hooks.OnModel(s.Digest)
	}
}

// loadClassifier reads the classifier that the trainer judges models by. Without one, shadow answers are compared by whether
// they are valid.
func (o *operator) loadClassifier(ctx context.Context) {
	if o.hooks.Judge != nil || o.config.ShadowShare == 0 {
		return
	}
	entry, err := o.env.Bus.Models().Get(ctx, o.config.Model+".classifier")
	if errors.Is(err, modelstore.ErrNotFound) || err == nil && o.audit.knows(entry.Digest) {
		return
	}
	var c *eval.Classifier
	if err == nil {
		c, err = o.openClassifier(ctx, entry)
	}
	if err != nil {
		o.log.Warn("the classifier cannot be read; new versions are compared without it", "error", err)
		return
	}
	o.audit.judgeBy(c, entry.Digest)
}

func (o *operator) openClassifier(ctx context.Context, e modelstore.Entry) (*eval.Classifier, error) {
	c, err := o.checkpoint(ctx, e)
	if err != nil {
		return nil, err
	}
	return eval.Open(c)
}

// withdraw makes the version before current, if bad is current, and marks bad.
func (o *operator) withdraw(ctx context.Context, bad *sampling.Sampler, reason string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		e, err := o.env.Bus.Models().Get(ctx, o.config.Model)
		if err != nil {
			return false, err
		}
		if e.Digest != bad.Digest {
			return false, nil // It was done already.
		}
		_, err = o.env.Bus.Models().Rollback(ctx, e, reason)
		if !errors.Is(err, modelstore.ErrConflict) {
			if err != nil {
				err = fmt.Errorf("withdraw version %d: %w", e.Version, err)
			}
			return err == nil, err
		}
	}
}

// trying is the digest of the version that is on trial.
func (a *auditor) trying() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.candidate == nil {
		return ""
	}
	return a.candidate.Digest
}

// knows reports whether the classifier has that digest.
func (a *auditor) knows(digest string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.digest == digest
}

// judgeBy replaces the classifier. Confidences of the former one are not compared with those of this one.
func (a *auditor) judgeBy(c *eval.Classifier, digest string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.classifier, a.digest = c, digest
	a.confidence, a.before, a.former, a.gains = nil, nil, nil, nil
}
