package synthesize_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"wavemill/audio"
	"wavemill/audio/npy"
	"wavemill/audio/synth"
	"wavemill/audio/wav"
	"wavemill/models/frontend"
	"wavemill/operators/synthesize"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// message is the spectrogram of a synthetic sound, as the operator spectrogram publishes it, and the sound.
func message(t *testing.T) (*pipeline.Message, audio.Clip) {
	t.Helper()
	c, err := synth.Clip("pluck", 1, 8000)
	if err != nil {
		t.Fatal(err)
	}
	f, err := frontend.New(frontend.Plan([]int{8000}, []time.Duration{time.Second}))
	if err != nil {
		t.Fatal(err)
	}
	s, _, err := f.Analyze(c)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := json.Marshal(f.Config())
	if err != nil {
		t.Fatal(err)
	}
	transform, err := json.Marshal(f.Config().Spectrogram)
	if err != nil {
		t.Fatal(err)
	}
	return &pipeline.Message{
		ID: "1", Type: pipeline.TypeSpectrogram, Label: "pluck", Body: npy.Encode([]int{s.Frames, s.Bins}, s.Data),
		Header: map[string]string{header.Source: "a.wav", header.FrontEnd: string(whole), header.Spectrogram: string(transform), header.Model: "abc"},
	}, c
}

func build(t *testing.T, config string) pipeline.Operator {
	t.Helper()
	op, err := synthesize.Factory()([]byte(config), pipeline.Env{Operator: "synthesize", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return op
}

func process(t *testing.T, op pipeline.Operator, m *pipeline.Message) (out []*pipeline.Message, err error) {
	t.Helper()
	err = op.Process(t.Context(), m.Clone(), func(_ context.Context, m *pipeline.Message) error {
		out = append(out, m)
		return nil
	})
	return out, err
}

// The sound has the level and the length of what the spectrogram was made of, and the same bytes every time.
func TestSound(t *testing.T) {
	m, want := message(t)
	out, err := process(t, build(t, ""), m)
	if err != nil || len(out) != 1 {
		t.Fatalf("%d outputs: %v", len(out), err)
	}
	got, h, err := wav.Decode(out[0].Body)
	if err != nil {
		t.Fatal(err)
	}
	if got.Rate != 8000 || math.Abs(audio.Decibels(got.RMS()/want.RMS())) > 3 || math.Abs(got.Duration().Seconds()-want.Duration().Seconds()) > 0.3 {
		t.Errorf("%v of RMS %.3f at %d Hz; the recording has %v of RMS %.3f", got.Duration(), got.RMS(), got.Rate, want.Duration(), want.RMS())
	}
	if out[0].Type != pipeline.TypeClip || out[0].Header[header.ContentType] != "audio/wav" || out[0].Header[header.Model] != "abc" || h.Tags["INAM"] != "pluck" || !strings.Contains(h.Tags["ICMT"], "phase_seed") {
		t.Errorf("headers %v, tags %v", out[0].Header, h.Tags)
	}
	again, err := process(t, build(t, ""), m)
	if err != nil || !bytes.Equal(again[0].Body, out[0].Body) {
		t.Errorf("another run gives other bytes: %v", err)
	}
	// The transform alone suffices.
	delete(m.Header, header.FrontEnd)
	if out, err := process(t, build(t, "{format: wav24, iterations: 2}"), m); err != nil || len(out) != 1 {
		t.Errorf("%d outputs: %v", len(out), err)
	}
}

func TestBadSpectrograms(t *testing.T) {
	good, _ := message(t)
	with := func(value float32) func(m *pipeline.Message) {
		return func(m *pipeline.Message) {
			shape, data, err := npy.Decode(m.Body)
			if err != nil {
				t.Fatal(err)
			}
			data[shape[1]+2] = value
			m.Body = npy.Encode(shape, data)
		}
	}
	for name, change := range map[string]func(m *pipeline.Message){
		"empty":            func(m *pipeline.Message) { m.Body = nil },
		"a value of 3e38":  with(3e38),
		"a value of 50":    with(50),
		"no configuration": func(m *pipeline.Message) { m.Header = nil },
		"cut":              func(m *pipeline.Message) { m.Body = m.Body[:len(m.Body)-4] },
		"silent": func(m *pipeline.Message) {
			shape, data, err := npy.Decode(m.Body)
			if err != nil {
				t.Fatal(err)
			}
			for i := range data {
				data[i] = -1
			}
			m.Body = npy.Encode(shape, data)
		},
		"endless phase": func(m *pipeline.Message) {
			m.Header[header.FrontEnd] = strings.Replace(m.Header[header.FrontEnd], `"frames"`, `"phase":{"iterations":1099511627776},"frames"`, 1)
		},
		"a rate of 1 Hz": func(m *pipeline.Message) {
			m.Header[header.FrontEnd] = strings.Replace(m.Header[header.FrontEnd], `"sample_rate":8000`, `"sample_rate":1`, 1)
		},
	} {
		m := good.Clone()
		change(m)
		out, err := process(t, build(t, ""), m)
		if pipeline.KindOf(err) != pipeline.Invalid || len(out) > 0 {
			t.Errorf("%s: %d outputs, %v", name, len(out), err)
		}
	}
	for _, config := range []string{"{format: mp3}", "{iterations: -1}", "{iterations: 100000}", "{rate: 1}"} {
		if _, err := synthesize.Factory()([]byte(config), pipeline.Env{}); err == nil {
			t.Errorf("%s is accepted", config)
		}
	}
}
