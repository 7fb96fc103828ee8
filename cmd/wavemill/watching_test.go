package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// an upRun is a `wavemill up` of a test.
type upRun struct {
	http, nats string // Addresses.

	mu    sync.Mutex
	lines []string // Of its log.
	stop  func() int
}

// logged reports whether a line of the log contains text.
func (u *upRun) logged(text string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.ContainsFunc(u.lines, func(line string) bool { return strings.Contains(line, text) })
}

// startUp runs `wavemill up` with a pipeline file until its operators run.
func startUp(t *testing.T, file string, args ...string) *upRun {
	t.Helper()
	u := &upRun{}
	ctx, interrupt := context.WithCancel(t.Context())
	runs, code := make(chan struct{}), make(chan int, 1)
	started := sync.OnceFunc(func() { close(runs) })
	logs := writerFunc(func(p []byte) (int, error) {
		var entry struct{ Msg, Address, NATS string }
		u.mu.Lock()
		defer u.mu.Unlock()
		u.lines = append(u.lines, string(p))
		if err := json.Unmarshal(p, &entry); err != nil {
			t.Errorf("the log is not JSON: %q", p)
		}
		switch entry.Msg {
		case "serving health":
			u.http = "http://" + entry.Address
		case "pipeline runs":
			u.nats = entry.NATS
			started()
		}
		return len(p), nil
	})
	all := append([]string{"up", "-f", file, "--data-dir", t.TempDir(), "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--log", "json"}, args...)
	go func() { code <- execute(ctx, all, strings.NewReader(""), io.Discard, logs) }()
	u.stop = sync.OnceValue(func() int { interrupt(); return <-code })
	t.Cleanup(func() { u.stop() })
	select {
	case <-runs:
	case c := <-code:
		t.Fatalf("up ended with %d: %s", c, strings.Join(u.lines, ""))
	case <-time.After(time.Minute):
		t.Fatal("up does not start")
	}
	return u
}

// fileOf writes a pipeline file.
func fileOf(t *testing.T, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pipeline.yaml")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// waitUntil polls f.
func waitUntil(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !f(); time.Sleep(10 * time.Millisecond) { // A poll.
		if time.Now().After(deadline) {
			t.Fatal("not within a minute: " + what)
		}
	}
}

// The trace of a recording leads from `publish` through the operator to the spectrogram, in the process that publishes and in
// the one that works, and both export it where the environment says.
func TestTracesAreExported(t *testing.T) {
	var mu sync.Mutex
	byName := map[string]*tracepb.Span{}
	services := map[string]bool{}
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var request collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &request)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, of := range request.ResourceSpans {
			for _, a := range of.Resource.Attributes {
				if a.Key == "service.name" {
					services[a.Value.GetStringValue()] = true
				}
			}
			for _, scope := range of.ScopeSpans {
				for _, s := range scope.Spans {
					byName[s.Name] = s
				}
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(receiver.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.URL)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
	t.Setenv("OTEL_SERVICE_NAME", "drums")

	up := startUp(t, fileOf(t, "operators: [{operator: spectrogram}]"))
	mustRun(t, "publish", "--nats", up.nats, firstWAV(t, recordingsFolder(t, 1)), "--labels", "prefix")
	path := []string{"publish wavemill.audio.{label}", "process wavemill.audio.{label}", "publish wavemill.spectrogram.{label}"}
	waitUntil(t, "the spans", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return !slices.ContainsFunc(path, func(name string) bool { return byName[name] == nil })
	})
	if code := up.stop(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	mu.Lock()
	defer mu.Unlock()
	for i, name := range path[1:] {
		child, parent := byName[name], byName[path[i]]
		if string(child.TraceId) != string(parent.TraceId) || string(child.ParentSpanId) != string(parent.SpanId) {
			t.Errorf("%q is not a child of %q", name, path[i])
		}
	}
	if !services["drums"] || len(services) != 1 {
		t.Errorf("services %v: OTEL_SERVICE_NAME is drums", services)
	}
}

// Nothing is exported unless the environment asks for it, and what it asks for that is not there is an error.
func TestTracesThatAreNotThere(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
	file := fileOf(t, "operators: [{operator: spectrogram}]")
	code, _, stderr := runCLI(t, "up", "-f", file, "--data-dir", t.TempDir())
	if code != exitUsage || !strings.Contains(stderr, "OTEL_EXPORTER_OTLP_PROTOCOL") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

// up --watch: a changed file restarts what changed, a wrong one is refused with its findings, and recordings that are
// published all the while each become one spectrogram.
func TestUpWatchesItsFile(t *testing.T) {
	const first = "operators:\n- operator: spectrogram\n"
	file := fileOf(t, first)
	up := startUp(t, file, "--watch")
	change := func(content string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	folder := recordingsFolder(t, 6)
	publish := func(label string) {
		mustRun(t, "publish", "--nats", up.nats, "--labels", "prefix", filepath.Join(folder, label))
	}
	publish("chirp")
	change(first + "  workers: 3\n- {name: half, operator: spectrogram, to: half, config: {rate: 4000}}\n")
	publish("hihat")
	waitUntil(t, "the reload", func() bool { return up.logged(`"started":["half"],"restarted":["spectrogram"]`) })
	change(first + "  worker: 3\n")
	waitUntil(t, "the refusal", func() bool { return up.logged("is refused; the pipeline goes on") })
	if !up.logged(`did you mean \"workers\"?`) || !up.logged(`"line":3`) {
		t.Error("the findings are not logged")
	}
	change(first)
	waitUntil(t, "the second reload", func() bool { return up.logged(`"stopped":["half"]`) })
	publish(oddLabel)

	bus, err := pipeline.OpenClient(t.Context(), pipeline.Spec{NATS: up.nats}, pipeline.BusOptions{})
	if err != nil {
		t.Fatal(err)
	}
	recordings := map[string]int{}
	waitUntil(t, "18 spectrograms", func() bool {
		clear(recordings)
		for m, err := range bus.Messages(t.Context(), pipeline.Subscription{Stream: pipeline.TypeSpectrogram, From: 1, Last: true}) {
			if err != nil {
				t.Fatal(err)
			}
			recordings[m.Header[header.Recording]]++
		}
		return len(recordings) >= 18
	})
	closeQuietly(t, bus)
	for recording, n := range recordings {
		if n != 1 {
			t.Errorf("recording %s has %d spectrograms", recording, n)
		}
	}
	var status struct{ Operators []pipeline.Status }
	_, body := get(t, up.http+"/status")
	if err := json.Unmarshal([]byte(body), &status); err != nil || len(status.Operators) != 1 {
		t.Errorf("%v: %s", err, body)
	}
	if code := up.stop(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	for _, line := range up.lines {
		if strings.Contains(line, `"msg":"dead letter"`) {
			t.Error(line)
		}
	}
}

// docs/watching.md lists the metrics that the binary serves, and no other.
func TestMetricsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/watching.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(wavemill_operator_[a-z_]+)` \\| ([a-z]+) \\|").FindAllStringSubmatch(string(page), -1) {
		documented[m[1]] = m[2]
	}
	up := startUp(t, fileOf(t, "streams: {max_bytes: 100000000}\noperators: [{operator: spectrogram}, {operator: train}, {operator: generate}, {operator: topup, config: {to: 1}}]"))
	mustRun(t, "publish", "--nats", up.nats, firstWAV(t, recordingsFolder(t, 1)), "--labels", "prefix")
	served := map[string]string{}
	waitUntil(t, "a spectrogram", func() bool {
		_, text := get(t, up.http+"/metrics")
		for _, m := range regexp.MustCompile(`(?m)^# TYPE (wavemill_operator_\w+) (\w+)`).FindAllStringSubmatch(text, -1) {
			served[m[1]] = m[2]
		}
		return strings.Contains(text, `wavemill_operator_messages_acked_total{consumer="wavemill-train",operator="train",pipeline="wavemill",stream="WAVEMILL_SPECTROGRAM"} 1`)
	})
	for _, trained := range []string{
		"train_loss", "checkpoint_age_seconds", "model_info", "model_age_seconds",
		"topup_phase_done", "topup_phase_total", "topup_phase_seconds", "topup_gain_points", "topup_gain_low_points", "topup_gain_high_points",
	} {
		served["wavemill_operator_"+trained] = "gauge" // Only with a trained model: the tests of their operators see them.
	}
	if diff := cmp.Diff(documented, served); diff != "" {
		t.Errorf("-documented +served:\n%s", diff)
	}
}
