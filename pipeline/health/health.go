// Package health serves the state of a running pipeline over HTTP, for orchestrators and people:
//
//	/livez            200 while the process answers
//	/readyz           200 while every operator can do its work and the bus answers, else 503 with the reasons
//	/readyz/OPERATOR  the same of one operator
//	/status           the operators' counters as JSON
package health

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"wavemill/pipeline"
)

// state is what is served.
type state struct {
	running *pipeline.Pipeline
}

// Handler returns the pages of a running pipeline.
func Handler(running *pipeline.Pipeline) http.Handler {
	return state{running}.handler()
}

func (h state) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "alive") })
	mux.HandleFunc("GET /readyz", h.ready)
	mux.HandleFunc("GET /readyz/{operator}", h.ready)
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		// It fails only if the client has disconnected.
		_ = json.NewEncoder(w).Encode(map[string]any{"pipeline": h.running.Bus().Spec().Name, "operators": h.running.Snapshot()})
	})
	return mux
}

// pingTimeout is how long the server may take to answer a ping before the pipeline counts as not ready. A server that hangs
// keeps its connections open.
const pingTimeout = 2 * time.Second

func (h state) ready(w http.ResponseWriter, r *http.Request) {
	operator := r.PathValue("operator")
	if operator != "" && !slices.Contains(h.running.Bus().Spec().OperatorNames(), operator) {
		answer(w, http.StatusNotFound, fmt.Sprintf("there is no operator %q here; there are: %s", operator, strings.Join(h.running.Bus().Spec().OperatorNames(), ", ")))
		return
	}
	if fault := h.fault(r.Context(), operator); fault != nil {
		answer(w, http.StatusServiceUnavailable, fault.Error())
		return
	}
	answer(w, http.StatusOK, "ready")
}

// fault returns why one operator, or any of them where none is named, is not ready, or nil.
func (h state) fault(ctx context.Context, operator string) error {
	select {
	case <-h.running.Done():
		return errors.New("the operators have stopped")
	default:
	}
	if s := h.running.Bus().Conn().Status(); s != nats.CONNECTED {
		return fmt.Errorf("the bus is %s", s)
	}
	var faults []error
	for _, s := range h.running.Snapshot() {
		if !s.Ready && (operator == "" || s.Operator == operator) {
			faults = append(faults, fmt.Errorf("operator %s: %s", s.Operator, s.Reason))
		}
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if err := h.running.Bus().Conn().FlushWithContext(ctx); err != nil {
		return fmt.Errorf("the bus does not answer a ping within %v: %w", pingTimeout, err)
	}
	return nil
}

func answer(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	fmt.Fprintln(w, text)
}

// Serve serves h on address, host:port, until the returned function is called; with encryption, over TLS, where it is not nil.
// The contexts of requests end with ctx. An empty address serves nothing. Errors while it serves go to log.
func Serve(ctx context.Context, address string, encryption *tls.Config, h http.Handler, log *slog.Logger) (stop func(), err error) {
	if address == "" {
		return func() {}, nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("serve the health pages: %w", err)
	}
	server := &http.Server{
		Handler: h, TLSConfig: encryption, ReadHeaderTimeout: 5 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		BaseContext: func(net.Listener) context.Context { return ctx }, // Answers that go on for ever end with ctx.
	}
	serve := server.Serve
	if encryption != nil {
		serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := serve(listener); !errors.Is(err, http.ErrServerClosed) {
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

// Client returns a client for pages that are served over TLS by a certificate of one of the authorities in a PEM file.
func Client(authorities string) (*http.Client, error) {
	text, err := os.ReadFile(authorities)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s has no certificate in PEM form", authorities)
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}, nil
}
