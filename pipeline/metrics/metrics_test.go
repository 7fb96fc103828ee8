package metrics_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.uber.org/goleak"

	"wavemill/pipeline"
	"wavemill/pipeline/metrics"
	"wavemill/pipeline/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// page is what /metrics says, by name and labels such as "inflight{operator=work}".
type page map[string]*dto.Metric

// scrape reads /metrics as Prometheus does.
func scrape(t *testing.T, h http.Handler) page {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(w.Body.Bytes()))
	if err != nil {
		t.Fatalf("%v\n%s", err, w.Body)
	}
	p := page{}
	for name, family := range families {
		for _, m := range family.Metric {
			labels := map[string]string{}
			for _, l := range m.Label {
				labels[l.GetName()] = l.GetValue()
			}
			p[strings.TrimPrefix(name, metrics.Namespace+"_")+key(labels)] = m
		}
	}
	return p
}

func key(labels map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if labels[name] != "" {
			parts = append(parts, name+"="+labels[name])
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// value is the number of a metric, the count of a histogram.
func (p page) value(t *testing.T, name string) float64 {
	t.Helper()
	m := p[name]
	switch {
	case m == nil:
		t.Fatalf("no metric %s; there are: %s", name, strings.Join(slices.Sorted(maps.Keys(p)), " "))
	case m.Counter != nil:
		return m.Counter.GetValue()
	case m.Gauge != nil:
		return m.Gauge.GetValue()
	case m.Histogram != nil:
		return float64(m.Histogram.GetSampleCount())
	}
	t.Fatalf("metric %s has no value that this test knows", name)
	return 0
}

// worker emits its input, or fails as the body asks.
type worker struct{ seconds prometheus.Gauge }

func (worker) Input() string                         { return pipeline.TypeAudio }
func (w worker) Describe(ch chan<- *prometheus.Desc) { w.seconds.Describe(ch) }
func (w worker) Collect(ch chan<- prometheus.Metric) { w.seconds.Collect(ch) }
func (w worker) Close(context.Context) error         { return nil }
func (w worker) Process(ctx context.Context, m *pipeline.Message, emit pipeline.Emit) error {
	switch {
	case string(m.Body) == "bad":
		return pipeline.Errorf(pipeline.Invalid, "cannot be used: %s", m.ID)
	case string(m.Body) == "panic":
		panic(m.ID)
	case string(m.Body) == "again" && m.Attempt == 1:
		return errors.New("not yet")
	}
	return emit(ctx, &pipeline.Message{Type: pipeline.TypeClip, Body: m.Body})
}

func registry() pipeline.Registry {
	return pipeline.Registry{"work": func([]byte, pipeline.Env) (pipeline.Operator, error) {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "wavemill_operator_own_seconds", Help: "A figure of the operator's own."})
		g.Set(7)
		return worker{g}, nil
	}}
}

// run starts a pipeline with metrics.
func run(t *testing.T, spec pipeline.Spec) (*pipeline.Bus, *metrics.Set) {
	t.Helper()
	bus, err := pipeline.Open(t.Context(), spec, pipeline.BusOptions{})
	if err != nil {
		t.Fatal(err)
	}
	figures := metrics.New(spec.Name)
	running, err := pipeline.Start(t.Context(), bus, registry(), pipeline.Options{Observer: figures})
	if err != nil {
		t.Fatal(err)
	}
	figures.Follow(running)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if err := errors.Join(running.Stop(ctx), bus.Close(ctx)); err != nil {
			t.Error(err)
		}
	})
	return bus, figures
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !f(); time.Sleep(5 * time.Millisecond) { // A poll.
		if time.Now().After(deadline) {
			t.Fatal("not within a minute: " + what)
		}
	}
}

// The page of a pipeline that has worked, on a real server, read by Prometheus' own parser and linter.
func TestPage(t *testing.T) {
	spec := pipeline.Spec{Name: "m", DataDir: t.TempDir(), Operators: []pipeline.OperatorSpec{{Operator: "work", MaxAttempts: 1}, {Name: "second", Operator: "work", From: "clip", To: "polished"}}}
	bus, figures := run(t, spec)
	bodies := []string{"one", "two", "three", "bad", "bad ", "panic", "again"}
	for _, body := range bodies {
		if _, err := bus.Publish(t.Context(), &pipeline.Message{Type: pipeline.TypeAudio, Label: "l", Body: []byte(body)}); err != nil {
			t.Fatal(err)
		}
	}
	const on, on2 = "{consumer=m-work,operator=work,pipeline=m,stream=M_AUDIO}", "{consumer=m-second,operator=second,pipeline=m,stream=M_CLIP}"
	eventually(t, "all messages settled", func() bool {
		p := scrape(t, figures.Handler())
		return p.value(t, "messages_acked_total"+on)+p.value(t, "messages_termed_total"+on) == float64(len(bodies)) && p.value(t, "messages_acked_total"+on2) == 4
	})
	p := scrape(t, figures.Handler())
	for name, want := range map[string]float64{
		"messages_received_total" + on: 7, "messages_processed_total" + on: 4, "messages_acked_total" + on: 4, "messages_nacked_total" + on: 0,
		"messages_termed_total" + on: 3, "messages_redelivered_total" + on: 0, "messages_emitted_total" + on: 4, "messages_duplicate_total" + on: 0,
		"bytes_total" + on: 28, "emitted_bytes_total" + on: 15, "inflight" + on: 0, "ready" + on: 1, "mixed" + on: 0, "restarts_total" + on: 0,
		"consumer_available" + on: 1, "consumer_pending" + on: 0, "process_duration_seconds" + on: 7,
		"publish_duration_seconds{operator=work,pipeline=m,stream=M_CLIP}":       4,
		"publish_duration_seconds{operator=second,pipeline=m,stream=M_POLISHED}": 4,
		"dlq_messages_total{operator=work,pipeline=m,reason=invalid}":            1,
		"dlq_messages_total{operator=work,pipeline=m,reason=panic}":              1,
		"dlq_messages_total{operator=work,pipeline=m,reason=other}":              1,
		"dlq_messages_total{operator=work,pipeline=m,reason=contract}":           0,
		"nats_connected{pipeline=m}":                                             1, "nats_reconnects_total{pipeline=m}": 0,
		"own_seconds{operator=work,pipeline=m}": 7,
	} {
		if got := p.value(t, name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	for _, positive := range []string{"stream_bytes{pipeline=m,stream=M_AUDIO}", "storage_bytes{pipeline=m}", "storage_limit_bytes{pipeline=m}"} {
		if p.value(t, positive) <= 0 {
			t.Errorf("%s is not positive", positive)
		}
	}
	reasons := 0
	for name := range p {
		if strings.HasPrefix(name, "dlq_messages_total{operator=work,") {
			reasons++
		}
	}
	if reasons != len(pipeline.Reasons()) {
		t.Errorf("%d reasons, want %d: every reason from the start, and no other", reasons, len(pipeline.Reasons()))
	}
	problems, err := testutil.GatherAndLint(figures.Gatherer())
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Errorf("%s: %s", problem.Metric, problem.Text)
	}
}

// The labels of all metrics are of a small set: none has the value of a message.
func TestLabels(t *testing.T) {
	_, figures := run(t, pipeline.Spec{Name: "m", DataDir: t.TempDir(), Operators: []pipeline.OperatorSpec{{Operator: "work"}}})
	families, err := figures.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	allowed := []string{"pipeline", "operator", "stream", "consumer", "reason", "code", "player"}
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), metrics.Namespace) {
			continue // Of Go and the process.
		}
		for _, m := range f.Metric {
			for _, l := range m.Label {
				if !slices.Contains(allowed, l.GetName()) {
					t.Errorf("%s has the label %s", f.GetName(), l.GetName())
				}
			}
		}
	}
}

// A consumer that does not exist any more is an error, not an empty backlog.
func TestMissingConsumer(t *testing.T) {
	s, err := server.Start(t.Context(), server.Config{DataDir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	spec := pipeline.Spec{Name: "m", NATS: s.URL(), Operators: []pipeline.OperatorSpec{{Operator: "work"}}}
	const on = "{consumer=m-work,operator=work,pipeline=m,stream=M_AUDIO}"
	t.Run("create", func(t *testing.T) {
		_, figures := run(t, spec)
		eventually(t, "the consumer", func() bool {
			return scrape(t, figures.Handler()).value(t, "consumer_available"+on) == 1
		})
	})
	spec.Streams.Bind = true // Nobody creates it again.
	bus, figures := run(t, spec)
	if err := bus.JetStream().DeleteConsumer(t.Context(), "M_AUDIO", "m-work"); err != nil {
		t.Fatal(err)
	}
	var p page
	eventually(t, "the missing consumer", func() bool {
		p = scrape(t, figures.Handler())
		return p.value(t, "consumer_available"+on) == 0
	})
	if p["consumer_pending"+on] != nil || p["consumer_ack_pending"+on] != nil {
		t.Error("a backlog is told of a consumer that does not exist")
	}
	// The operator finds out by itself, with its next pull.
	eventually(t, "that the operator is not ready", func() bool { return scrape(t, figures.Handler()).value(t, "ready"+on) == 0 })
}
