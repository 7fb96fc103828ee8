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

	"wavemill/pipeline/delivery"
)

// A stage is one operator of a running pipeline.
type stage struct {
	bus       *Bus
	spec      OperatorSpec
	route     route
	hash      string // Of the configuration.
	log       *slog.Logger
	operators []Operator // One per worker.
	loop      *delivery.Loop
	service   micro.Service
	counters  counters
	onEvent   func(Event)
	published *published

	incarnation  atomic.Pointer[string] // Of the input stream; part of the ids of outputs.
	repeatedUpTo atomic.Uint64          // The last sequence that a deleted consumer may have worked on before.
}

// buildOperators builds one operator per worker.
func buildOperators(o OperatorSpec, r route, reg Registry, env Env) ([]Operator, error) {
	env.From, env.To = r.from, r.to
	var operators []Operator
	for range max(o.Workers, 1) {
		op, err := reg[o.Operator](o.Config, env)
		if err != nil {
			return nil, err
		}
		operators = append(operators, op)
	}
	_, runs := operators[0].(Runner)
	if r.from == "" && !runs {
		return nil, fmt.Errorf("operator %s: it does not say which stream it reads; set from to audio, spectrogram, clip or a stream that another operator writes", o.Name)
	}
	if runs && o.Workers > 1 {
		return nil, fmt.Errorf("operator %s: workers is %d, but it keeps state of its own and runs with one", o.Name, o.Workers)
	}
	return operators, nil
}

func newStage(bus *Bus, spec OperatorSpec, r route, up []string, reg Registry, o Options) (*stage, error) {
	hash, err := configHash(spec.Operator, spec.Config)
	if err != nil {
		return nil, fmt.Errorf("operator %s: configuration: %w", spec.Name, err)
	}
	s := &stage{
		bus: bus, spec: spec, route: r, hash: hash, onEvent: o.OnEvent,
		log: o.Log.With("pipeline", bus.spec.Name, "operator", spec.Name),
	}
	s.service, err = micro.AddService(bus.conn, micro.Config{
		Name: bus.spec.Name + "-" + spec.Name, Version: o.Version,
		Description: "wavemill operator " + spec.Operator,
		Metadata: map[string]string{
			"pipeline": bus.spec.Name, "operator": spec.Operator, "config": hash, "from": r.from, "to": r.to,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("operator %s: announce it as a service: %w", spec.Name, err)
	}
	env := Env{Pipeline: bus.spec.Name, Operator: spec.Name, Hash: hash, Log: s.log, Bus: bus, Service: s.service, Upstream: up}
	s.operators, err = buildOperators(spec, r, reg, env)
	if err == nil && r.from != "" {
		err = s.newLoop(o)
	}
	if err == nil {
		err = s.service.AddEndpoint("status", micro.HandlerFunc(s.status), micro.WithEndpointSubject(bus.spec.Name+".status."+spec.Name))
	}
	if err != nil {
		return nil, errors.Join(err, s.service.Stop())
	}
	return s, nil
}

func (s *stage) newLoop(o Options) error {
	none := ""
	s.incarnation.Store(&none)
	s.published = &published{bus: s.bus}
	var err error
	s.loop, err = delivery.New(s.bus.conn, s.bus.js, delivery.Config{
		Stream: s.bus.spec.StreamName(s.route.from), Durable: s.bus.spec.ConsumerName(s.spec.Name),
		Description: "wavemill operator " + s.spec.Operator,
		Workers:     len(s.operators), Replicas: s.spec.Replicas, AckWait: s.spec.AckWait,
		DrainTimeout: o.DrainTimeout, Bind: s.bus.spec.Streams.Bind,
		Restore: func(ctx context.Context) error { return s.bus.ensureStream(ctx, s.route.from) },
		Opened:  s.opened,
	}, s.log, s.handle)
	return err
}

// run works until ctx is done and then stops in order: the messages, Run of the operator, its service, the operator.
func (s *stage) run(ctx context.Context) error {
	beside, stopBeside := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBeside()
	ctx, stop := context.WithCancel(ctx)
	defer stop()

	var wg sync.WaitGroup
	var runErr, loopErr error
	if r, ok := s.operators[0].(Runner); ok {
		wg.Go(func() {
			defer stop()
			runErr = guard(func() error { return r.Run(beside) })
			if beside.Err() != nil && errors.Is(runErr, context.Canceled) {
				runErr = nil
			}
		})
	}
	if s.loop != nil {
		loopErr = s.loop.Run(ctx)
	} else {
		<-ctx.Done()
	}
	stopBeside()
	wg.Wait()
	return errors.Join(loopErr, runErr, s.service.Stop(), s.closeOperators())
}

func (s *stage) closeOperators() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var errs []error
	for _, op := range s.operators {
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

// opened records when the input stream was created, and up to which sequence an earlier consumer may have worked.
func (s *stage) opened(created time.Time, repeatedUpTo uint64) {
	text := created.UTC().Format(time.RFC3339Nano)
	s.incarnation.Store(&text)
	s.repeatedUpTo.Store(repeatedUpTo)
}

// outputPrefix is what the ids of the outputs of one input begin with: <pipeline>/<operator>@<hash>/<stream>/<sequence>/.
// The hash covers the configuration and the creation time of the input stream: a stream that was deleted and created
// again counts from 1, and its messages are different ones.
func (s *stage) outputPrefix(sequence uint64) string {
	return fmt.Sprintf("%s/%s@%s/%s/%d/", s.bus.spec.Name, s.spec.Name,
		shortHash(s.hash, *s.incarnation.Load()), s.bus.spec.StreamName(s.route.from), sequence)
}
