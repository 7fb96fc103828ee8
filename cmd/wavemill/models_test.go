package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wavemill/operators/versions"
	"wavemill/pipeline/modelstore"
	"wavemill/pipeline/server"
)

// The versions of a model on a server, as an operator of it looks at them and changes them.
func TestModels(t *testing.T) {
	s, err := server.Start(t.Context(), server.Config{DataDir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	conn, err := nats.Connect(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	models := func(args ...string) (int, string, string) {
		t.Helper()
		return runCLI(t, append(append([]string{"models"}, args...), "--nats", s.URL())...)
	}
	if code, _, stderr := models("ls"); code != exitFailed || !strings.Contains(stderr, "has stored no model yet") {
		t.Errorf("without a model: %d, %s", code, stderr)
	}
	store := &modelstore.Store{JetStream: js, Bucket: "WAVEMILL_MODEL"}
	var e modelstore.Entry
	for i := 1; i <= 4; i++ {
		info := fmt.Appendf(nil, `{"arch":"vae","labels":["a","b"],"step":%d,"gate":{"reason":"no worse","new":{"accuracy":{"value":0.8,"low":0.7,"high":0.9}}}}`, 10*i)
		if e, err = store.Put(t.Context(), "vae", fmt.Sprintf("digest%d", i), []byte("content"), info, e); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := store.Put(t.Context(), "vae.training", "digest9", []byte("content"), nil, modelstore.Entry{}); err != nil {
		t.Fatal(err)
	}
	states := func(args ...string) string {
		t.Helper()
		code, stdout, stderr := models(append(args, "--json")...)
		if code != exitOK {
			t.Fatalf("%v: exit code %d, %s", args, code, stderr)
		}
		var all []string
		for line := range strings.Lines(stdout) {
			var v versions.Version
			if err := json.Unmarshal([]byte(line), &v); err != nil || v.Model != "vae" {
				t.Fatalf("%s: %v", line, err)
			}
			all = append(all, fmt.Sprint(v.Version, " ", v.State))
		}
		return strings.Join(all, ", ")
	}
	for _, step := range []struct{ command, want string }{
		{"ls", "4 served, 3 kept, 2 kept, 1 kept"},
		{"show vae", "4 served"},
		{"show vae 2", "2 kept"},
		{"rollback vae --reason hum", "4 withdrawn, 3 served, 2 kept, 1 kept"},
		{"pin vae 2", "4 withdrawn, 3 kept, 2 pinned, 1 kept"},
		{"unpin vae", "4 withdrawn, 3 kept, 2 served, 1 kept"},
		{"rollback vae 4", "4 served, 3 kept, 2 withdrawn, 1 kept"},
		{"rm vae 1 3", "4 served, 2 withdrawn"},
		{"ls vae", "4 served, 2 withdrawn"},
	} {
		if got := states(strings.Fields(step.command)...); got != step.want {
			t.Errorf("%s: %s, want %s", step.command, got, step.want)
		}
	}
	if code, stdout, _ := models("diff", "vae", "2"); code != exitOK || !strings.Contains(stdout, "VERSION 2") || !strings.Contains(stdout, "20") || !strings.Contains(stdout, "40") {
		t.Errorf("diff: %d\n%s", code, stdout)
	}
	if code, stdout, _ := models("ls"); code != exitOK || !strings.Contains(stdout, "0.800 [0.700, 0.900]") {
		t.Errorf("ls: %d\n%s", code, stdout)
	}
	for command, want := range map[string]string{
		"rm vae 4":        "wavemill models rollback", // It is served.
		"rm vae 7":        "there are 4, 2",
		"show vae 7":      "no such version is kept",
		"show drums":      "`wavemill models ls` lists the models",
		"rollback vae 99": "there are 4, 2",
	} {
		if code, _, stderr := models(strings.Fields(command)...); code != exitFailed || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d, %s", command, code, stderr)
		}
	}
	states("pin", "vae")
	if code, _, stderr := models("rollback", "vae"); code != exitFailed || !strings.Contains(stderr, "wavemill models unpin") {
		t.Errorf("a roll-back of a pinned version: %d, %s", code, stderr)
	}
	for _, command := range []string{"rm vae", "show vae three", "pin", "ls a b", "diff vae 0", "models"} {
		if code, _, stderr := models(strings.Fields(command)...); code != exitUsage {
			t.Errorf("%s: exit code %d, %s", command, code, stderr)
		}
	}
}
