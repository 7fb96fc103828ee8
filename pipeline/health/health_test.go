package health_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wavemill/pipeline"
	"wavemill/pipeline/health"
)

// start runs a pipeline of one operator, which drops everything, on an embedded server.
func start(ctx context.Context, dir string) (*pipeline.Bus, *pipeline.Pipeline, error) {
	drop := pipeline.Typed(struct{}{}, func(struct{}, pipeline.Env) (pipeline.Operator, error) {
		return pipeline.OperatorFunc(func(context.Context, *pipeline.Message, pipeline.Emit) error { return nil }), nil
	})
	spec, err := pipeline.ParseSpec([]byte("name: example\noperators:\n  - {operator: drop, from: audio}\n"))
	if err != nil {
		return nil, nil, err
	}
	spec.DataDir = dir
	bus, err := pipeline.Open(ctx, spec, pipeline.BusOptions{})
	if err != nil {
		return nil, nil, err
	}
	running, err := pipeline.Start(ctx, bus, pipeline.Registry{"drop": drop}, pipeline.Options{})
	return bus, running, err
}

// ask returns the status code and the body of a page.
func ask(ctx context.Context, h http.Handler, path string) (int, string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil))
	return w.Code, strings.TrimSpace(w.Body.String())
}

func TestPages(t *testing.T) {
	bus, running, err := start(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	pages := health.Handler(running)
	for path, want := range map[string]string{"/livez": "alive", "/readyz": "ready", "/status": `"operator":"drop"`} {
		if code, text := ask(t.Context(), pages, path); code != http.StatusOK || !strings.Contains(text, want) {
			t.Errorf("%s: %d %s", path, code, text)
		}
	}
	if code, _ := ask(t.Context(), pages, "/other"); code != http.StatusNotFound {
		t.Errorf("/other: %d", code)
	}
	if err := running.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if code, text := ask(t.Context(), pages, "/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(text, "stopped") {
		t.Errorf("stopped: %d %s", code, text)
	}
	if code, _ := ask(t.Context(), pages, "/livez"); code != http.StatusOK {
		t.Errorf("stopped, /livez: %d", code)
	}
	if err := bus.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestNotReadyWithoutABus: the operators run, but the connection to the server is closed.
func TestNotReadyWithoutABus(t *testing.T) {
	bus, running, err := start(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	bus.Conn().Close()
	if code, text := ask(t.Context(), health.Handler(running), "/readyz"); code != http.StatusServiceUnavailable || text == "" {
		t.Errorf("%d %q", code, text)
	}
	_ = running.Stop(t.Context()) // Without a connection it may fail; its error is not under test.
	if err := bus.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestServe(t *testing.T) {
	var logged bytes.Buffer
	log := slog.New(slog.NewTextHandler(&logged, nil))
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "here") })
	stop, err := health.Serve(t.Context(), "127.0.0.1:0", nil, h, log)
	if err != nil {
		t.Fatal(err)
	}
	_, address, _ := strings.Cut(logged.String(), "address=")
	address, _, _ = strings.Cut(address, " ")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	if response.Body.Close(); err != nil || string(text) != "here" {
		t.Errorf("%q, %v", text, err)
	}
	stop()
	if response, err := http.DefaultClient.Do(request); err == nil {
		response.Body.Close()
		t.Error("it serves after stop")
	}
}

// TestServeTLS asks by TLS with the certificate of package httptest.
func TestServeTLS(t *testing.T) {
	made := httptest.NewTLSServer(http.NotFoundHandler())
	made.Close()
	authority := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	stop, err := health.Serve(t.Context(), "127.0.0.1:0", &tls.Config{Certificates: made.TLS.Certificates, MinVersion: tls.VersionTLS12}, http.NotFoundHandler(), slog.New(slog.NewTextHandler(&logged, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	_, address, _ := strings.Cut(logged.String(), "address=")
	address, _, _ = strings.Cut(address, " ")
	client, err := health.Client(authority)
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	for name, client := range map[string]*http.Client{"trusts": client, "does not trust": http.DefaultClient} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+address, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if (err == nil) != (name == "trusts") {
			t.Errorf("a client that %s the certificate: %v", name, err)
		}
		if err == nil {
			response.Body.Close()
		}
	}
	for name, content := range map[string]string{"no certificate": "nothing", "no file": ""} {
		file := filepath.Join(t.TempDir(), "ca.pem")
		if content != "" {
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := health.Client(file); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}

func TestServeRefuses(t *testing.T) {
	if _, err := health.Serve(t.Context(), "nowhere:port", nil, nil, slog.Default()); err == nil {
		t.Error("no error for a wrong address")
	}
	stop, err := health.Serve(t.Context(), "", nil, nil, slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	stop()
}

func Example() {
	dir, err := os.MkdirTemp("", "health")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	bus, running, err := start(ctx, dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	// In a program: stop, err := health.Serve(ctx, ":8080", nil, health.Handler(running), log)
	fmt.Println(ask(ctx, health.Handler(running), "/readyz"))
	if err := running.Stop(ctx); err != nil {
		fmt.Println(err)
	}
	if err := bus.Close(ctx); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 200 ready
}
