package usage

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// ErrInterrupted is the cause of a context that a signal has ended.
var ErrInterrupted = errors.New("interrupted by a signal")

// Interruptible returns a context that the first SIGINT or SIGTERM cancels, with the cause ErrInterrupted. The next signal has
// its default effect: it ends the process. Stop ends the handling of signals.
func Interruptible() (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		if _, interrupted := <-signals; interrupted {
			signal.Reset(os.Interrupt, syscall.SIGTERM)
			cancel(ErrInterrupted)
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(signals)
		cancel(nil)
	}
}
