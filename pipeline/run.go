package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Options are what a pipeline needs beside its spec.
type Options struct {
	Log *slog.Logger // Log; nil: nothing is logged.
	// OnEvent is told what becomes of messages. It is called by several goroutines at once and must return soon.
	OnEvent func(Event)
	// Version is the program's semantic version, shown by $SRV.INFO; empty: "0.0.0".
	Version string
	// DrainTimeout is how long the work in hand may go on after a stop; 0: twenty seconds.
	DrainTimeout time.Duration
}

// Run opens the bus of spec and runs its operators until ctx is done, then drains and closes everything. It
// returns nil after an orderly stop.
func Run(ctx context.Context, spec Spec, reg Registry, o Options) error {
	bus, err := Open(ctx, spec, BusOptions{Log: o.Log})
	if err != nil {
		return err
	}
	p, err := Start(ctx, bus, reg, o)
	if err == nil {
		err = p.Wait()
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	return errors.Join(err, bus.Close(closing))
}

// A Pipeline is a running set of operators.
type Pipeline struct {
	bus    *Bus
	stages []*stage
	stop   context.CancelFunc
	done   chan struct{}
	err    error // Set before done is closed.
}

// Start builds the operators of the bus's spec and runs them until ctx is done or [Pipeline.Stop] is called. It
// reports every operator that cannot be built, and starts none in that case. The bus stays open.
func Start(ctx context.Context, bus *Bus, reg Registry, o Options) (*Pipeline, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Version == "" {
		o.Version = "0.0.0"
	}
	p := &Pipeline{bus: bus, done: make(chan struct{})}
	var faults []error
	for _, spec := range bus.spec.Operators {
		s, err := newStage(bus, spec, reg, o)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		p.stages = append(p.stages, s)
	}
	if len(faults) > 0 {
		return nil, errors.Join(append(faults, p.discard())...)
	}
	ctx, p.stop = context.WithCancel(ctx)
	go p.run(ctx)
	return p, nil
}

// Check builds the operators of a spec as Start does, without a bus, and reports every fault.
func Check(spec Spec, reg Registry) error {
	spec = spec.withDefaults()
	faults := []error{spec.Validate()}
	for _, o := range spec.Operators {
		_, _, err := buildOperators(spec, o, reg, Env{Pipeline: spec.Name, Operator: o.Name, Log: slog.New(slog.DiscardHandler)})
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

func (p *Pipeline) run(ctx context.Context) {
	defer close(p.done)
	defer p.stop()
	var wg sync.WaitGroup
	errs := make([]error, len(p.stages))
	for i, s := range p.stages {
		wg.Go(func() {
			defer p.stop() // A stage that ends by itself ends the pipeline.
			if err := s.run(ctx); err != nil {
				errs[i] = fmt.Errorf("operator %s: %w", s.spec.Name, err)
			}
		})
	}
	wg.Wait()
	p.err = errors.Join(errs...)
}

// discard lets go of stages that never ran.
func (p *Pipeline) discard() error {
	var errs []error
	for _, s := range p.stages {
		errs = append(errs, s.service.Stop())
	}
	return errors.Join(errs...)
}

// Wait returns when every operator has stopped, with the error that ended the pipeline, or nil.
func (p *Pipeline) Wait() error {
	<-p.done
	return p.err
}

// Done is closed when every operator has stopped.
func (p *Pipeline) Done() <-chan struct{} { return p.done }

// Stop asks the operators to stop, lets them finish what they hold, and waits for that, or for ctx.
func (p *Pipeline) Stop(ctx context.Context) error {
	p.stop()
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return fmt.Errorf("stop pipeline %s: %w", p.bus.spec.Name, ctx.Err())
	}
}
