package health_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"wavemill/pipeline"
	"wavemill/pipeline/health"
)

// start runs a pipeline of one operator that does nothing, on an embedded server.
func start(t *testing.T) (*pipeline.Bus, *pipeline.Pipeline) {
	t.Helper()
	idle := pipeline.Typed(struct{}{}, func(struct{}, pipeline.Env) (pipeline.Operator, error) {
		return pipeline.OperatorFunc(func(context.Context, *pipeline.Message, pipeline.Emit) error { return nil }), nil
	})
	spec := pipeline.Spec{Name: "t", DataDir: t.TempDir(), Operators: []pipeline.OperatorSpec{{Operator: "idle", From: pipeline.TypeAudio}}}
	bus, err := pipeline.Open(t.Context(), spec, pipeline.BusOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bus.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	running, err := pipeline.Start(t.Context(), bus, pipeline.Registry{"idle": idle}, pipeline.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return bus, running
}

// ask returns the answer of h to a request.
func ask(t *testing.T, h http.Handler, method, path string) (code int, body string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, nil))
	return w.Code, w.Body.String()
}

func TestHandler(t *testing.T) {
	bus, running := start(t)
	page := health.Handler(bus, running)
	check := func(method, path string, code int, want string) {
		t.Helper()
		if got, body := ask(t, page, method, path); got != code || !strings.Contains(body, want) {
			t.Errorf("%s %s: %d %q, want %d with %q", method, path, got, body, code, want)
		}
	}
	check(http.MethodGet, "/livez", http.StatusOK, "alive")
	check(http.MethodGet, "/readyz", http.StatusOK, "ready")
	check(http.MethodPost, "/readyz", http.StatusMethodNotAllowed, "")
	check(http.MethodGet, "/other", http.StatusNotFound, "")
	var status struct {
		Pipeline  string
		Operators []struct{ Operator string }
	}
	_, body := ask(t, page, http.MethodGet, "/status")
	if err := json.Unmarshal([]byte(body), &status); err != nil || status.Pipeline != "t" || len(status.Operators) != 1 || status.Operators[0].Operator != "idle" {
		t.Errorf("/status: %s, %v", body, err)
	}
	if err := running.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	check(http.MethodGet, "/readyz", http.StatusServiceUnavailable, "the operators have stopped")
	check(http.MethodGet, "/livez", http.StatusOK, "alive")
}

func TestNotReadyWithoutABus(t *testing.T) {
	bus, running := start(t)
	bus.Conn().Close()
	if code, body := ask(t, health.Handler(bus, running), http.MethodGet, "/readyz"); code != http.StatusServiceUnavailable {
		t.Errorf("%d %q", code, body)
	}
	_ = running.Stop(t.Context()) // Without its connection it may report anything.
}

func TestServe(t *testing.T) {
	var logged bytes.Buffer
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "page") })
	stop, err := health.Serve(t.Context(), "127.0.0.1:0", page, slog.New(slog.NewJSONHandler(&logged, nil)))
	if err != nil {
		t.Fatal(err)
	}
	var entry struct{ Address string }
	if err := json.Unmarshal(logged.Bytes(), &entry); err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+entry.Address+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(response.Body); err != nil || string(body) != "page" {
		t.Errorf("%q, %v", body, err)
	}
	response.Body.Close()
	if _, err := health.Serve(t.Context(), entry.Address, page, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), entry.Address) {
		t.Errorf("an address in use: %v", err)
	}
	stop()
	if response, err := http.DefaultClient.Do(request); err == nil {
		response.Body.Close()
		t.Error("it serves after stop")
	}
}
