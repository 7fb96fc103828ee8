package topup_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"wavemill/audio/codec"
	"wavemill/audio/dataset"
	"wavemill/audio/fingerprint"
	"wavemill/internal/oracle"
	"wavemill/models/eval"
	"wavemill/models/training"
	"wavemill/operators/topup"
)

// digits are the first 0.3 s of recordings of spoken digits beside the repository, as the model learns from them and as the bus
// carries them: of each digit and speaker those with the numbers from <= n < to.
func digits(t *testing.T, labels, speakers []string, from, to int) []dataset.Recording {
	t.Helper()
	dir := "../../../shared/data/fsdd"
	if _, err := os.Stat(dir); err != nil {
		oracle.Missing(t, "the recordings are not beside the repository: %v", err)
	}
	var out []dataset.Recording
	for _, label := range labels {
		for _, speaker := range speakers {
			for n := from; n < to; n++ {
				name := fmt.Sprintf("%s_%s_%d.wav", label, speaker, n)
				clip, _, err := codec.DecodeFile(t.Context(), filepath.Join(dir, name))
				if err != nil {
					t.Fatal(err)
				}
				clip.Label, clip.Samples = label, clip.Samples[:min(2400, len(clip.Samples))]
				out = append(out, dataset.Recording{
					Item: dataset.Item{Path: name, Name: name, Label: label}, Clip: clip, Digest: fingerprint.Digest(clip), Print: fingerprint.Of(clip),
				})
			}
		}
	}
	return out
}

// realMill is a mill whose rounds are real, with proofs of few steps and so many seeds.
func realMill(t *testing.T, seeds int) *mill {
	t.Helper()
	m := newMill(t, fmt.Sprintf("{to: 60, idle: 100ms, again: 2, lease: 500ms, seed: 1, proof_steps: 40, proof_seeds: %d, proof_augmentation: [light]}", seeds))
	m.real = true
	return m
}

// TestProofsAreActedOn has real proofs, of a model of spoken digits and recordings of the same digits: one with a clear gain, one
// with too small a gain, and one with clips of wrong labels.
func TestProofsAreActedOn(t *testing.T) {
	if testing.Short() {
		t.Skip("trains a model and some forty classifiers")
	}
	labels, speakers := []string{"2", "3", "8"}, []string{"jackson", "lucas", "nicolas", "theo", "yweweler"}
	learnt := digits(t, labels, append([]string{"george"}, speakers...), 10, 25)
	set, err := training.Prepare(t.Context(), learnt, training.Options{Holdout: dataset.Holdout{Seed: 1}})
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := unmonitored(training.Job{Arch: "vae", Config: []byte(`{"channels":8,"latent":32}`), Seed: 1, Steps: 200}).Run(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	// What the model has not seen of five speakers: a classifier of ten of each digit knows nearly what the clips can teach.
	unseen := digits(t, labels, speakers, 30, 34)

	t.Run("use them", func(t *testing.T) {
		m := realMill(t, 3)
		// The recordings that a classifier can learn from are of one speaker; the model has heard six.
		m.record(digits(t, labels, []string{"george"}, 10, 25))
		m.record(digits(t, labels, speakers, 30, 33))
		m.put(c)
		proving := m.notices()
		stop := m.start()
		if d := proving(func(d topup.Details) bool { return d.Progress != nil && d.Progress.Phase == "prove" }); d.State != topup.StateWorking || d.Recordings != 90 {
			t.Errorf("while it proves: %+v", d)
		}
		if s := m.pipeline.Snapshot()[0]; !s.Ready {
			t.Errorf("it is not ready while it proves: %s", s.Reason)
		}
		// A restart in the middle of the proof: nothing was published, and the round is done again.
		stop()
		if got := m.clips(); len(got) != 0 {
			t.Errorf("clips before the verdict: %v", got)
		}
		stop = m.start()
		if o := m.next(); o.State != topup.StateFull || o.Verdict != eval.UseThem || !(o.Interval[0] > 0) || o.Made != 90 {
			t.Errorf("%+v", o)
		}
		stop()
		if got := m.clips(); got["2"] != 30 || got["3"] != 30 || got["8"] != 30 {
			t.Errorf("clips %v", got)
		}
		// The outcome is kept: another start does not repeat the round.
		defer m.start()()
		if d := m.status(topup.StateFull); d.Published != 0 || d.Progress != nil || d.Verdict != eval.UseThem {
			t.Errorf("after a restart: %+v", d)
		}
	})
	t.Run("no difference shown", func(t *testing.T) {
		m := realMill(t, 2)
		m.record(unseen)
		m.put(c)
		defer m.start()()
		if o := m.next(); o.State != topup.StateStopped || o.Verdict != eval.NoDifference || !strings.Contains(o.Reason, "with 120 clips, accuracy on 30 other recordings changes by") {
			t.Errorf("%+v", o)
		}
		if got := m.clips(); len(got) != 0 {
			t.Errorf("clips %v", got)
		}
	})
	t.Run("do not use them", func(t *testing.T) {
		m := realMill(t, 4)
		m.record(unseen)
		wrong := c
		wrong.Labels = []string{"3", "8", "2"} // in place of 2, 3 and 8
		m.put(wrong)
		defer m.start()()
		if o := m.next(); o.State != topup.StateStopped || o.Verdict != eval.DoNotUse || !(o.Interval[1] < 0) {
			t.Errorf("%+v", o)
		}
		if got := m.clips(); len(got) != 0 {
			t.Errorf("clips %v", got)
		}
	})
}

// A proof that does not fit into its budget ends the round, and the operator says what to change.
func TestProofWithoutTime(t *testing.T) {
	m := newMill(t, "{to: 8, idle: 100ms, again: 2, lease: 500ms, proof_budget: 1ns}")
	m.real = true
	m.record(digits(t, []string{"2", "3"}, []string{"theo"}, 10, 16))
	c, err := tiny()
	if err != nil {
		t.Fatal(err)
	}
	c.Labels = []string{"2", "3"}
	m.put(c)
	defer m.start()()
	if o := m.next(); o.State != topup.StateStopped || o.Verdict != "" || !strings.Contains(o.Reason, "budget") || !strings.Contains(o.Reason, "proof_budget") {
		t.Errorf("%+v", o)
	}
	if s := m.pipeline.Snapshot()[0]; !s.Ready || s.Restarts != 0 {
		t.Errorf("ready %v (%s), %d restarts", s.Ready, s.Reason, s.Restarts)
	}
	registry := prometheus.NewRegistry()
	for _, operator := range m.pipeline.Operators() {
		registry.MustRegister(operator.(prometheus.Collector))
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, x := range f.Metric {
			words := []string{f.GetName()}
			for _, l := range x.Label {
				words = append(words, l.GetValue())
			}
			got[strings.Join(words, " ")] = x.GetGauge().GetValue()
		}
	}
	for name, want := range map[string]float64{
		"wavemill_operator_topup_state stopped": 1, "wavemill_operator_topup_state working": 0,
		"wavemill_operator_topup_recordings": 12,
	} {
		if value, ok := got[name]; !ok || value != want {
			t.Errorf("%s is %g, want %g; there are %v", name, value, want, got)
		}
	}
}

// A model that cannot be read is the end of a round, not of the operator.
func TestModelThatCannotBeRead(t *testing.T) {
	m := newMill(t, config)
	m.publish("bell", 0, 2)
	m.publish("kick", 0, 2)
	if _, err := m.bus.Models().Put(t.Context(), "vae", strings.Repeat("0", 64), []byte("no model"), nil, m.entry); err != nil {
		t.Fatal(err)
	}
	defer m.start()()
	if o := m.next(); o.State != topup.StateStopped || !strings.Contains(o.Reason, "the model cannot be read") {
		t.Errorf("%+v", o)
	}
	if s := m.pipeline.Snapshot()[0]; !s.Ready || s.Restarts != 0 {
		t.Errorf("ready %v (%s), %d restarts", s.Ready, s.Reason, s.Restarts)
	}
}
