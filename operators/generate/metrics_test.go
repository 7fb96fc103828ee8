package generate

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"wavemill/models/sampling"
	"wavemill/pipeline"
	"wavemill/pipeline/modelstore"
)

// Requests are counted by their outcome, and the model in use has its version, unless it came from a file.
func TestMetrics(t *testing.T) {
	built, err := Factory(Hooks{})(nil, pipeline.Env{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	o, ok := built.(*operator)
	if !ok {
		t.Fatalf("%T", built)
	}
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(o); err != nil {
		t.Fatal(err)
	}
	expect := func(want string, names ...string) {
		t.Helper()
		for i, name := range names {
			names[i] = "wavemill_operator_" + name
		}
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want), names...); err != nil {
			t.Error(err)
		}
	}
	expect(`# HELP wavemill_operator_model_loaded 1 while a model is in use, else 0.
# TYPE wavemill_operator_model_loaded gauge
wavemill_operator_model_loaded 0
`, "model_loaded", "model_info", "model_age_seconds")
	o.answered(time.Now(), 3, "")
	o.answered(time.Now(), 0, "404")
	o.sampler.Store(&sampling.Sampler{Digest: "0123456789abcdef"})
	expect(`# HELP wavemill_operator_generate_clips_total Clips that were generated.
# TYPE wavemill_operator_generate_clips_total counter
wavemill_operator_generate_clips_total 3
# HELP wavemill_operator_generate_failures_total Requests that were answered with an error, by its code.
# TYPE wavemill_operator_generate_failures_total counter
wavemill_operator_generate_failures_total{code="400"} 0
wavemill_operator_generate_failures_total{code="404"} 1
wavemill_operator_generate_failures_total{code="500"} 0
wavemill_operator_generate_failures_total{code="503"} 0
# HELP wavemill_operator_generate_requests_total Requests that were answered, failed ones too.
# TYPE wavemill_operator_generate_requests_total counter
wavemill_operator_generate_requests_total 2
# HELP wavemill_operator_model_info 1; the name, version and digest of the model in use.
# TYPE wavemill_operator_model_info gauge
wavemill_operator_model_info{digest="0123456789ab",model="vae",version="file"} 1
`, "generate_clips_total", "generate_failures_total", "generate_requests_total", "model_info", "model_age_seconds")
	o.follows(modelstore.Entry{Stored: modelstore.Stored{Version: 12, Object: "o", Digest: "0123456789abcdef", Created: time.Now()}})
	expect(`# HELP wavemill_operator_model_info 1; the name, version and digest of the model in use.
# TYPE wavemill_operator_model_info gauge
wavemill_operator_model_info{digest="0123456789ab",model="vae",version="12"} 1
`, "model_info")
	if n, err := testutil.GatherAndCount(registry, "wavemill_operator_model_age_seconds", "wavemill_operator_generate_request_duration_seconds"); err != nil || n != 2 {
		t.Errorf("%d, %v", n, err)
	}
	problems, err := testutil.GatherAndLint(registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}
