package pipeline

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
)

// ErrFixed means that a new spec differs from the running one in what only a restart of the process can change.
var ErrFixed = errors.New("only a restart can change it")

// Changes are the stages that a reload has touched, by name.
type Changes struct {
	Started   []string `json:"started"`   // Started were not there before.
	Restarted []string `json:"restarted"` // Restarted have another spec, configuration or place between the streams.
	Stopped   []string `json:"stopped"`   // Stopped are not there any more.
}

// Reload makes spec the one that runs. Stages that it does not change go on undisturbed. One that it changes or leaves out
// stops fetching, finishes the messages in hand, at most for [Options.DrainTimeout], and gives back the rest; then its
// successor starts, on the same consumer. So no message is lost. A message that a stage gives back in the middle of several
// outputs has outputs of both configurations.
//
// A spec with a fault is refused, and nothing changes. So is one with another name, server, login, data folder or
// address, by ErrFixed. Reload is safe for concurrent use.
func (p *Pipeline) Reload(ctx context.Context, spec Spec) (Changes, error) {
	p.reloading.Lock()
	defer p.reloading.Unlock()
	if p.ctx.Err() != nil {
		return Changes{}, errors.New("reload: the pipeline is stopping")
	}
	spec = spec.withDefaults()
	if err := errors.Join(p.Bus().spec.fixed(spec), Check(spec, p.reg)); err != nil {
		return Changes{}, fmt.Errorf("reload: %w", err)
	}
	bus := *p.Bus()
	bus.spec, bus.streams = spec, spec.streams()
	if err := bus.ensureStreams(ctx, bus.streams); err != nil {
		return Changes{}, fmt.Errorf("reload: %w", err)
	}
	next, fresh, err := p.successors(ctx, &bus)
	if err != nil {
		return Changes{}, fmt.Errorf("reload: %w", errors.Join(err, discard(fresh)))
	}
	changes := p.replace(&bus, next)
	for _, s := range fresh {
		p.begin(s)
	}
	return changes, nil
}

// fixed reports what differs in a spec that cannot replace s while it runs.
func (s Spec) fixed(next Spec) error {
	var faults []error
	for _, field := range []struct {
		name     string
		old, now any
	}{
		{"name", s.Name, next.Name},
		{"nats", s.NATS, next.NATS},
		{"auth", s.Auth, next.Auth},
		{"data_dir", s.DataDir, next.DataDir},
		{"listen", s.Listen, next.Listen},
		{"streams.bind", s.Streams.Bind, next.Streams.Bind},
	} {
		if field.old != field.now {
			faults = append(faults, fmt.Errorf("%s differs from the running pipeline: %w", field.name, ErrFixed))
		}
	}
	return errors.Join(faults...)
}

// successors returns the stages of a new spec, in its order: those that run and do not change, and new ones, which are also
// returned alone and do not run yet.
func (p *Pipeline) successors(ctx context.Context, bus *Bus) (next, fresh []*stage, err error) {
	own, others, _ := bus.spec.routes(p.reg)
	all := slices.Concat(own, others)
	for i, spec := range bus.spec.Operators {
		if s := p.same(spec, own[i], all); s != nil {
			next = append(next, s)
			continue
		}
		s, err := p.newStage(ctx, bus, spec, own[i], all)
		if err != nil {
			return nil, fresh, err
		}
		next, fresh = append(next, s), append(fresh, s)
	}
	return next, fresh, nil
}

// same returns the running stage that is what spec wants, or nil.
func (p *Pipeline) same(spec OperatorSpec, r route, all []route) *stage {
	up := upstream(r.from, all)
	before := feeders(up, all)
	for _, s := range p.running() {
		hash, err := configHash(spec.Operator, spec.Config)
		a, b := s.spec, spec
		a.Config, b.Config = nil, nil // The hash compares them by what they say.
		if err == nil && hash == s.hash && r == s.route && slices.Equal(up, s.upstream) && slices.Equal(before, s.feeders) && reflect.DeepEqual(a, b) {
			return s
		}
	}
	return nil
}

// replace stops the stages that are not among the next ones, waits for them, and makes these the pipeline's.
func (p *Pipeline) replace(bus *Bus, next []*stage) Changes {
	var changes Changes
	names := func(stages []*stage) []string {
		var all []string
		for _, s := range stages {
			all = append(all, s.spec.Name)
		}
		return all
	}
	old := p.running()
	var leaving []*stage
	for _, s := range old {
		if slices.Contains(next, s) {
			continue
		}
		leaving = append(leaving, s)
		if slices.Contains(names(next), s.spec.Name) {
			changes.Restarted = append(changes.Restarted, s.spec.Name)
		} else {
			changes.Stopped = append(changes.Stopped, s.spec.Name)
		}
	}
	for _, s := range next {
		if !slices.Contains(names(old), s.spec.Name) {
			changes.Started = append(changes.Started, s.spec.Name)
		}
	}
	for _, s := range leaving {
		s.leave()
	}
	for _, s := range leaving {
		<-s.left
	}
	p.mu.Lock()
	p.bus, p.stages = bus, next
	p.mu.Unlock()
	return changes
}

// begin runs a stage until the pipeline stops, or a reload makes it leave.
func (p *Pipeline) begin(s *stage) {
	ctx, leave := context.WithCancel(p.ctx)
	s.leave, s.left = leave, make(chan struct{})
	p.working.Go(func() {
		defer leave()
		defer close(s.left)
		err := s.supervise(ctx)
		if err != nil {
			p.mu.Lock()
			p.errs = append(p.errs, fmt.Errorf("operator %s: %w", s.spec.Name, err))
			p.mu.Unlock()
		}
		if ctx.Err() == nil {
			p.stop() // With FailFast, a stage that ends by itself ends the pipeline.
		}
	})
}
