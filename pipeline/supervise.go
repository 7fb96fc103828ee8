package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Restart policy. Delays double from the first, [Options.RestartDelay], to the longest. A stage that has run for as long as
// the longest delay begins again with the first.
const (
	firstRestart   = time.Second
	longestRestart = time.Minute
)

// errEnded is the error of an operator whose Run returned although nobody asked it to stop.
var errEnded = errors.New("it ended by itself")

// errStarting is why a stage is not ready whose operators are being built.
var errStarting = errors.New("it is starting")

// stageState is what the supervision of a stage knows about it.
type stageState struct {
	restarts atomic.Uint64
	fault    atomic.Pointer[error] // Why it does not run; nil while it runs.
}

// supervise runs the stage until ctx is done. After a failure it builds the operator anew and runs it again.
func (s *stage) supervise(ctx context.Context) error {
	first := cmp.Or(s.options.RestartDelay, firstRestart)
	wait := first
	for {
		began := time.Now()
		err := s.run(ctx)
		if ctx.Err() != nil {
			return err
		}
		if err == nil {
			err = errEnded
		}
		if s.options.FailFast {
			return err
		}
		if time.Since(began) >= longestRestart {
			wait = first
		}
		if wait, err = s.restart(ctx, err, wait); err != nil {
			return nil // Stopped while waiting.
		}
	}
}

// restart reports a failure, waits, and builds the stage anew, again and again until it succeeds. It returns the wait
// before the next restart, and an error when ctx is done.
func (s *stage) restart(ctx context.Context, failure error, wait time.Duration) (next time.Duration, err error) {
	announced := false
	for {
		s.state.fault.Store(new(fmt.Errorf("failed, and is started again: %w", failure)))
		s.logFailure(failure, wait)
		if !announced { // So that it answers status requests while it waits.
			if err := s.announce(); err != nil {
				s.log.Warn("the operator cannot be seen as a service", "error", err)
			} else {
				announced = true
			}
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			if announced {
				return 0, errors.Join(ctx.Err(), s.service.Stop())
			}
			return 0, ctx.Err()
		}
		wait = min(2*wait, longestRestart)
		if !announced {
			continue
		}
		if failure = s.build(); failure == nil {
			s.state.restarts.Add(1)
			s.state.fault.Store(nil)
			return wait, nil
		}
	}
}

func (s *stage) logFailure(err error, wait time.Duration) {
	if p, ok := errors.AsType[*panicError](err); ok {
		s.log.Error("the operator panicked", "panic", p.value, "stack", p.stack)
	}
	s.log.Error("the operator failed; it is started again, the others go on", "error", err, "wait", wait, "restarts", s.state.restarts.Load())
}

// notReady returns why the stage cannot do its work, or nil.
func (s *stage) notReady() error {
	if fault := s.state.fault.Load(); fault != nil {
		return *fault
	}
	w := s.works.Load()
	if w == nil {
		return errStarting
	}
	if w.loop != nil {
		if err := w.loop.Fault(); err != nil {
			return fmt.Errorf("it cannot read its stream: %w", err)
		}
	}
	if err := s.unstored.fault(time.Now()); err != nil {
		return err
	}
	if s.bus.server != nil {
		if err := s.bus.server.Fault(); err != nil {
			return err
		}
	}
	if err := s.bus.stalls.fault(s.spec.Name, time.Now()); err != nil {
		return err
	}
	if r, ok := w.operators[0].(Readier); ok {
		return r.Ready()
	}
	return nil
}
