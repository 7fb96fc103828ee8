package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"wavemill/audio/wav"
	"wavemill/operators/files"
)

// guardedServer runs nats-server with docs/nats.conf, which is for the pipeline "mill".
func guardedServer(t *testing.T, change func(*natsserver.Options)) (url string) {
	t.Helper()
	o, err := natsserver.ProcessConfigFile(filepath.Join("..", "..", "docs", "nats.conf"))
	if err != nil {
		t.Fatal(err)
	}
	o.Host, o.Port, o.StoreDir, o.NoSigs, o.NoLog = "127.0.0.1", natsserver.RANDOM_PORT, t.TempDir(), true, true
	if change != nil {
		change(o)
	}
	s, err := natsserver.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	go s.Start()
	if !s.ReadyForConnections(time.Minute) {
		t.Fatal("the server does not start")
	}
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	return s.ClientURL()
}

// pipelineFile writes a pipeline file for one user.
func pipelineFile(t *testing.T, url, user string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), user+".yaml")
	text := fmt.Sprintf(`
name: mill
nats: %s
auth: {user: %s, password: %[2]s-secret}
operators:
  - {operator: spectrogram, config: {rate: 8000, duration: 300ms}}
  - operator: train
    config: {steps: 16, batch_size: 8, seed: 1, validation: 0, min_clips: 12, wait_for: 12, config: {channels: 4, latent: 4, embedding: 4}}
  - operator: generate
`, url, user)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Every role runs its command with the rights that docs/nats.conf gives it: the operators, and a client that publishes
// recordings, requests a clip and saves it.
func TestEveryRoleHasTheRightsOfItsCommand(t *testing.T) {
	url := guardedServer(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	stderr := map[string]*bytes.Buffer{}
	for _, name := range []string{"spectrogram", "train", "generate"} {
		errOut, file := new(bytes.Buffer), pipelineFile(t, url, name)
		stderr[name] = errOut
		running.Go(func() {
			if code := execute(ctx, []string{"operator", name, "-f", file}, strings.NewReader(""), new(bytes.Buffer), errOut); code != exitOK && ctx.Err() == nil {
				t.Errorf("operator %s: exit code %d", name, code)
			}
		})
	}
	t.Cleanup(func() { cancel(); running.Wait() })

	client := pipelineFile(t, url, "client")
	conn, err := nats.Connect(url, nats.UserInfo("client", "client-secret"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	for deadline := time.Now().Add(time.Minute); ; { // The operators create the streams, for which the client has no right.
		reply, err := conn.Request("mill.status.spectrogram", nil, time.Minute)
		if err == nil && bytes.Contains(reply.Data, []byte(`"ready":true`)) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("no operator: %v", err)
		}
	}
	stdout, _ := mustRun(t, "publish", "-f", client, recordingsFolder(t, 4))
	if !strings.Contains(stdout, "published 12 recordings") {
		t.Errorf("publish: %s", stdout)
	}
	for deadline := time.Now().Add(5 * time.Minute); ; { // It trains a model, on a machine that may have much to do.
		reply, err := conn.Request("mill.generate", []byte(`{"label":"hihat","seed":1}`), time.Minute)
		if err == nil && reply.Header.Get("Wavemill-Seed") == "1" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("no clip: %v %v, %s", reply, err, stderr["train"])
		}
	}
	stdout, _ = mustRun(t, "subscribe", "-f", client, "--label", "hihat", "--out", t.TempDir(), "--all", "--count", "1", "--json")
	clips := decodeLines[files.Clip](t, stdout)
	if len(clips) != 1 {
		t.Fatalf("subscribe: %s", stdout)
	}
	if body, err := os.ReadFile(clips[0].File); err != nil {
		t.Error(err)
	} else if _, _, err := wav.Decode(body); err != nil {
		t.Errorf("%s: %v", clips[0].File, err)
	}
	steward := pipelineFile(t, url, "models")
	if stdout, _ = mustRun(t, "models", "ls", "-f", steward); !strings.Contains(stdout, "served") {
		t.Errorf("models ls: %s", stdout)
	}
	if stdout, _ = mustRun(t, "models", "pin", "vae", "-f", steward); !strings.Contains(stdout, "pinned") {
		t.Errorf("models pin: %s", stdout)
	}
	cancel()
	running.Wait()
	for name, errOut := range stderr {
		if strings.Contains(strings.ToLower(errOut.String()), "permission") {
			t.Errorf("operator %s: %s", name, errOut)
		}
	}
}

// A client without the rights, and a server without JetStream, are told as what they are, and not as a server that is not
// there.
func TestRefusalsAreToldAsSuch(t *testing.T) {
	data := recordingsFolder(t, 1)
	guarded := guardedServer(t, nil)
	noStreams := guardedServer(t, func(o *natsserver.Options) { o.JetStream, o.Users = false, nil })
	for name, c := range map[string]struct{ file, want string }{
		"no rights":    {pipelineFile(t, guarded, "generate"), `does not permit it to this user; docs/nats.conf lists the rights that are needed: nats: permissions violation: Permissions Violation for Publish to "mill.audio.`},
		"no JetStream": {pipelineFile(t, noStreams, "client"), "the server runs without JetStream"},
	} {
		code, _, stderr := runCLI(t, "publish", "-f", c.file, data)
		if code != exitFailed || !strings.Contains(stderr, c.want) || strings.Contains(stderr, "start a server with") {
			t.Errorf("%s: exit code %d: %s", name, code, stderr)
		}
	}
}
