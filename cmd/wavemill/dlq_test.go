package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wavemill/operators/files"
	"wavemill/pipeline"
	"wavemill/pipeline/verify"
)

// onServer runs operators of a pipeline "mill" on a server of its own, and returns its pipeline file for clients.
func onServer(t *testing.T, operatorsOf string, reg pipeline.Registry) (file string, bus *pipeline.Bus) {
	t.Helper()
	text := "name: mill\nnats: " + startServer(t) + "\n" + operatorsOf
	file = filepath.Join(t.TempDir(), "pipeline.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	spec, err := pipeline.ReadSpec(file)
	if err != nil {
		t.Fatal(err)
	}
	bus, err = pipeline.Open(t.Context(), spec, pipeline.BusOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := pipeline.Start(context.Background(), bus, reg, pipeline.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(p.Stop(context.WithoutCancel(t.Context())), bus.Close(context.WithoutCancel(t.Context()))); err != nil {
			t.Error(err)
		}
	})
	return file, bus
}

const spectrogramOnly = `
operators:
  - {operator: spectrogram, config: {rate: 8000, duration: 300ms}}
`

// Dead letters over their whole life: listed, shown, tried in vain, replayed once they can succeed, removed; and verify
// knows about each.
func TestDeadLettersAreRepaired(t *testing.T) {
	file, bus := onServer(t, spectrogramOnly, quickOperators(hooks{}))
	data := recordingsFolder(t, 2)
	for _, name := range []string{"hihat/bad1.wav", "chirp/bad2.wav", "chirp/bad3.wav"} {
		if err := os.WriteFile(filepath.Join(data, name), []byte("no audio: "+name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mustRun(t, "publish", "-f", file, data)
	stdout, _ := mustRun(t, "verify", "-f", file, "--wait", "1m", "--json")
	report := decodeLines[verify.Report](t, stdout)[0]
	if s := report.Stages[0]; !report.OK || s.Inputs != 9 || s.Done != 6 || s.Letters != 3 {
		t.Fatalf("%s", stdout)
	}
	stdout, _ = mustRun(t, "dlq", "ls", "-f", file, "--json")
	letters := decodeLines[letterLine](t, stdout)
	if len(letters) != 3 || letters[0].Operator != "spectrogram" || letters[0].Kind != "invalid" {
		t.Fatalf("%s", stdout)
	}
	for args, want := range map[string]int{
		"--label hihat": 1, "--operator train": 0, "--since 1h": 3, "--until 1h": 0, "--reason audio": 3, "--kind transient": 0,
	} {
		if stdout, _ := mustRun(t, append([]string{"dlq", "ls", "-f", file}, strings.Fields(args)...)...); strings.Count(stdout, "\n") != want {
			t.Errorf("ls %s: want %d lines:\n%s", args, want, stdout)
		}
	}
	body := filepath.Join(t.TempDir(), "body")
	stdout, _ = mustRun(t, "dlq", "show", "1", "-f", file, "--body", body)
	if text, err := os.ReadFile(body); err != nil || !strings.HasPrefix(string(text), "no audio: ") || !strings.Contains(stdout, "MILL_AUDIO") {
		t.Errorf("%v %s\n%s", err, text, stdout)
	}

	stdout, _ = mustRun(t, "dlq", "replay", "1", "2", "-f", file, "--dry-run")
	if strings.Count(stdout, "would be replayed on mill.audio.") != 2 {
		t.Errorf("%s", stdout)
	}
	code, stdout, stderr := runCLI(t, "dlq", "replay", "1", "-f", file, "--diff", "--wait", "1m", "--json")
	var again replayed
	if err := json.Unmarshal([]byte(stdout), &again); err != nil || code != exitFailed || !strings.Contains(again.Error, "it failed again") || again.Diff == nil || again.Letter == nil {
		t.Errorf("exit code %d: %v %s%s", code, err, stdout, stderr)
	}

	// Whoever repairs the recording repairs the letter: here its body in the stream.
	good, err := os.ReadFile(filepath.Join(data, "chirp", "a.wav"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := bus.DeadLetters().Get(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	l.Body, l.Sequence, l.MessageID = good, 1000, "mended"
	if _, err := bus.JetStream().PublishMsg(t.Context(), l.Message("mill.dlq.spectrogram")); err != nil {
		t.Fatal(err)
	}
	stdout, _ = mustRun(t, "dlq", "replay", "--sequence", "1000", "-f", file, "--diff", "--wait", "1m")
	if !strings.Contains(stdout, "+ output 0: MILL_SPECTROGRAM") {
		t.Errorf("%s", stdout)
	}
	if stdout, _ = mustRun(t, "dlq", "purge", "--all", "-f", file, "--dry-run"); strings.Count(stdout, "\n") != 3 {
		t.Errorf("%s", stdout)
	}
	mustRun(t, "dlq", "purge", "--all", "-f", file)
	if stdout, _ = mustRun(t, "dlq", "ls", "-f", file); stdout != "" {
		t.Errorf("left: %s", stdout)
	}
	if stdout, _ = mustRun(t, "verify", "-f", file, "--wait", "1m"); !strings.Contains(stdout, "nothing is missing, doubled or stuck") {
		t.Errorf("%s", stdout)
	}
}

func TestChoosingDeadLetters(t *testing.T) {
	url := startServer(t)
	for args, want := range map[string]string{
		"replay":               "say which letters",
		"purge":                "say which letters",
		"purge --all 3":        "say which letters",
		"replay one":           `"one" is not the number of a dead letter`,
		"show":                 "needs the number of one dead letter",
		"show x":               `"x" is not the number`,
		"ls --since yesterday": `--since "yesterday": use a duration`,
		"ls 3":                 "takes no argument",
	} {
		code, stdout, stderr := runCLI(t, append(append([]string{"dlq"}, strings.Fields(args)...), "--nats", url)...)
		if code != exitUsage || !strings.Contains(stderr, want) || stdout != "" {
			t.Errorf("dlq %s: exit code %d: %s", args, code, stderr)
		}
	}
	bus, err := pipeline.Open(t.Context(), pipeline.Spec{NATS: url}, pipeline.BusOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer closeQuietly(t, bus)
	if code, _, stderr := runCLI(t, "dlq", "replay", "7", "--nats", url); code != exitFailed || !strings.Contains(stderr, "there is no such dead letter") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if code, _, stderr := runCLI(t, "dlq", "show", "7", "--nats", url); code != exitFailed || !strings.Contains(stderr, "there is no such dead letter") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

// Verify exits with 1 where something is missing, and repairs it where it can.
func TestVerifyFindsAndRepairsLosses(t *testing.T) {
	file, bus := onServer(t, spectrogramOnly, quickOperators(hooks{}))
	mustRun(t, "publish", "-f", file, recordingsFolder(t, 2))
	mustRun(t, "verify", "-f", file, "--wait", "1m")
	spectrograms, err := bus.JetStream().Stream(t.Context(), "MILL_SPECTROGRAM")
	if err == nil {
		err = spectrograms.DeleteMsg(t.Context(), 2)
	}
	if err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := runCLI(t, "verify", "-f", file, "--wait", "1m")
	if code != exitFailed || !strings.Contains(stdout, verify.Unaccounted) || !strings.Contains(stderr, "see the report") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	stdout, stderr = mustRun(t, "verify", "-f", file, "--wait", "1m", "--replay")
	if !strings.Contains(stderr, "1 missing messages are in their streams again") || !strings.Contains(stdout, "nothing is missing") {
		t.Errorf("%s%s", stdout, stderr)
	}
}

// Request saves what an operator answers, and tells apart why one does not.
func TestRequestAsksForClips(t *testing.T) {
	file, _ := onServer(t, `
operators:
  - {operator: spectrogram, config: {rate: 8000, duration: 300ms}}
  - operator: train
    config: {steps: 16, batch_size: 8, seed: 1, validation: 0, min_clips: 12, wait_for: 12, config: {channels: 4, latent: 4, embedding: 4}}
  - operator: generate
`, quickOperators(hooks{}))
	out := t.TempDir()
	code, _, stderr := runCLI(t, "request", "-f", file, "--label", "chirp", "--out", out)
	if code != exitFailed || !strings.Contains(stderr, "no operator answers") {
		t.Errorf("without a model: exit code %d: %s", code, stderr)
	}
	mustRun(t, "publish", "-f", file, recordingsFolder(t, 6))
	stdout, _ := mustRun(t, "request", "-f", file, "--label", "chirp", "--n", "3", "--seed", "7", "--temperature", "0.5", "--out", out, "--wait", "1m", "--json")
	clips := decodeLines[files.Clip](t, stdout)
	if len(clips) != 3 {
		t.Fatalf("%s", stdout)
	}
	for _, name := range []string{"chirp_7.wav", "chirp_8.wav", "chirp_9.wav"} {
		isWAV(t, filepath.Join(out, name))
	}
	for args, want := range map[string]string{
		"--label nobody --out " + out:             "(404)",
		"--label chirp --steps 3 --out " + out:    "(400)",
		"--label chirp --format mp3 --out " + out: "(400)",
	} {
		if code, _, stderr := runCLI(t, append([]string{"request", "-f", file}, strings.Fields(args)...)...); code != exitFailed || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d: %s", args, code, stderr)
		}
	}
	for args, want := range map[string]string{"--out x": "--label is missing", "--label x": "--out is missing", "--label x --out x --n 0": "--n 0"} {
		if code, _, stderr := runCLI(t, append([]string{"request", "-f", file}, strings.Fields(args)...)...); code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d: %s", args, code, stderr)
		}
	}
}
