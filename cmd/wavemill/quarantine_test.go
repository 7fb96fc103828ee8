package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"wavemill/pipeline"
	"wavemill/pipeline/header"
	"wavemill/pipeline/quarantine"
)

// quarantined puts messages into quarantine on a server.
func quarantined(t *testing.T, url string, n int) *pipeline.Bus {
	t.Helper()
	spec := pipeline.Spec{Name: "mill", NATS: url, Inputs: []string{"guarded", "quarantine"}}
	bus, err := pipeline.Open(t.Context(), spec, pipeline.BusOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeQuietly(t, bus) })
	for i := range n {
		_, err := bus.Publish(t.Context(), &pipeline.Message{
			ID: strconv.Itoa(i), Type: pipeline.TypeQuarantine, Label: []string{"three", "seven"}[i%2], Body: []byte("sound"),
			Header: map[string]string{
				header.Source: fmt.Sprintf("%d.wav", i), header.Guard: header.Refused, header.GuardRules: []string{"label", "loud"}[i%2],
				header.GuardReason: "it sounds like another", header.QuarantineType: "audio", header.QuarantineTo: "guarded",
				header.QuarantineSequence: "7", header.QuarantineStream: "MILL_AUDIO", header.QuarantineMessageID: fmt.Sprint("id ", i),
			},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return bus
}

func TestQuarantine(t *testing.T) {
	url := startServer(t)
	bus := quarantined(t, url, 6)
	call := func(args ...string) string {
		t.Helper()
		stdout, _ := mustRun(t, append([]string{"quarantine", args[0], "--nats", url, "--pipeline", "mill"}, args[1:]...)...)
		return stdout
	}
	if all := decodeLines[quarantine.Message](t, call("ls", "--json")); len(all) != 6 || all[1].Label != "seven" || all[1].Rules[0] != "loud" {
		t.Errorf("ls: %+v", all)
	}
	if text := call("ls", "--rule", "loud", "--since", "1h"); strings.Count(text, "\n") != 3 || !strings.Contains(text, "it sounds like another") {
		t.Errorf("ls: %s", text)
	}
	file := filepath.Join(t.TempDir(), "body.wav")
	if text := call("show", "2", "--body", file); !strings.Contains(text, "message 7 of MILL_AUDIO") {
		t.Errorf("show: %s", text)
	}
	if body, err := os.ReadFile(file); err != nil || !bytes.Equal(body, []byte("sound")) {
		t.Errorf("body %q: %v", body, err)
	}
	if got := decodeLines[quarantineResult](t, call("accept", "1-3", "--dry-run", "--json")); len(got) != 3 {
		t.Errorf("dry run: %+v", got)
	}
	if n := len(decodeLines[quarantine.Message](t, call("ls", "--json"))); n != 6 {
		t.Errorf("after the dry run %d are left", n)
	}
	call("accept", "1")
	call("relabel", "--to", "nine", "--rule", "label", "2-3")
	call("drop", "--label", "seven")
	left := decodeLines[quarantine.Message](t, call("ls", "--json"))
	if len(left) != 1 || left[0].Number != 5 {
		t.Errorf("left: %+v", left)
	}
	var labels []string
	for m, err := range bus.Messages(t.Context(), pipeline.Subscription{Stream: "guarded", From: 1, Last: true}) {
		if err != nil {
			t.Fatal(err)
		}
		labels = append(labels, m.Label+" "+m.Header[header.Guard]+" "+m.Header[header.GuardLabel])
	}
	if got := strings.Join(labels, ", "); got != "three accepted , nine accepted three" {
		t.Errorf("passed: %s", got)
	}
}

func TestQuarantineUsage(t *testing.T) {
	for args, want := range map[string]string{
		"drop":                   "--all",
		"accept":                 "--all",
		"accept x":               "no number",
		"accept 3-1":             "no number",
		"ls 1-99999999999":       "numbers",
		"relabel 3":              "--to",
		"show":                   "number of one message",
		"show 1-2":               "one message",
		"ls --since yesterday":   "--since",
		"accept --all --until x": "--until",
	} {
		code, _, stderr := runCLI(t, append([]string{"quarantine"}, strings.Fields(args)...)...)
		if code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d, %s", args, code, stderr)
		}
	}
}

// A message that cannot be read, and that nobody asked for, is a warning.
func TestQuarantineWithAnUnreadableMessage(t *testing.T) {
	url := startServer(t)
	bus := quarantined(t, url, 3)
	msg := nats.NewMsg("mill.quarantine.three")
	msg.Header.Set(header.QuarantineSequence, "none")
	if _, err := bus.JetStream().PublishMsg(t.Context(), msg); err != nil { // Its number is 4.
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		code int
	}{{"accept 1", exitOK}, {"drop --rule loud", exitOK}, {"ls 3", exitOK}, {"accept 3-4", exitFailed}, {"ls", exitFailed}} {
		code, _, stderr := runCLI(t, append([]string{"quarantine", "--nats", url, "--pipeline", "mill"}, strings.Fields(c.args)...)...)
		if code != c.code || !strings.Contains(stderr, "message 4 in quarantine") {
			t.Errorf("%s: exit code %d, want %d: %s", c.args, code, c.code, stderr)
		}
	}
	if passed, err := bus.LastSequence(t.Context(), "guarded"); err != nil || passed != 2 {
		t.Errorf("%d passed: %v", passed, err)
	}
}
