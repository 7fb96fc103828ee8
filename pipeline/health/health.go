// Package health serves the state of a running pipeline over HTTP, for orchestrators and people:
//
//	/livez   200 while the process answers
//	/readyz  200 while the operators run and the bus is connected, else 503
//	/status  the operators' counters as JSON
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

// state is what is served.
type state struct {
	bus     *pipeline.Bus
	running *pipeline.Pipeline
}

// Handler returns the pages of a pipeline that runs on a bus.
func Handler(bus *pipeline.Bus, running *pipeline.Pipeline) http.Handler {
	return state{bus, running}.handler()
}

func (h state) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "alive") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if fault := h.fault(); fault != nil {
			answer(w, http.StatusServiceUnavailable, fault.Error())
			return
		}
		answer(w, http.StatusOK, "ready")
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		// It fails only if the client has disconnected.
		_ = json.NewEncoder(w).Encode(map[string]any{"pipeline": h.bus.Spec().Name, "operators": h.running.Snapshot()})
	})
	return mux
}

// fault returns the reason why the pipeline is not ready, or nil.
func (h state) fault() error {
	select {
	case <-h.running.Done():
		return errors.New("the operators have stopped")
	default:
	}
	if s := h.bus.Conn().Status(); s != nats.CONNECTED {
		return fmt.Errorf("the bus is %s", s)
	}
	return nil
}

func answer(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	fmt.Fprintln(w, text)
}

// Serve serves h on address, host:port, until the returned function is called. An empty address serves nothing. Errors
// while it serves go to log.
func Serve(ctx context.Context, address string, h http.Handler, log *slog.Logger) (stop func(), err error) {
	if address == "" {
		return func() {}, nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("serve the health pages: %w", err)
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
