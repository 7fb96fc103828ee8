// Package health serves the state of a running pipeline over HTTP, for the probes of Kubernetes and for people.
package health

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/nats-io/nats.go"

	"wavemill/pipeline"
)

// Handler answers GET requests about a pipeline:
//
//	/livez   200 while the process answers
//	/readyz  200 while the operators run and the bus is connected, otherwise 503 with the reason
//	/status  the pipeline's name and the operators' counters as JSON: {"pipeline": ..., "operators": [...]}
func Handler(bus *pipeline.Bus, running *pipeline.Pipeline) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "alive") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if fault := fault(bus, running); fault != nil {
			answer(w, http.StatusServiceUnavailable, fault.Error())
			return
		}
		answer(w, http.StatusOK, "ready")
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		// It fails only if the client has disconnected.
		_ = json.NewEncoder(w).Encode(map[string]any{"pipeline": bus.Spec().Name, "operators": running.Snapshot()})
	})
	return mux
}

// fault returns the reason why the pipeline is not ready, or nil.
func fault(bus *pipeline.Bus, running *pipeline.Pipeline) error {
	select {
	case <-running.Done():
		return errors.New("the operators have stopped")
	default:
	}
	if s := bus.Conn().Status(); s != nats.CONNECTED {
		return fmt.Errorf("the bus is %s", s)
	}
	return nil
}

func answer(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	fmt.Fprintln(w, text)
}

// Serve serves h on address (host:port; port 0 takes a free one) until stop is called, and logs the address. stop waits
// at most five seconds for requests that are being answered.
func Serve(ctx context.Context, address string, h http.Handler, log *slog.Logger) (stop func(), err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("the health page has stopped", "error", err)
		}
	}()
	log.Info("serving health", "address", listener.Addr().String(), "paths", "/livez /readyz /status")
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			log.Warn("stop serving health", "error", err)
		}
		<-done
	}, nil
}
