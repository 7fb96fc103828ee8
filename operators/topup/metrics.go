package topup

import "github.com/prometheus/client_golang/prometheus"

// Describe implements [prometheus.Collector]; what it does not name is not checked before it is collected.
func (o *operator) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (o *operator) Collect(ch chan<- prometheus.Metric) {
	d, _ := o.Details().(Details)
	send := func(kind prometheus.ValueType, name, help string, value float64, labels ...string) {
		var names, values []string
		for i := 0; i+1 < len(labels); i += 2 {
			names, values = append(names, labels[i]), append(values, labels[i+1])
		}
		ch <- prometheus.MustNewConstMetric(prometheus.NewDesc("wavemill_operator_"+name, help, names, nil), kind, value, values...)
	}
	flag := map[bool]float64{true: 1}
	for _, state := range []string{StateStandby, StateWaiting, StateWorking, StateFull, StateStopped} {
		send(prometheus.GaugeValue, "topup_state", "1 for the state that the operator is in, else 0.", flag[d.State == state], "state", state)
	}
	send(prometheus.GaugeValue, "topup_recordings", "Recordings that are known.", float64(d.Recordings))
	if p := d.Progress; p != nil {
		phase := []string{"phase", p.Phase}
		send(prometheus.GaugeValue, "topup_phase_done", "What is done of the phase of the round, in its unit.", float64(p.Done), phase...)
		send(prometheus.GaugeValue, "topup_phase_total", "What there is to do; 0 while it is not known.", float64(p.Total), phase...)
		send(prometheus.GaugeValue, "topup_phase_seconds", "Time that the phase has taken so far.", p.Seconds, phase...)
	}
	if d.Gain != nil && d.Interval != nil {
		send(prometheus.GaugeValue, "topup_gain_points", "Points of accuracy that the clips of the last proof add.", *d.Gain, "verdict", d.Verdict)
		send(prometheus.GaugeValue, "topup_gain_low_points", "The lower end of its 95 % interval.", d.Interval[0])
		send(prometheus.GaugeValue, "topup_gain_high_points", "The upper end.", d.Interval[1])
	}
	send(prometheus.CounterValue, "topup_published_total", "Clips that this process has published.", float64(d.Published))
}
