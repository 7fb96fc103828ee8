package train

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"wavemill/models"
	"wavemill/pipeline"
)

// The figures of a training follow its events, and those that are not known yet are absent.
func TestMetrics(t *testing.T) {
	o, err := newOperator(Defaults(), pipeline.Env{Log: slog.New(slog.DiscardHandler)}, Hooks{})
	if err != nil {
		t.Fatal(err)
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
	expect("", "train_loss", "checkpoint_age_seconds")
	o.progress(models.Progress{Event: models.EventStep, Step: 7, Steps: 90, StepTime: 250 * time.Millisecond, Train: models.Losses{"generator": 2, "discriminator": 0.5}})
	expect(`# HELP wavemill_operator_train_loss Losses of the training clips, smoothed over some fifty steps; player is the loss or the network that it belongs to.
# TYPE wavemill_operator_train_loss gauge
wavemill_operator_train_loss{player="discriminator"} 0.5
wavemill_operator_train_loss{player="generator"} 2
# HELP wavemill_operator_train_running 1 while a training goes on, else 0.
# TYPE wavemill_operator_train_running gauge
wavemill_operator_train_running 1
# HELP wavemill_operator_train_step The step of the current or the last training.
# TYPE wavemill_operator_train_step gauge
wavemill_operator_train_step 7
# HELP wavemill_operator_train_step_seconds Mean time of a step.
# TYPE wavemill_operator_train_step_seconds gauge
wavemill_operator_train_step_seconds 0.25
# HELP wavemill_operator_lease_held 1 in the process that trains the model, 0 in those that stand by, or have not renewed their lease in time.
# TYPE wavemill_operator_lease_held gauge
wavemill_operator_lease_held 0
`, "train_loss", "train_running", "train_step", "train_step_seconds", "lease_held")
	o.progress(models.Progress{Event: models.EventDone, Step: 90, Steps: 90})
	expect(`# HELP wavemill_operator_train_running 1 while a training goes on, else 0.
# TYPE wavemill_operator_train_running gauge
wavemill_operator_train_running 0
`, "train_running")
	if n, err := testutil.GatherAndCount(registry, "wavemill_operator_checkpoint_age_seconds", "wavemill_operator_train_loss"); err != nil || n != 3 {
		t.Errorf("%d, %v", n, err)
	}
	problems, err := testutil.GatherAndLint(registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}
