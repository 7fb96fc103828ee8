// Package metrics serves the figures of a running pipeline to Prometheus.
//
// All names begin with wavemill_operator_. The labels are pipeline, operator, stream and consumer, and, each of a small
// closed set, reason (of dead letters), code (of failed requests) and player (of losses). No label has the value of a
// message: neither subjects nor ids nor the labels of recordings. docs/watching.md lists the metrics.
//
// A [Set] has a registry of its own; nothing is registered globally. The runtime's counters are read when they are asked
// for. An operator with figures of its own is a [prometheus.Collector]; the set adds the labels pipeline and operator.
package metrics

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"wavemill/pipeline"
)

// Namespace is what all names begin with.
const Namespace = "wavemill_operator"

// A Set is the metrics of one process. It is safe for concurrent use. It is a [pipeline.Observer].
type Set struct {
	registry *prometheus.Registry
	pipeline string
	process  *prometheus.HistogramVec
	publish  *prometheus.HistogramVec
	running  atomic.Pointer[pipeline.Pipeline]
	place    storage
}

var _ pipeline.Observer = (*Set)(nil)

// New returns the metrics of a process that runs operators of the named pipeline.
func New(name string) *Set {
	constant := prometheus.Labels{"pipeline": name}
	s := &Set{
		registry: prometheus.NewRegistry(), pipeline: name,
		process: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: Namespace, Name: "process_duration_seconds", ConstLabels: constant,
			Help:    "Time of one attempt at a message, publications of its outputs included.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 13), // 1 ms to 1 minute.
		}, []string{"operator", "stream", "consumer"}),
		publish: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: Namespace, Name: "publish_duration_seconds", ConstLabels: constant,
			Help:    "Time from the first attempt at a publication to its confirmation by the stream.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2.5, 14), // 0.1 ms to 15 s.
		}, []string{"operator", "stream"}),
	}
	s.registry.MustRegister(
		s.process, s.publish, stages{s}, operators{s},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewBuildInfoCollector(),
	)
	return s
}

// Follow gives the set the pipeline to tell about. Until then there are no figures of operators.
func (s *Set) Follow(p *pipeline.Pipeline) { s.running.Store(p) }

// Processed implements [pipeline.Observer].
func (s *Set) Processed(operator, stream, consumer string, took time.Duration) {
	s.process.WithLabelValues(operator, stream, consumer).Observe(took.Seconds())
}

// Published implements [pipeline.Observer].
func (s *Set) Published(operator, stream string, took time.Duration) {
	s.publish.WithLabelValues(operator, stream).Observe(took.Seconds())
}

// Handler serves the set in the formats of Prometheus.
func (s *Set) Handler() http.Handler {
	return promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{})
}

// Gatherer returns the set's registry, for programs that serve it in another way.
func (s *Set) Gatherer() prometheus.Gatherer { return s.registry }

// operators collects the figures of operators that have some.
type operators struct{ *Set }

// Describe implements [prometheus.Collector]. It names none: which there are depends on the operators that run.
func (operators) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (o operators) Collect(ch chan<- prometheus.Metric) {
	running := o.running.Load()
	if running == nil {
		return
	}
	for name, operator := range running.Operators() {
		if c, ok := operator.(prometheus.Collector); ok {
			prometheus.WrapCollectorWith(prometheus.Labels{"pipeline": o.pipeline, "operator": name}, c).Collect(ch)
		}
	}
}
