package spectrogram_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"wavemill/audio"
	"wavemill/audio/fingerprint"
	"wavemill/audio/npy"
	"wavemill/audio/synth"
	"wavemill/audio/wav"
	"wavemill/models"
	"wavemill/models/frontend"
	"wavemill/operators/spectrogram"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// file is a WAV of a decaying sine.
func file(t *testing.T, rate, channels int, seconds float64) []byte {
	t.Helper()
	c := audio.Clip{Rate: rate, Channels: channels}
	for i := range int(seconds * float64(rate)) {
		x := float64(i) / float64(rate)
		for range channels {
			c.Samples = append(c.Samples, float32(0.5*math.Exp(-2*x)*math.Sin(2*math.Pi*440*x)))
		}
	}
	data, err := wav.Encode(c, wav.Options{NoDither: true})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// run makes an operator and has it process one file.
func run(t *testing.T, op pipeline.Operator, body []byte) ([]*pipeline.Message, error) {
	t.Helper()
	var out []*pipeline.Message
	err := op.Process(t.Context(), &pipeline.Message{ID: "1", Type: pipeline.TypeAudio, Label: "l", Body: body, Header: map[string]string{header.Source: "a.wav", header.Group: "theo"}},
		func(_ context.Context, m *pipeline.Message) error {
			out = append(out, m)
			return nil
		})
	return out, err
}

func build(t *testing.T, f pipeline.Factory, config []byte, log *slog.Logger) pipeline.Operator {
	t.Helper()
	op, err := f(config, pipeline.Env{Operator: "spectrogram", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	return op
}

// A file that ends before its header says is used, and its spectrogram says so; that of a whole file does not.
func TestTruncatedFilesAreMarked(t *testing.T) {
	op, err := spectrogram.Factory()(nil, pipeline.Env{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	c, err := synth.Clip("kick", 1, 8000)
	if err != nil {
		t.Fatal(err)
	}
	body, err := wav.Encode(c, wav.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for want, data := range map[string][]byte{"": body, "true": body[:len(body)-1000]} {
		var out *pipeline.Message
		err := op.Process(t.Context(), &pipeline.Message{Type: pipeline.TypeAudio, Label: "kick", Body: data}, func(_ context.Context, m *pipeline.Message) error {
			out = m
			return nil
		})
		if err != nil || out == nil || out.Header["Wavemill-Truncated"] != want {
			t.Errorf("%d of %d bytes: %v, %+v", len(data), len(body), err, out)
		}
	}
}

func TestOneSpectrogramPerFile(t *testing.T) {
	fe := frontend.Plan([]int{16000}, []time.Duration{400 * time.Millisecond})
	fe.TrimDB = -35
	config, err := spectrogram.ConfigFor(fe)
	if err != nil {
		t.Fatal(err)
	}
	op := build(t, spectrogram.Factory(), config, slog.New(slog.DiscardHandler))
	out, err := run(t, op, file(t, 16000, 1, 0.3))
	if err != nil || len(out) != 1 {
		t.Fatalf("%d outputs: %v", len(out), err)
	}
	m := out[0]
	shape, data, err := npy.Decode(m.Body)
	if err != nil || len(shape) != 2 || shape[0] != fe.Frames || shape[1] != fe.Spectrogram.Bins() {
		t.Fatalf("shape %v: %v", shape, err)
	}
	f, err := frontend.New(fe)
	if err != nil {
		t.Fatal(err)
	}
	clip, _, err := wav.Decode(file(t, 16000, 1, 0.3))
	if err != nil {
		t.Fatal(err)
	}
	want, _, err := f.Analyze(clip)
	if err != nil || !reflect.DeepEqual(data, want.Data) {
		t.Errorf("the values are not the front end's: %v", err)
	}
	var got models.FrontEnd
	if err := json.Unmarshal([]byte(m.Header[header.FrontEnd]), &got); err != nil || !reflect.DeepEqual(got, fe) {
		t.Errorf("front end %+v, want %+v: %v", got, fe, err)
	}
	if err := json.Unmarshal([]byte(m.Header[header.Spectrogram]), &got.Spectrogram); err != nil || got.Spectrogram != fe.Spectrogram {
		t.Errorf("configuration %+v: %v", got.Spectrogram, err)
	}
	again, err := run(t, build(t, spectrogram.Factory(), config, slog.New(slog.DiscardHandler)), file(t, 16000, 1, 0.3))
	if err != nil || !bytes.Equal(again[0].Body, m.Body) {
		t.Errorf("another run gives other bytes: %v", err)
	}
}

func TestConversionsAreLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	factory := spectrogram.Factory()
	logger := slog.New(slog.NewTextHandler(&log, nil))
	for range 2 { // Two workers.
		op := build(t, factory, []byte("{rate: 8000, duration: 500ms}"), logger)
		for range 3 {
			for _, body := range [][]byte{file(t, 44100, 2, 0.3), file(t, 8000, 1, 0.3), file(t, 8000, 1, 5)} {
				if _, err := run(t, op, body); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for _, want := range []string{"resampled from 44100 to 8000 Hz", "mixed down from 2 channels", "cut to"} {
		if n := strings.Count(log.String(), want); n != 1 {
			t.Errorf("%q is logged %d times in:\n%s", want, n, log.String())
		}
	}
	if n := strings.Count(log.String(), "\n"); n != 3 {
		t.Errorf("%d lines:\n%s", n, log.String())
	}
}

func TestIdentity(t *testing.T) {
	op := build(t, spectrogram.Factory(), []byte("{rate: 8000}"), slog.New(slog.DiscardHandler))
	body := file(t, 16000, 1, 0.3)
	decoded, _, err := wav.Decode(body)
	if err != nil {
		t.Fatal(err)
	}
	print, err := fingerprint.Of(decoded).MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	out, err := run(t, op, body)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{header.Recording: fingerprint.Digest(decoded), header.Fingerprint: string(print), header.Group: "theo"} {
		if got := out[0].Header[name]; got != want || want == "" {
			t.Errorf("header %s is %q, want %q: that of the recording before it is resampled", name, got, want)
		}
	}
}

func TestBadFilesAreInvalid(t *testing.T) {
	op := build(t, spectrogram.Factory(), nil, slog.New(slog.DiscardHandler))
	good := file(t, 8000, 1, 0.3)
	for name, body := range map[string][]byte{
		"empty": {}, "text": []byte("# README"), "header only": good[:44], "silent": append(bytes.Clone(good[:44]), make([]byte, 4000)...),
	} {
		out, err := run(t, op, body)
		if pipeline.KindOf(err) != pipeline.Invalid || len(out) > 0 || !strings.Contains(err.Error(), "a.wav") {
			t.Errorf("%s: %d outputs, error %v", name, len(out), err)
		}
	}
	if out, err := run(t, op, good[:len(good)-1001]); err != nil || len(out) != 1 {
		t.Errorf("truncated: %d outputs: %v", len(out), err)
	}
}

func TestConfigurationFaults(t *testing.T) {
	for config, want := range map[string]string{
		"{rate: -1}":                              "negative",
		"{rate: 8000, front_end: {frames: 3}}":    "leave out rate",
		"{front_end: {frames: 64}}":               "front end",
		"{front_end: {frams: 64}}":                "frams",
		"{front_end: {frames: many}}":             "frames",
		"{front_end: {spectrogram: {n_fft: -1}}}": "front end",
		// Both would take minutes or gigabytes to build.
		"{front_end: {frames: 10, spectrogram: {sample_rate: 16777216, n_fft: 1048576, hop: 524288, window: hann, scale: mel, mels: 16384, value: magnitude}}}": "n_fft: 1048576 is not between 4 and 131072",
		"{front_end: {frames: 10, spectrogram: {sample_rate: 16777216, n_fft: 131072, hop: 65536, window: hann, scale: mel, mels: 16384, value: magnitude}}}":   "16384 times n_fft 131072 is more than",
		"{ratio: 1}": "ratio",
	} {
		_, err := spectrogram.Factory()([]byte(config), pipeline.Env{Operator: "spectrogram"})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v does not say %q", config, err, want)
		}
	}
}

// With two channels, the body has the image of the recording behind its levels, and its headers say so.
func TestTwoChannels(t *testing.T) {
	op := build(t, spectrogram.Factory(), []byte("{rate: 8000, channels: 2}"), slog.New(slog.DiscardHandler))
	c := audio.Clip{Rate: 8000, Channels: 2}
	for i := range 4000 {
		v := 0.5 * math.Sin(2*math.Pi*440*float64(i)/8000)
		c.Samples = append(c.Samples, float32(v), float32(v/4))
	}
	body, err := wav.Encode(c, wav.Options{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := run(t, op, body)
	if err != nil || len(out) != 1 {
		t.Fatalf("%d outputs: %v", len(out), err)
	}
	var fe models.FrontEnd
	if err := json.Unmarshal([]byte(out[0].Header[header.FrontEnd]), &fe); err != nil || fe.Spectrogram.Channels != 2 {
		t.Fatalf("front end %s: %v", out[0].Header[header.FrontEnd], err)
	}
	shape, data, err := npy.Decode(out[0].Body)
	if err != nil || len(shape) != 2 || shape[1] != 64+16 || shape[1] != fe.Spectrogram.Bins() {
		t.Fatalf("shape %v: %v", shape, err)
	}
	want := -10 * math.Log10(16) / 30 // pan in units of 30 dB
	for i, v := range data {
		if bin := i % shape[1]; bin >= 64 && bin < 72 && math.Abs(float64(v)-want) > 0.03 { // dither, where the tone is not
			t.Fatalf("pan of band %d: %g, want %g", bin-64, v, want)
		}
	}
	for want, config := range map[string]string{"channels: 3": "{channels: 3}", "leave out rate, duration and channels": "{channels: 2, front_end: {frames: 3}}"} {
		if _, err := spectrogram.Factory()([]byte(config), pipeline.Env{Log: slog.New(slog.DiscardHandler)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", config, err)
		}
	}
}
