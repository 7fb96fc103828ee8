package main

import (
	"os"
	"strings"
	"testing"

	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// A contract refuses files before any message is sent, and what other clients publish at the first operator; a change that
// stored recordings violate is refused unless it is forced.
func TestContract(t *testing.T) {
	up := startUp(t, fileOf(t, "contract:\n  rates: [8000]\n  max_duration: 2s\noperators: [{operator: spectrogram}]"))
	folder := recordingsFolder(t, 1)
	shown, _ := mustRun(t, "contract", "show", "--nats", up.nats)
	if !strings.Contains(shown, `"contract":{"rates":[8000],"max_duration":"2s"},"revision":1`) {
		t.Errorf("show: %s", shown)
	}
	mustRun(t, "publish", "--nats", up.nats, folder)

	bus, err := pipeline.OpenClient(t.Context(), pipeline.Spec{NATS: up.nats}, pipeline.BusOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer closeQuietly(t, bus)
	stored := func() uint64 {
		last, err := bus.LastSequence(t.Context(), pipeline.TypeAudio)
		if err != nil {
			t.Fatal(err)
		}
		return last
	}
	before := stored()
	code, _, stderr := runCLI(t, "contract", "set", "--nats", up.nats, "--label", "hihat,chirp", "--rate", "8000")
	if code != exitFailed || !strings.Contains(stderr, "it would not admit 1 of 3 recordings that are stored") || !strings.Contains(stderr, "--force") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	mustRun(t, "contract", "set", "--nats", up.nats, "--label", "hihat,chirp", "--rate", "8000", "--force")
	code, _, stderr = runCLI(t, "publish", "--nats", up.nats, recordingsFolder(t, 2))
	if code != exitFailed || !strings.Contains(stderr, "nothing is published") || !strings.Contains(stderr, "does not admit 2 of 6 files") || !strings.Contains(stderr, "its label is") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if n := stored(); n != before {
		t.Errorf("%d messages were sent", n-before)
	}

	// Another client does not ask. The operator knows a change after five seconds at most: what it admits until then is old
	// enough to have been admitted.
	body, err := os.ReadFile(firstWAV(t, folder))
	if err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "the operator to read the contract", func() bool {
		_, err := bus.JetStream().Publish(t.Context(), "wavemill.audio.tom", body)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for m, err := range bus.Messages(t.Context(), pipeline.Subscription{Stream: pipeline.TypeDLQ, From: 1, Last: true}) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; !strings.Contains(m.Header[header.DeadReason], `its label is "tom"; admitted are: hihat, chirp`) {
				t.Errorf("%v", m.Header)
			}
		}
		return n > 0
	})
	_, page := get(t, up.http+"/metrics")
	if !strings.Contains(page, `wavemill_operator_dlq_messages_total{operator="spectrogram",pipeline="wavemill",reason="contract"} `) {
		t.Error("the metric does not count it")
	}
	for _, args := range [][]string{{"contract", "set"}, {"contract", "set", "--rate", "-1"}, {"contract", "set", "--clear", "--rate", "1"}, {"contract", "show", "x"}} {
		if code, _, _ := runCLI(t, args...); code != exitUsage {
			t.Errorf("%v: exit code %d", args, code)
		}
	}
}
