package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/micro"
	"golang.org/x/sync/semaphore"

	"wavemill/pipeline/delivery"
)

// A stage is one operator of a running pipeline.
type stage struct {
	bus       *Bus
	spec      OperatorSpec
	route     route
	hash      string // Of the configuration.
	log       *slog.Logger
	upstream  []string
	feeders   []Feeder
	reg       Registry
	options   Options
	service   micro.Service // Of the supervising goroutine once the stage runs.
	works     atomic.Pointer[works]
	state     stageState
	counters  counters
	unstored  unstored
	onEvent   func(Event)
	published *published
	ahead     *semaphore.Weighted // Of bytesAhead.

	leave context.CancelFunc // Makes the stage stop; set, like left, before it runs.
	left  chan struct{}      // Closed when it has stopped.

	incarnation  atomic.Pointer[string] // Of the input stream; part of the ids of outputs.
	repeatedUpTo atomic.Uint64          // The last sequence that a deleted consumer may have worked on before.
}

// workAhead is how many messages of one worker of a [Stateless] operator may wait for their outputs to be stored, and
// bytesAhead what their outputs may take, of all workers together.
const (
	workAhead  = 254
	bytesAhead = 32 << 20
)

// ahead is how many messages a worker of an operator may work ahead.
func ahead(op Operator) int {
	if s, ok := op.(Stateless); ok && s.Stateless() {
		return workAhead
	}
	return 0
}

// InHand is how many messages of its consumer one worker of an operator may have unacknowledged. Scalers by lag need it.
func InHand(op Operator) int { return delivery.AckPendingPerWorker + ahead(op) }

// works is what a restart of a stage replaces.
type works struct {
	operators []Operator     // One per worker.
	loop      *delivery.Loop // Nil where the stage reads no stream.
}

// buildOperators builds one operator per worker.
func buildOperators(o OperatorSpec, r route, reg Registry, env Env) ([]Operator, error) {
	first, err := buildOperator(o, r, reg, env)
	if err != nil {
		return nil, err
	}
	env.From, env.To = r.from, r.to
	operators := []Operator{first}
	for len(operators) < o.Workers {
		op, err := reg[o.Operator](o.Config, env)
		if err != nil {
			return nil, err
		}
		operators = append(operators, op)
	}
	return operators, nil
}

// buildOperator builds the operator of one worker. It suffices to check the stage.
func buildOperator(o OperatorSpec, r route, reg Registry, env Env) (Operator, error) {
	env.From, env.To = r.from, r.to
	op, err := reg[o.Operator](o.Config, env)
	if err != nil {
		return nil, err
	}
	_, runs := op.(Runner)
	if r.from == "" && !runs {
		return nil, fmt.Errorf("operator %s: it does not say which stream it reads; set from to audio, spectrogram, clip or a stream that another operator writes", o.Name)
	}
	if runs && o.Workers > 1 {
		return nil, fmt.Errorf("operator %s: workers is %d, but it keeps state of its own and runs with one", o.Name, o.Workers)
	}
	return op, nil
}

func newStage(bus *Bus, spec OperatorSpec, r route, up []string, before []Feeder, reg Registry, o Options) (*stage, error) {
	hash, err := configHash(spec.Operator, spec.Config)
	if err != nil {
		return nil, fmt.Errorf("operator %s: configuration: %w", spec.Name, err)
	}
	bus = bus.of(spec.Name, o.Observer)
	s := &stage{
		bus: bus, spec: spec, route: r, hash: hash, onEvent: o.OnEvent, upstream: up, feeders: before, reg: reg, options: o,
		log: o.Log.With("pipeline", bus.spec.Name, "operator", spec.Name), published: &published{bus: bus},
		ahead: semaphore.NewWeighted(bytesAhead),
	}
	none := ""
	s.incarnation.Store(&none)
	if err = s.announce(); err != nil {
		return nil, err
	}
	if err = s.build(); err != nil {
		return nil, errors.Join(err, s.service.Stop())
	}
	return s, nil
}

// announce makes the stage a service that answers status requests.
func (s *stage) announce() (err error) {
	s.service, err = micro.AddService(s.bus.conn, micro.Config{
		Name: s.bus.spec.Name + "-" + s.spec.Name, Version: s.options.Version,
		Description: "wavemill operator " + s.spec.Operator,
		Metadata: map[string]string{
			"pipeline": s.bus.spec.Name, "operator": s.spec.Operator, "config": s.hash, "from": s.route.from, "to": s.route.to,
		},
		StatsHandler: func(*micro.Endpoint) any { return s.details() },
	})
	if err != nil {
		return fmt.Errorf("operator %s: announce it as a service: %w", s.spec.Name, err)
	}
	err = s.service.AddEndpoint("status", micro.HandlerFunc(s.status), micro.WithEndpointSubject(s.bus.spec.Name+".status."+s.spec.Name))
	if err != nil {
		return errors.Join(fmt.Errorf("operator %s: answer status requests: %w", s.spec.Name, err), s.service.Stop())
	}
	return nil
}

// details are the operator's own, nil where it has none.
func (s *stage) details() any {
	if w := s.works.Load(); w != nil {
		if d, ok := w.operators[0].(Detailer); ok {
			return d.Details()
		}
	}
	return nil
}

// build makes the operators and the loop that feeds them.
func (s *stage) build() error {
	env := Env{Pipeline: s.bus.spec.Name, Operator: s.spec.Name, Hash: s.hash, Log: s.log, Bus: s.bus, Service: s.service, Upstream: s.upstream, Feeders: s.feeders, Admit: s.bus.Admit}
	var w works
	var err error
	if w.operators, err = buildOperators(s.spec, s.route, s.reg, env); err != nil {
		return err
	}
	if s.route.from != "" {
		w.loop, err = s.newLoop(w.operators)
	}
	if err == nil {
		s.works.Store(&w)
	}
	return err
}

func (s *stage) newLoop(operators []Operator) (*delivery.Loop, error) {
	c := s.bus.consumer(s.spec, s.route, operators[0], s.hash)
	c.DrainTimeout, c.Settled, c.Opened = s.options.DrainTimeout, s.settled, s.opened
	return delivery.New(s.bus.conn, s.bus.js, c, s.log, s.handle)
}

// consumer describes the durable consumer of a stage that reads a stream.
func (b *Bus) consumer(o OperatorSpec, r route, op Operator, hash string) delivery.Config {
	return delivery.Config{
		Stream: b.spec.StreamName(r.from), Durable: b.spec.ConsumerName(o.Name), Description: "wavemill operator " + o.Operator,
		Workers: max(o.Workers, 1), Replicas: o.Replicas, AckWait: o.AckWait, Ahead: ahead(op), Bind: b.spec.Streams.Bind,
		Restore: func(ctx context.Context) error { return b.ensureStream(ctx, r.from) }, Configured: hash,
	}
}

// run works until ctx is done or the operator fails, and then stops in order: the messages, Run of the operator, its
// service, the operator.
func (s *stage) run(ctx context.Context) error {
	w := s.works.Load()
	beside, stopBeside := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBeside()
	ctx, stop := context.WithCancel(ctx)
	defer stop()

	if err := s.wait(ctx, w); err != nil {
		if ctx.Err() != nil {
			err = nil // Stopped while waiting.
		}
		return errors.Join(err, s.service.Stop(), w.close())
	}
	var wg sync.WaitGroup
	var runErr, loopErr error
	if r, ok := w.operators[0].(Runner); ok {
		wg.Go(func() {
			defer stop()
			runErr = guard(func() error { return r.Run(beside) })
			if beside.Err() != nil && errors.Is(runErr, context.Canceled) {
				runErr = nil
			}
		})
	}
	if w.loop != nil {
		loopErr = w.loop.Run(ctx)
	} else {
		<-ctx.Done()
	}
	stopBeside()
	wg.Wait()
	return errors.Join(loopErr, runErr, s.service.Stop(), w.close())
}

// wait waits until the operator may begin.
func (s *stage) wait(ctx context.Context, w *works) error {
	if waiter, ok := w.operators[0].(Waiter); ok {
		return guard(func() error { return waiter.Wait(ctx) })
	}
	return nil
}

func (w *works) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var errs []error
	for _, op := range w.operators {
		if c, ok := op.(Closer); ok {
			errs = append(errs, guard(func() error { return c.Close(ctx) }))
		}
	}
	return errors.Join(errs...)
}

// status answers <pipeline>.status.<operator> with the stage's counters as JSON.
func (s *stage) status(r micro.Request) {
	data, err := json.Marshal(s.snapshot())
	if err == nil {
		err = r.Respond(data)
	}
	if err != nil {
		s.log.Warn("answer a status request", "error", err)
	}
}
