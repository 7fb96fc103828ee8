package architectures_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"wavemill/models"
	"wavemill/models/architecture"
	"wavemill/models/architectures"
	"wavemill/models/modeltest"
	"wavemill/models/monitor"
)

// withToy is a table in which an architecture stands that no other code of the program knows.
func withToy() architectures.Table { return append(architectures.Known(), modeltest.Toy()) }

func TestToyAcceptance(t *testing.T) {
	fe := frontEnd()
	labels := []string{"low", "high"}
	modeltest.Run(t, modeltest.Architecture{
		New: func(seed uint64) (models.Learner, error) {
			return withToy().NewLearner(modeltest.ToyArch, nil, fe, labels, seed)
		},
		Open: withToy().Open, Batch: modeltest.Clips(12, 32, 16, len(labels), 1), Labels: labels, Loss: "mse", To: 0.2, Steps: 50,
	})
}

// TestToy takes an architecture that is only in the table through everything that a training and its checkpoint go
// through.
func TestToy(t *testing.T) {
	table, fe, labels := withToy(), frontEnd(), []string{"low", "high"}
	if err := table.Validate(); err != nil {
		t.Fatal(err)
	}
	data, held := modeltest.Clips(64, 32, 16, len(labels), 1), modeltest.Clips(24, 32, 16, len(labels), 2)
	size, err := table.SearchSize(t.Context(), modeltest.ToyArch, nil, fe, labels, data, time.Minute)
	if err != nil || len(size.Timings) == 0 || size.Channels < 8 {
		t.Fatalf("size %+v, error %v", size, err)
	}
	watch, err := monitor.New(data, held, labels, fe, monitor.Options{Seed: 1, Clips: 32, Open: table.Open})
	if err != nil {
		t.Fatal(err)
	}
	train := func(l models.Learner, steps int64, from *models.Checkpoint) models.Checkpoint {
		t.Helper()
		c, err := (&models.Trainer{Steps: steps, BatchSize: 8, Seed: 5, Resume: from, Evaluate: watch.Evaluate}).Run(t.Context(), l, data, held)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	learner := func() models.Learner {
		t.Helper()
		l, err := table.NewLearner(modeltest.ToyArch, size.Config, fe, labels, 5)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	whole := train(learner(), 20, nil)
	first := train(learner(), 10, nil)
	if _, err := table.Resume(first); err != nil {
		t.Fatal(err)
	}
	resumed := train(learner(), 20, &first)
	if !reflect.DeepEqual(resumed.Tensors, whole.Tensors) || resumed.Step != 20 {
		t.Errorf("10 steps and 10 more differ from 20 (step %d)", resumed.Step)
	}
	if d, ok := whole.Metrics[monitor.Distance]; !ok || !(d >= 0) {
		t.Errorf("the monitor's metrics are %v", whole.Metrics)
	}
	checkToyCheckpoint(t, table, whole)
}

func checkToyCheckpoint(t *testing.T, table architectures.Table, c models.Checkpoint) {
	t.Helper()
	g, err := table.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	b, err := g.Generate(t.Context(), models.Series([]int{0, 1}, 3, 0))
	if err != nil || b.Validate(2) != nil || slices.Equal(b.Clip(0), b.Clip(1)) {
		t.Errorf("%d clips, error %v", b.B, err)
	}
	if _, err := table.Networks(c); !errors.Is(err, architecture.ErrNoNetworks) || !strings.Contains(err.Error(), "toy") {
		t.Errorf("networks: %v", err)
	}
	if _, err := table.SamplingOf(c); !errors.Is(err, architecture.ErrNoSampling) {
		t.Errorf("sampling: %v", err)
	}
	if _, err := table.OpenDiscriminator(c); !errors.Is(err, models.ErrNoDiscriminator) {
		t.Errorf("discriminator: %v", err)
	}
	if _, err := table.WithLatent(c.Arch, nil, 4); !errors.Is(err, architecture.ErrNoEncoder) {
		t.Errorf("latents: %v", err)
	}
	if config, changed, err := table.ForFew(c.Arch, nil, 1, 2); config != nil || changed || err != nil {
		t.Errorf("few recordings: %s, %v, error %v", config, changed, err)
	}
	if _, err := architectures.Open(c); err == nil || !strings.Contains(err.Error(), "unknown") {
		t.Errorf("the toy is opened without being in the table: %v", err)
	}
}

// TestMissingFields takes each field away in turn: an architecture without it is refused, by its table too.
func TestMissingFields(t *testing.T) {
	typ := reflect.TypeFor[architecture.Architecture]()
	for i := range typ.NumField() {
		a := modeltest.Toy()
		reflect.ValueOf(&a).Elem().Field(i).SetZero()
		name := typ.Field(i).Name
		if err := a.Validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: error %v", name, err)
		}
		if _, err := (architectures.Table{a}).Find(a.Name); err == nil {
			t.Errorf("without %s: the table finds it", name)
		}
	}
	sizing := reflect.TypeFor[architecture.Sizing]()
	for i := range sizing.NumField() {
		a := modeltest.Toy()
		reflect.ValueOf(&a.Sizing).Elem().Field(i).SetZero()
		if err := a.Validate(); (err == nil) != (sizing.Field(i).Name == "Follows") {
			t.Errorf("without Sizing.%s: error %v", sizing.Field(i).Name, err)
		}
		if _, err := (architectures.Table{a}).WithWidth(a.Name, nil, 8); (err == nil) != (sizing.Field(i).Name == "Follows") {
			t.Errorf("without Sizing.%s: a width is set, error %v", sizing.Field(i).Name, err)
		}
	}
	a := modeltest.Toy()
	a.Sizing.Width = []string{"width"}
	if err := a.Validate(); err == nil || !strings.Contains(err.Error(), `no width "width"`) {
		t.Errorf("a width that the defaults do not have: error %v", err)
	}
	if err := (architectures.Table{modeltest.Toy(), modeltest.Toy()}).Validate(); err == nil {
		t.Error("two architectures of one name: no error")
	}
}

func TestKnown(t *testing.T) {
	if err := architectures.Known().Validate(); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]string{"vae": "conditional VAE", "gan": "conditional GAN", "vaegan": "VAE-GAN", "flow": "latent flow", "other": "other"} {
		if got := architectures.Title(name); got != want {
			t.Errorf("title of %s: %q", name, got)
		}
	}
	if got := architectures.WithEncoder(); !slices.Equal(got, []string{"vae", "vaegan"}) {
		t.Errorf("with an encoder: %v", got)
	}
}
