package main

import (
	"encoding/json"
	"strings"
	"testing"

	"wavemill/pipeline"
	"wavemill/pipeline/server"
)

// TestProvision makes the standard pipeline on a server, is refused as another owner, takes over, and removes it.
func TestProvision(t *testing.T) {
	s, err := server.Start(t.Context(), server.Config{DataDir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Shutdown()
	out, _ := mustRun(t, "provision", "--nats", s.URL(), "--pipeline", "mill", "--owner", "a/one", "--wait", "10s")
	var made pipeline.Provisioned
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		t.Fatal(err)
	}
	if made.Pipeline != "mill" || len(made.Consumers) != 2 || made.Consumers[0].Consumer != "mill-spectrogram" || made.Consumers[0].MaxAckPending%270 != 0 {
		t.Errorf("%s", out)
	}
	code, _, said := runCLI(t, "provision", "--nats", s.URL(), "--pipeline", "mill", "--owner", "a/two")
	if code != 1 || !strings.Contains(said, "belongs to a/one") || !strings.Contains(said, "--take-over") {
		t.Errorf("another owner: exit code %d, %s", code, said)
	}
	mustRun(t, "provision", "--nats", s.URL(), "--pipeline", "mill", "--owner", "a/two", "--take-over")
	mustRun(t, "provision", "--nats", s.URL(), "--pipeline", "mill", "--remove")
	mustRun(t, "provision", "--nats", s.URL(), "--pipeline", "mill", "--owner", "a/three")
}

func TestProvisionRefuses(t *testing.T) {
	for args, want := range map[string]int{
		"--take-over": exitUsage, "--remove --owner x": exitUsage, "--nats nats://127.0.0.1:1": 1, "-f nowhere.yaml": 1, "more": exitUsage,
	} {
		if code, out, said := runCLI(t, append([]string{"provision"}, strings.Fields(args)...)...); code != want || out != "" || said == "" {
			t.Errorf("%s: exit code %d, want %d: %s%s", args, code, want, out, said)
		}
	}
}
