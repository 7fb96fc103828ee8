package benchmark

import (
	"context"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wavemill/audio"
	"wavemill/audio/wav"
)

// recordings writes a few clips.
func recordings(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for i, name := range []string{"b.wav", "a.WAV", "c.wav"} {
		x := make([]float32, 3000+1000*i)
		for j := range x {
			x[j] = float32(0.3 * math.Sin(float64(j)*0.1*float64(i+1)))
		}
		if err := wav.WriteFile(filepath.Join(dir, name), audio.Clip{Samples: x, Channels: 1, Rate: 8000}, wav.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestRunTimesEverything(t *testing.T) {
	dir := recordings(t)
	var got []string
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := Run(ctx, Options{Data: dir, Threads: 2, Time: time.Nanosecond}, func(l Line) error {
		got = append(got, l.Name)
		if !(l.MS > 0) || l.Kernel == "" {
			t.Errorf("%+v", l)
		}
		if strings.HasPrefix(l.Name, "phase") && !(l.DB < -15) {
			t.Errorf("%s: %g dB", l.Name, l.DB)
		}
		if single := strings.HasPrefix(l.Name, "rfft"); single != (l.Threads == 1) {
			t.Errorf("%s on %d threads", l.Name, l.Threads)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := Names(); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("timed %v, want %v", got, want)
	}
}

func TestRunRefuses(t *testing.T) {
	emit := func(Line) error { return nil }
	stopped, stop := context.WithCancel(t.Context())
	stop()
	dir := recordings(t)
	for name, c := range map[string]struct {
		ctx  context.Context
		o    Options
		want string
	}{
		"unknown name": {t.Context(), Options{Data: dir, Threads: 1, Time: 1, Only: []string{"fft"}}, "fft"},
		"no data":      {t.Context(), Options{Threads: 1, Time: 1}, "data is missing"},
		"no time":      {t.Context(), Options{Data: dir, Threads: 1}, "seconds 0"},
		"no threads":   {t.Context(), Options{Data: dir, Time: 1}, "threads"},
		"no folder":    {t.Context(), Options{Data: dir + "/none", Threads: 1, Time: 1}, "none"},
		"no files":     {t.Context(), Options{Data: t.TempDir(), Threads: 1, Time: 1}, "no WAV files"},
		"stopped":      {stopped, Options{Data: dir, Threads: 1, Time: 1}, "cancel"},
	} {
		if err := Run(c.ctx, c.o, emit); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestLineText(t *testing.T) {
	for want, l := range map[string]Line{
		"x                      2 thread(s)          1.5 ms  an hour":  {Name: "x", Threads: 2, MS: 1.5, Unit: "an hour"},
		"x                      1 thread(s)      0.12346 ms  3 files":  {Name: "x", Threads: 1, MS: 0.123456, Files: 3, Clips: 2},
		"x                      1 thread(s)        12346 ms  20 clips": {Name: "x", Threads: 1, MS: 12345.6, Clips: 20},
	} {
		if got := l.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
