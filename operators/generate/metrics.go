package generate

import (
	"maps"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"wavemill/pipeline/modelstore"
)

// meters are the operator's figures for Prometheus, beside those of its [Details].
type meters struct {
	durations prometheus.Histogram
	model     modelstore.Entry // The versions that were seen last; guarded by the operator's mu. Zero where the model came from a file.
}

func newMeters() meters {
	return meters{durations: prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "wavemill_operator_generate_request_duration_seconds", Help: "Time from the arrival of a request to its answer, failed ones too.",
		Buckets: prometheus.ExponentialBuckets(0.002, 2, 16), // 2 ms to 1 minute.
	})}
}

// Describe implements [prometheus.Collector]; what it does not name is not checked before it is collected.
func (o *operator) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (o *operator) Collect(ch chan<- prometheus.Metric) {
	o.mu.Lock()
	counts, entry := o.counts, o.meters.model
	failed := map[string]uint64{"400": 0, "404": 0, "500": 0, "503": 0} // The codes of errorMessage, from the start.
	maps.Copy(failed, o.counts.Failed)
	o.mu.Unlock()
	send := func(kind prometheus.ValueType, name, help string, value float64) {
		ch <- prometheus.MustNewConstMetric(prometheus.NewDesc("wavemill_operator_"+name, help, nil, nil), kind, value)
	}
	send(prometheus.CounterValue, "generate_requests_total", "Requests that were answered, failed ones too.", float64(counts.Requests))
	send(prometheus.CounterValue, "generate_clips_total", "Clips that were generated.", float64(counts.Clips))
	failures := prometheus.NewDesc("wavemill_operator_generate_failures_total", "Requests that were answered with an error, by its code.", []string{"code"}, nil)
	for code, n := range failed {
		ch <- prometheus.MustNewConstMetric(failures, prometheus.CounterValue, float64(n), code)
	}
	o.meters.durations.Collect(ch)
	m := o.sampler.Load()
	const loaded = "1 while a model is in use, else 0."
	if m == nil {
		send(prometheus.GaugeValue, "model_loaded", loaded, 0)
		return
	}
	send(prometheus.GaugeValue, "model_loaded", loaded, 1)
	version := "file"
	for _, v := range entry.Versions() { // One on trial is current, and not in use.
		if v.Digest == m.Digest {
			version = strconv.FormatUint(v.Version, 10)
			send(prometheus.GaugeValue, "model_age_seconds", "Time since the version of the model in use was stored.", time.Since(v.Created).Seconds())
		}
	}
	info := prometheus.NewDesc("wavemill_operator_model_info", "1; the name, version and digest of the model in use.", []string{"model", "version", "digest"}, nil)
	ch <- prometheus.MustNewConstMetric(info, prometheus.GaugeValue, 1, o.config.Model, version, m.Digest[:min(12, len(m.Digest))])
}

// follows records the versions of the model.
func (o *operator) follows(e modelstore.Entry) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.meters.model = e
}
