package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
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
	input     string // Message type; empty when the operator reads no stream.
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

// buildOperators builds one operator per worker and finds the input type.
func buildOperators(spec Spec, o OperatorSpec, reg Registry, env Env) ([]Operator, string, error) {
	factory, ok := reg[o.Operator]
	if !ok {
		names := slices.Sorted(maps.Keys(reg))
		return nil, "", fmt.Errorf("operator %s: there is no operator %q; there are: %s", o.Name, o.Operator, strings.Join(names, ", "))
	}
	first, err := factory(o.Config, env)
	if err != nil {
		return nil, "", err
	}
	input := o.Input
	if c, ok := first.(Consumer); ok && input == "" {
		input = c.Input()
	}
	if input != "" && !isStreamType(input) {
		return nil, "", fmt.Errorf("operator %s: input %q: there are %s", o.Name, input, strings.Join(streamTypes(), ", "))
	}
	_, runs := first.(Runner)
	if input == "" && !runs {
		return nil, "", fmt.Errorf("operator %s: it names no input; set input to one of %s", o.Name, strings.Join(streamTypes(), ", "))
	}
	if runs && o.Workers > 1 {
		return nil, "", fmt.Errorf("operator %s: workers is %d, but it keeps state of its own and runs with one", o.Name, o.Workers)
	}
	operators := []Operator{first}
	for len(operators) < o.Workers {
		op, err := factory(o.Config, env)
		if err != nil {
			return nil, "", err
		}
		operators = append(operators, op)
	}
	return operators, input, nil
}

func newStage(bus *Bus, spec OperatorSpec, reg Registry, o Options) (*stage, error) {
	hash, err := configHash(spec.Operator, spec.Config)
	if err != nil {
		return nil, fmt.Errorf("operator %s: configuration: %w", spec.Name, err)
	}
	s := &stage{
		bus: bus, spec: spec, hash: hash, onEvent: o.OnEvent,
		log: o.Log.With("pipeline", bus.spec.Name, "operator", spec.Name),
	}
	s.service, err = micro.AddService(bus.conn, micro.Config{
		Name: bus.spec.Name + "-" + spec.Name, Version: o.Version,
		Description: "wavemill operator " + spec.Operator,
		Metadata:    map[string]string{"pipeline": bus.spec.Name, "operator": spec.Operator, "config": hash},
	})
	if err != nil {
		return nil, fmt.Errorf("operator %s: announce it as a service: %w", spec.Name, err)
	}
	env := Env{Pipeline: bus.spec.Name, Operator: spec.Name, Hash: hash, Log: s.log, Bus: bus, Service: s.service}
	s.operators, s.input, err = buildOperators(bus.spec, spec, reg, env)
	if err == nil && s.input != "" {
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
		Stream: s.bus.spec.StreamName(s.input), Durable: s.bus.spec.ConsumerName(s.spec.Name),
		Description: "wavemill operator " + s.spec.Operator,
		Workers:     len(s.operators), Replicas: s.spec.Replicas, AckWait: s.spec.AckWait,
		DrainTimeout: o.DrainTimeout, Bind: s.bus.spec.Streams.Bind,
		Restore: func(ctx context.Context) error { return s.bus.ensureStream(ctx, s.input) },
		Opened:  s.opened,
	}, s.log, s.handle)
	return err
}

// run works until ctx is done and then lets go in order: messages first, then what the operator does beside them,
// then its service, then the operator.
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

// opened records which input stream the sequences belong to, and up to which one an earlier consumer may have worked.
func (s *stage) opened(created time.Time, repeatedUpTo uint64) {
	text := created.UTC().Format(time.RFC3339Nano)
	s.incarnation.Store(&text)
	s.repeatedUpTo.Store(repeatedUpTo)
}

// outputPrefix is what the ids of the outputs of one input begin with: <pipeline>/<operator>@<hash>/<stream>/<sequence>/.
// The hash covers the configuration and the creation time of the input stream: a stream that was deleted and made
// again counts from 1, and its messages are others.
func (s *stage) outputPrefix(sequence uint64) string {
	return fmt.Sprintf("%s/%s@%s/%s/%d/", s.bus.spec.Name, s.spec.Name,
		shortHash(s.hash, *s.incarnation.Load()), s.bus.spec.StreamName(s.input), sequence)
}
