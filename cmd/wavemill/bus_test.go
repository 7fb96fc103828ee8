package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wavemill/audio/synth"
	"wavemill/audio/wav"
	"wavemill/operators/files"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
	"wavemill/pipeline/server"
)

// startServer runs a NATS server that listens, as any other server of a user would.
func startServer(t *testing.T) string {
	t.Helper()
	s, err := server.Start(t.Context(), server.Config{DataDir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	return s.URL()
}

func TestPublishTwiceIsHarmless(t *testing.T) {
	url := startServer(t)
	data := recordingsFolder(t, 3)
	if err := os.WriteFile(filepath.Join(data, "notes.txt"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	type result struct {
		published
		LabelSource string `json:"label_source"`
		Skipped     []struct{ Path, Reason string }
	}
	for again, duplicates := range []int{0, 9} {
		stdout, stderr := mustRun(t, "publish", "--nats", url, "--pipeline", "drums", "--json", data)
		got := decodeLines[result](t, stdout)[0]
		if got.Published != 9 || got.Duplicates != duplicates || got.Labels[oddLabel] != 3 || got.LabelSource != "name of the folder" || len(got.Skipped) != 1 {
			t.Errorf("run %d: %s", again, stdout)
		}
		if !strings.Contains(stderr, "3 labels (name of the folder)") || !strings.Contains(stderr, "notes.txt") {
			t.Errorf("stderr does not say where labels come from and what is skipped:\n%s", stderr)
		}
	}
	bus, err := pipeline.Open(t.Context(), pipeline.Spec{Name: "drums", NATS: url}, pipeline.BusOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer closeQuietly(t, bus)
	n := 0
	for m, err := range bus.Messages(t.Context(), pipeline.Subscription{Stream: pipeline.TypeAudio, Label: oddLabel, From: 1, Last: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if m.Label != oddLabel || m.Header[header.ContentType] != "audio/wav" || !strings.HasPrefix(m.Header[header.Source], oddLabel+"/") {
			t.Errorf("message %q, headers %v", m.Label, m.Header)
		}
		n++
	}
	if n != 3 {
		t.Errorf("%d messages of the odd label, want 3", n)
	}
}

func closeQuietly(t *testing.T, bus *pipeline.Bus) {
	t.Helper()
	if err := bus.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

func TestSubscribeSavesKeptClips(t *testing.T) {
	url := startServer(t)
	bus, err := pipeline.Open(t.Context(), pipeline.Spec{NATS: url}, pipeline.BusOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer closeQuietly(t, bus)
	for seed, label := range []string{oddLabel, "hihat", oddLabel} {
		c, err := synth.Clip("kick", uint64(seed), 8000)
		if err != nil {
			t.Fatal(err)
		}
		body, err := wav.Encode(c, wav.Options{})
		if err != nil {
			t.Fatal(err)
		}
		m := &pipeline.Message{Type: pipeline.TypeClip, Label: label, Body: body, Header: map[string]string{header.Seed: "12", header.Confidence: "0.5", header.Model: "abc"}}
		if _, err := bus.Publish(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(t.TempDir(), "clips")
	stdout, _ := mustRun(t, "subscribe", "--nats", url, "--label", oddLabel, "--out", out, "--all", "--count", "2", "--json")
	clips := decodeLines[files.Clip](t, stdout)
	if len(clips) != 2 || clips[0].Seed != 12 || *clips[0].Confidence != 0.5 || clips[0].Label != oddLabel || clips[0].Model != "abc" {
		t.Errorf("subscribe --json: %s", stdout)
	}
	if files := wavsIn(t, out); len(files) != 2 {
		t.Errorf("%d files", len(files))
	}
}

func TestNoServerIsSaidWithTheWayOut(t *testing.T) {
	code, _, stderr := runCLI(t, "publish", "--nats", "nats://127.0.0.1:1", recordingsFolder(t, 1))
	if code != exitFailed || !strings.Contains(stderr, "nats://127.0.0.1:1") || !strings.Contains(stderr, "wavemill up") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

// TestUpServesHealth runs the standard pipeline until it is interrupted, as `wavemill up` does.
func TestUpServesHealth(t *testing.T) {
	dir := t.TempDir()
	ctx, interrupt := context.WithCancel(t.Context())
	lines := make(chan string, 100)
	logs := writerFunc(func(p []byte) (int, error) {
		lines <- string(p)
		return len(p), nil
	})
	code := make(chan int)
	go func() {
		code <- execute(ctx, []string{"up", "--data-dir", dir, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--log", "json", "--checkpoints", filepath.Join(dir, "models")}, strings.NewReader(""), io.Discard, logs)
	}()
	var address string
	for line := range lines {
		var entry struct{ Msg, Address string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("the log is not JSON: %q", line)
		}
		if entry.Msg == "serving health" {
			address = entry.Address
		}
		if entry.Msg == "pipeline runs" {
			break
		}
	}
	for path, want := range map[string]string{
		"/livez": "200 alive", "/status": `200 {"operators":[{"operator":"spectrogram","ready":true`,
		"/readyz": "503 operator generate: no model yet", "/readyz/spectrogram": "200 ready", "/readyz/train": "200 ready", "/readyz/generate": "503 ",
	} {
		status, body := get(t, "http://"+address+path)
		if got := fmt.Sprintf("%d %s", status, body); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	interrupt()
	if c := <-code; c != exitOK {
		t.Errorf("exit code %d after an interruption, want 0", c)
	}
}

// TestPipelineFilesThatCannotRun: mistakes in a file end the command before anything is started.
func TestPipelineFilesThatCannotRun(t *testing.T) {
	for content, want := range map[string]string{
		"name: drums\n": "the pipeline has no operators",
		"operators: [{operator: spectrogram}, {operator: train, from: gaurded}]":                                                             "no operator writes the stream gaurded",
		"operators: [{operator: spectrogram, to: audio}]":                                                                                    "reads and writes the stream audio",
		"operators: [{operator: spectrogram}, {operator: train, from: audio, to: a}]":                                                        "only announces models",
		"operators: [{operator: spectrogram}, {operator: train, from: clip, input: clip}, {name: b, operator: spectrogram, from: a, to: a}]": "reads and writes the stream a",
	} {
		file := filepath.Join(t.TempDir(), "pipeline.yaml")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // A file that is accepted would run for ever.
		var errout bytes.Buffer
		code := execute(ctx, []string{"up", "-f", file, "--data-dir", t.TempDir()}, strings.NewReader(""), io.Discard, &errout)
		cancel()
		stderr := errout.String()
		if code != exitFailed || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d, and stderr does not say %q: %s", content, code, want, stderr)
		}
	}
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func TestOperatorAloneRunsOneStage(t *testing.T) {
	url := startServer(t)
	ctx, interrupt := context.WithCancel(t.Context())
	var names []string
	logs := writerFunc(func(p []byte) (int, error) {
		var entry struct {
			Msg       string
			Operators []string
		}
		if json.Unmarshal(p, &entry) == nil && entry.Msg == "pipeline runs" {
			names = entry.Operators
			interrupt()
		}
		return len(p), nil
	})
	if code := execute(ctx, []string{"operator", "spectrogram", "--nats", url, "--log", "json"}, strings.NewReader(""), io.Discard, logs); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if len(names) != 1 || names[0] != "spectrogram" {
		t.Errorf("it ran %v", names)
	}
}

// TestPublishKeepsGroups: what the label pattern calls a speaker goes onto the bus with the recording.
func TestPublishKeepsGroups(t *testing.T) {
	url, data := startServer(t), t.TempDir()
	folder := recordingsFolder(t, 1)
	body, err := os.ReadFile(firstWAV(t, folder))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"one_theo_0.wav", "one_lucas_0.wav"} {
		if err := os.WriteFile(filepath.Join(data, name), body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mustRun(t, "publish", "--nats", url, "--labels", "{label}_{speaker}_{n}", data)
	mustRun(t, "publish", "--nats", url, "--labels", "prefix", "--pipeline", "plain", data)
	for pipe, want := range map[string]map[string]string{
		"wavemill": {"one_theo_0.wav": "theo", "one_lucas_0.wav": "lucas"},
		"plain":    {"one_theo_0.wav": "", "one_lucas_0.wav": ""},
	} {
		bus, err := pipeline.Open(t.Context(), pipeline.Spec{Name: pipe, NATS: url}, pipeline.BusOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer closeQuietly(t, bus)
		n := 0
		for m, err := range bus.Messages(t.Context(), pipeline.Subscription{Stream: pipeline.TypeAudio, From: 1, Last: true}) {
			if err != nil {
				t.Fatal(err)
			}
			if group, known := want[m.Header[header.Source]]; !known || m.Header[header.Group] != group {
				t.Errorf("%s: headers %v, want group %q", pipe, m.Header, group)
			}
			n++
		}
		if n != 2 {
			t.Errorf("%s: %d messages", pipe, n)
		}
	}
}

// firstWAV returns the path of one recording below dir.
func firstWAV(t *testing.T, dir string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*", "*.wav"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%v %v", paths, err)
	}
	return paths[0]
}
