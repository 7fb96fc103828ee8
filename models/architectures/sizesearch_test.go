package architectures_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"wavemill/models/architectures"
	"wavemill/models/modeltest"
)

// machine plays a machine on which a step of 16 channels by 64 takes so long, and answers a question as Fit does.
func ask(q architectures.SizeSearch, step time.Duration) (architectures.Size, []architectures.Timing) {
	var timings []architectures.Timing
	for {
		next, more := q.Next(timings)
		if !more {
			return q.Choose(timings), timings
		}
		w := float64(next.Channels) / 16
		took := time.Duration(float64(step) * (0.3*w + 0.7*w*w) * float64(next.Batch) / 64)
		timings = append(timings, architectures.Timing{Size: next, Step: took})
	}
}

func TestChoose(t *testing.T) {
	const ms = time.Millisecond
	widths := []int{8, 12, 16, 24, 32}
	for name, c := range map[string]struct {
		budget, step time.Duration
		clips        int
		want         architectures.Size
		measured     []int
	}{
		"two minutes, digits":        {2 * time.Minute, 20 * ms, 2400, architectures.Size{Channels: 16, Batch: 32}, []int{16}},
		"ten minutes, digits":        {10 * time.Minute, 20 * ms, 2400, architectures.Size{Channels: 16, Batch: 32}, []int{16}},
		"ten minutes, busy machine":  {10 * time.Minute, 45 * ms, 2400, architectures.Size{Channels: 16, Batch: 32}, []int{16}},
		"an hour":                    {time.Hour, 20 * ms, 2400, architectures.Size{Channels: 32, Batch: 32}, []int{16, 24, 32}},
		"twenty-five minutes":        {25 * time.Minute, 20 * ms, 2400, architectures.Size{Channels: 24, Batch: 32}, []int{16, 24}},
		"a day: there is a cap":      {24 * time.Hour, 20 * ms, 2400, architectures.Size{Channels: 32, Batch: 32}, []int{16, 24, 32}},
		"two minutes, large":         {2 * time.Minute, 150 * ms, 2400, architectures.Size{Channels: 16, Batch: 32}, []int{16}},
		"two minutes, larger":        {2 * time.Minute, 300 * ms, 2400, architectures.Size{Channels: 16, Batch: 16}, []int{16, 16}},
		"a slow machine":             {2 * time.Minute, 600 * ms, 2400, architectures.Size{Channels: 12, Batch: 16}, []int{16, 16, 12}},
		"hopeless":                   {10 * time.Second, 10 * time.Second, 2400, architectures.Size{Channels: 8, Batch: 16}, []int{16, 16, 12, 8}},
		"few clips":                  {2 * time.Minute, 20 * ms, 21, architectures.Size{Channels: 16, Batch: 16}, []int{16}},
		"one clip":                   {2 * time.Minute, 20 * ms, 1, architectures.Size{Channels: 16, Batch: 8}, []int{16}},
		"a clock that does not move": {time.Minute, 4, 2400, architectures.Size{Channels: 32, Batch: 32}, []int{16, 24, 32}},
	} {
		q := architectures.SizeSearch{Budget: c.budget, Clips: c.clips, Default: 16, Least: 1000, Widths: widths}
		got, timings := ask(q, c.step)
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
		var measured []int
		for _, m := range timings {
			measured = append(measured, m.Channels)
		}
		if !slices.Equal(measured, c.measured) {
			t.Errorf("%s: measured %v, want %v", name, measured, c.measured)
		}
	}
	q := architectures.SizeSearch{Budget: time.Minute, Clips: 100, Default: 16, Least: 1000, Widths: widths}
	if got := q.Choose(nil); got != (architectures.Size{Channels: 16, Batch: 32}) {
		t.Errorf("without timings: %+v", got)
	}
}

// More time, or a quicker machine, never makes a network narrower or its batches smaller.
func TestChooseIsMonotonic(t *testing.T) {
	q := architectures.SizeSearch{Clips: 1000, Default: 16, Least: 1000, Widths: []int{8, 12, 16, 24, 32}}
	for _, step := range []time.Duration{3 * time.Millisecond, 30 * time.Millisecond, 400 * time.Millisecond} {
		last := architectures.Size{}
		for q.Budget = time.Second; q.Budget < 100*time.Hour; q.Budget += q.Budget / 7 {
			got, _ := ask(q, step)
			if got.Channels < last.Channels || got.Batch < last.Batch {
				t.Errorf("%v a step: %+v in %v, %+v in less", step, got, q.Budget, last)
			}
			last = got
		}
		if last.Channels != 32 {
			t.Errorf("%v a step: %+v in a hundred hours", step, last)
		}
	}
}

func TestWidth(t *testing.T) {
	for name, c := range map[string]struct {
		arch, config string
		channels     int
		want         string
	}{
		"vae":             {"vae", ``, 24, `{"channels":24}`},
		"vae, others":     {"vae", `{"latent":8,"learning_rate":1e-3}`, 8, `{"channels":8,"latent":8,"learning_rate":1e-3}`},
		"gan":             {"gan", `{"channels":4}`, 12, `{"channels":12}`},
		"vaegan":          {"vaegan", ``, 32, `{"discriminator_channels":48,"vae":{"channels":32}}`},
		"vaegan, its own": {"vaegan", `{"discriminator_channels":8,"vae":{"latent":9}}`, 32, `{"discriminator_channels":8,"vae":{"channels":32,"latent":9}}`},
		"flow":            {"flow", ``, 24, `{"channels":24,"flow_channels":96}`},
		"vaegan, default": {"vaegan", ``, 16, `{"vae":{"channels":16}}`},
	} {
		config, err := architectures.WithWidth(c.arch, json.RawMessage(c.config), c.channels)
		if err != nil || string(config) != c.want {
			t.Errorf("%s: %s, error %v; want %s", name, config, err, c.want)
			continue
		}
		channels, set, err := architectures.Width(c.arch, config)
		if err != nil || !set || channels != c.channels {
			t.Errorf("%s: width %d, set %v, error %v", name, channels, set, err)
		}
		if _, err := architectures.NewLearner(c.arch, config, frontEnd(), []string{"a", "b"}, 1); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range architectures.Names() {
		if channels, set, err := architectures.Width(name, nil); channels < 8 || set || err != nil {
			t.Errorf("%s: default width %d, set %v, error %v", name, channels, set, err)
		}
	}
	if _, err := architectures.WithWidth("parrot", nil, 8); err == nil {
		t.Error("an unknown architecture: no error")
	}
	for _, config := range []string{`{`, `[]`, `{"channels":"wide"}`} {
		if _, _, err := architectures.Width("vae", json.RawMessage(config)); err == nil {
			t.Errorf("%s: no error", config)
		}
	}
}

func TestFit(t *testing.T) {
	labels := []string{"low", "high"}
	data := modeltest.Clips(40, 32, 16, len(labels), 1)
	for _, name := range architectures.Names() {
		f, err := architectures.SearchSize(t.Context(), name, nil, frontEnd(), labels, data, 2*time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if len(f.Timings) == 0 || f.Timings[0].Step <= 0 || f.Steps < 1 || f.Timings[0].Batch != 32 || (f.Batch != 32 && f.Batch != 16) {
			t.Errorf("%s: %+v", name, f)
		}
		if f.Took > 20*time.Second {
			t.Errorf("%s: took %v", name, f.Took)
		}
		if channels, _, err := architectures.Width(name, f.Config); err != nil || channels != f.Channels {
			t.Errorf("%s: the configuration %s says %d channels, the choice %d; error %v", name, f.Config, channels, f.Channels, err)
		}
	}
	// A width that was asked for stays, and so does the rest of the configuration.
	config := json.RawMessage(`{"channels": 4, "latent": 3}`)
	f, err := architectures.SearchSize(t.Context(), "vae", config, frontEnd(), labels, data, 100*time.Hour)
	if err != nil || f.Channels != 4 || string(f.Config) != string(config) {
		t.Errorf("4 channels asked for: %+v, error %v", f, err)
	}
	// Where there is no time, nothing is measured.
	f, err = architectures.SearchSize(t.Context(), "vae", nil, frontEnd(), labels, data, time.Nanosecond)
	if err != nil || len(f.Timings) > 0 || f.Config != nil {
		t.Errorf("no time: %+v, error %v", f, err)
	}
	empty := data
	empty.B = 0
	if _, err := architectures.SearchSize(t.Context(), "vae", nil, frontEnd(), labels, empty, time.Minute); err == nil {
		t.Error("no clips: no error")
	}
}
