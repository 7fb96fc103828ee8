package train

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"wavemill/models"
)

// meters are the operator's figures for Prometheus, beside those of its [Details]. The operator's mu guards them.
type meters struct {
	running bool // A training goes on.
	step    int64
	steps   int64
	pace    time.Duration // Mean time of a step.
	losses  models.Losses
	saved   time.Time // When the last checkpoint was made.
}

// progress takes an event of the training. The losses are a map of the trainer's, which it does not change.
func (m *meters) progress(p models.Progress) {
	m.running = p.Event != models.EventDone
	m.step, m.steps, m.pace = p.Step, p.Steps, p.StepTime
	if len(p.Train) > 0 {
		m.losses = p.Train
	}
	if p.Event == models.EventSave || p.Event == models.EventDone {
		m.saved = time.Now()
	}
}

// Describe implements [prometheus.Collector]; what it does not name is not checked before it is collected.
func (o *operator) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (o *operator) Collect(ch chan<- prometheus.Metric) {
	details, _ := o.Details().(Details)
	o.mu.Lock()
	m := o.meters
	o.mu.Unlock()
	gauge := func(name, help string, value float64) {
		ch <- prometheus.MustNewConstMetric(prometheus.NewDesc("wavemill_operator_"+name, help, nil, nil), prometheus.GaugeValue, value)
	}
	flag := map[bool]float64{true: 1}
	gauge("lease_held", "1 in the process that trains the model, 0 in those that stand by, or have not renewed their lease in time.", flag[details.Role == RoleActive])
	gauge("train_clips", "Clips to learn from.", float64(details.Clips))
	gauge("train_new_clips", "Clips that no training has been given.", float64(details.New))
	gauge("train_labels_set_aside", "Labels with too few clips to learn from.", float64(len(details.Aside)))
	gauge("train_running", "1 while a training goes on, else 0.", flag[m.running])
	gauge("train_step", "The step of the current or the last training.", float64(m.step))
	gauge("train_planned_steps", "The steps that it will make; 0 while that is not known.", float64(m.steps))
	gauge("train_step_seconds", "Mean time of a step.", m.pace.Seconds())
	loss := prometheus.NewDesc("wavemill_operator_train_loss", "Losses of the training clips, smoothed over some fifty steps; player is the loss or the network that it belongs to.", []string{"player"}, nil)
	for player, value := range m.losses {
		ch <- prometheus.MustNewConstMetric(loss, prometheus.GaugeValue, value, player)
	}
	if !m.saved.IsZero() {
		gauge("checkpoint_age_seconds", "Time since this process made the last checkpoint; absent before the first.", time.Since(m.saved).Seconds())
	}
}
