package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Options are what a pipeline needs beside its spec.
type Options struct {
	Log *slog.Logger // Log; nil: nothing is logged.
	// OnEvent receives the outcome of every message. Several goroutines call it at once; it must return quickly.
	OnEvent func(Event)
	// Version is the program's semantic version, shown by $SRV.INFO; empty: "0.0.0".
	Version string
	// DrainTimeout is how long messages in flight may be worked on after a stop; 0: twenty seconds.
	DrainTimeout time.Duration
	// FailFast ends the whole pipeline with the first operator that fails, for programs that wait for a result. Without it,
	// a failed operator is started again, and the others go on.
	FailFast bool
	// RestartDelay is the wait before the first restart of a failed operator; it doubles with every failure in a row, up to
	// a minute. 0: one second.
	RestartDelay time.Duration
	Observer     Observer // Observer; nil: none.
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
	mu     sync.Mutex
	bus    *Bus     // Guarded by mu, like stages: [Pipeline.Reload] replaces both.
	stages []*stage // It is never changed in place.
	errs   []error  // Of stages that have ended.

	reg     Registry
	options Options
	// reloading is held by a reload, and by the end for good.
	reloading sync.Mutex
	working   sync.WaitGroup // The stages that run.

	ctx  context.Context // Done when the operators are asked to stop.
	stop context.CancelFunc
	done chan struct{}
	err  error // Set before done is closed.
}

// Start builds the operators of the bus's spec and runs them until ctx is done or [Pipeline.Stop] is called. It
// reports every operator that cannot be built and every stage that would read its own output, and starts none in that
// case. The bus stays open. An operator that fails later is started again, and the others go on, see [Options.FailFast].
func Start(ctx context.Context, bus *Bus, reg Registry, o Options) (*Pipeline, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Version == "" {
		o.Version = "0.0.0"
	}
	o.Log = aboutMessages(o.Log)
	p := &Pipeline{bus: bus, reg: reg, options: o, done: make(chan struct{})}
	own, others, faults := bus.spec.routes(reg)
	faults = append(faults, bus.spec.routeFaults(own, others)...)
	all := slices.Concat(own, others)
	for i, spec := range bus.spec.Operators {
		if faults[i] != nil {
			continue
		}
		s, err := p.newStage(ctx, bus, spec, own[i], all)
		faults = append(faults, err)
		if s != nil {
			p.stages = append(p.stages, s)
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, errors.Join(err, discard(p.stages))
	}
	p.ctx, p.stop = context.WithCancel(ctx)
	for _, s := range p.stages {
		p.begin(s)
	}
	if len(p.stages) == 0 {
		p.stop()
	}
	go p.end()
	return p, nil
}

// newStage builds one stage and creates its streams where the spec does not name them.
func (p *Pipeline) newStage(ctx context.Context, bus *Bus, spec OperatorSpec, r route, all []route) (*stage, error) {
	for _, stream := range []string{r.from, r.to} {
		if stream != "" && !bus.known(stream) {
			if err := bus.ensureStream(ctx, stream); err != nil {
				return nil, fmt.Errorf("operator %s: %w", spec.Name, err)
			}
		}
	}
	if r.from != "" && !bus.spec.written(r.from, all) {
		p.options.Log.Warn("no operator writes the stream that this one reads; it waits for messages of clients",
			"operator", spec.Name, "stream", r.from, "subjects", bus.spec.Name+"."+r.from+".<label>")
	}
	up := upstream(r.from, all)
	return newStage(bus, spec, r, up, feeders(up, all), p.reg, p.options)
}

// Check builds the operators of a spec, each for one worker, without a bus, and reports every fault: of the spec, of the
// operators' configurations, and of the streams between them. Of the stages that [Spec.Only] has left out it looks at
// the streams alone.
func Check(spec Spec, reg Registry) error {
	spec = spec.withDefaults()
	own, others, faults := spec.routes(reg)
	for i, o := range spec.Operators {
		if faults[i] == nil {
			_, faults[i] = buildOperator(o, own[i], reg, Env{
				Pipeline: spec.Name, Operator: o.Name, Log: slog.New(slog.DiscardHandler), Upstream: upstream(own[i].from, own),
			})
		}
	}
	faults = append(faults, spec.routeFaults(own, others)...)
	return errors.Join(append([]error{spec.Validate()}, faults...)...)
}

// end waits for the end of all stages.
func (p *Pipeline) end() {
	defer close(p.done)
	<-p.ctx.Done()
	p.reloading.Lock() // No reload starts a stage from now on.
	defer p.reloading.Unlock()
	p.working.Wait()
	p.err = errors.Join(p.errs...)
}

// discard releases stages that never ran.
func discard(stages []*stage) error {
	var errs []error
	for _, s := range stages {
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

// Stop asks the operators to stop, lets them finish the messages in flight, and waits for that, or for ctx.
func (p *Pipeline) Stop(ctx context.Context) error {
	p.stop()
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return fmt.Errorf("stop pipeline %s: %w", p.Bus().spec.Name, ctx.Err())
	}
}
