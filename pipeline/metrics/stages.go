package metrics

import (
	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"wavemill/pipeline"
)

// A sender sends one value of a metric, with the pairs of names and values of its labels after pipeline.
type sender func(kind prometheus.ValueType, name, help string, value float64, labels ...string)

// sender returns the sender to ch.
func (s *Set) sender(ch chan<- prometheus.Metric) sender {
	return func(kind prometheus.ValueType, name, help string, value float64, labels ...string) {
		names, values := []string{"pipeline"}, []string{s.pipeline}
		for i := 0; i+1 < len(labels); i += 2 {
			names, values = append(names, labels[i]), append(values, labels[i+1])
		}
		ch <- prometheus.MustNewConstMetric(prometheus.NewDesc(Namespace+"_"+name, help, names, nil), kind, value, values...)
	}
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// stages collects what the runtime knows about every operator.
type stages struct{ *Set }

// Describe implements [prometheus.Collector]; what it does not name is not checked before it is collected.
func (stages) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (s stages) Collect(ch chan<- prometheus.Metric) {
	running := s.running.Load()
	if running == nil {
		return
	}
	send, all := s.sender(ch), running.Snapshot()
	for _, status := range all {
		counters(send, status)
		gauges(send, status)
		for _, reason := range pipeline.Reasons() {
			send(prometheus.CounterValue, "dlq_messages_total", "Dead letters by reason.", float64(status.DeadByReason[reason]), "operator", status.Operator, "reason", reason)
		}
	}
	conn := running.Bus().Conn()
	send(prometheus.GaugeValue, "nats_connected", "1 while this process is connected to the NATS server, else 0.", flag(conn.Status() == nats.CONNECTED))
	send(prometheus.CounterValue, "nats_reconnects_total", "Connections of this process that replaced a lost one.", float64(conn.Stats().Reconnects))
	s.place.collect(running.Bus(), all, send)
}

// counters sends the counters of one operator.
func counters(send sender, s pipeline.Status) {
	for _, c := range []struct {
		name, help string
		value      uint64
	}{
		{"messages_received_total", "Deliveries, repeated ones too.", s.Received},
		{"messages_processed_total", "Messages whose outputs are all stored.", s.Processed},
		{"messages_acked_total", "Acknowledgements that the server has confirmed.", s.Acked},
		{"messages_nacked_total", "Deliveries that were given back for another attempt.", s.Nacked},
		{"messages_termed_total", "Messages that were ended as dead letters.", s.Termed},
		{"messages_redelivered_total", "Deliveries that were not the first of their message.", s.Redelivered},
		{"messages_emitted_total", "Outputs.", s.Emitted},
		{"messages_duplicate_total", "Outputs that an earlier attempt had stored.", s.Duplicates},
		{"bytes_total", "Bytes of the bodies received.", s.ReceivedBytes},
		{"emitted_bytes_total", "Bytes of the bodies emitted.", s.EmittedBytes},
		{"publish_waits_total", "Publications on the operator's output that waited longer than five seconds for their confirmation, by all of this process.", s.Waits},
		{"dlq_failures_total", "Failures to store a dead letter; the message is then tried again.", s.DeadFailed},
		{"restarts_total", "Starts of the operator after a failure.", s.Restarts},
	} {
		send(prometheus.CounterValue, c.name, c.help, float64(c.value), "operator", s.Operator, "stream", s.Stream, "consumer", s.Consumer)
	}
}

// gauges sends the gauges of one operator. Of a consumer that is not there it sends no backlog.
func gauges(send sender, s pipeline.Status) {
	gauge := func(name, help string, value float64) {
		send(prometheus.GaugeValue, name, help, value, "operator", s.Operator, "stream", s.Stream, "consumer", s.Consumer)
	}
	gauge("inflight", "Messages fetched and not yet settled.", float64(s.InFlight))
	gauge("ready", "1 while the operator can do its work, else 0.", flag(s.Ready))
	gauge("mixed", "1 while another replica works with another configuration, else 0.", flag(s.Mixed))
	if s.Consumer == "" {
		return
	}
	gauge("consumer_available", "1 while the consumer can be read from; 0 before its first use, where it was deleted and while the server is away: there is no backlog to tell then.", flag(s.BacklogKnown))
	if s.BacklogKnown {
		gauge("consumer_pending", "Messages of the stream that the consumer has not delivered yet.", float64(s.Waiting))
		gauge("consumer_ack_pending", "Messages that the consumer has delivered to any replica and that are not settled.", float64(s.Unacked))
	}
}
