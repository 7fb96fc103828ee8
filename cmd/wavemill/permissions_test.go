package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wavemill/audio"
	"wavemill/audio/wav"
	"wavemill/operators/files"
	"wavemill/pipeline/verify"
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
	// A poll: the operators create the streams, for which the client has no right.
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
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
	// It trains a model, on a machine that may have much to do. What so short a training has learnt may be silent with some seeds.
	for deadline, seed := time.Now().Add(5*time.Minute), 1; ; time.Sleep(10 * time.Millisecond) { // A poll.
		seed++
		reply, err := conn.Request("mill.generate", fmt.Appendf(nil, `{"label":"hihat","seed":%d}`, seed), time.Minute)
		if err == nil && reply.Header.Get("Wavemill-Seed") == strconv.Itoa(seed) {
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

// The contract is read and changed, also for the first time and against recordings that are stored, with the rights of its user,
// who has none to publish recordings.
func TestTheContractHasAUserOfItsOwn(t *testing.T) {
	url := guardedServer(t, func(o *natsserver.Options) {
		o.MaxPayload = 140 << 10 // The long recording is larger, so that it is in the object store.
		o.Users = append(o.Users, &natsserver.User{Username: "admin", Password: "admin-secret"})
	})
	file := pipelineFile(t, url, "contract")
	mustRun(t, "provision", "-f", pipelineFile(t, url, "admin"))
	admin, err := nats.Connect(url, nats.UserInfo("admin", "admin-secret"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(admin.Close)
	js, err := jetstream.New(admin)
	if err == nil {
		err = js.DeleteKeyValue(t.Context(), "MILL_CONTRACT") // Where nobody has provisioned it, the first contract creates it.
	}
	if err != nil {
		t.Fatal(err)
	}
	folder := recordingsFolder(t, 1)
	long, err := wav.Encode(audio.Clip{Samples: make([]float32, 80000), Channels: 1, Rate: 8000}, wav.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "chirp", "long.wav"), long, 0o600); err != nil {
		t.Fatal(err)
	}
	mustRun(t, "publish", "-f", pipelineFile(t, url, "client"), folder)
	if stdout, _ := mustRun(t, "contract", "show", "-f", file); !strings.Contains(stdout, `"revision":0`) {
		t.Errorf("contract show: %s", stdout)
	}
	if code, _, stderr := runCLI(t, "contract", "set", "--max-duration", "5s", "-f", file); code != exitFailed || !strings.Contains(stderr, "would not admit 1 of 4 recordings") {
		t.Errorf("a contract that does not admit what is stored: exit code %d: %s", code, stderr)
	}
	for i, args := range [][]string{{"--max-duration", "20s"}, {"--clear", "--force"}} {
		stdout, stderr := mustRun(t, append([]string{"contract", "set", "-f", file}, args...)...)
		if !strings.Contains(stdout, fmt.Sprintf(`"revision":%d`, i+1)) || strings.Contains(stderr, "ermission") {
			t.Errorf("contract set %v: %s%s", args, stdout, stderr)
		}
	}
	if code, _, stderr := runCLI(t, "publish", "-f", file, recordingsFolder(t, 1)); code != exitFailed || !strings.Contains(stderr, "does not permit") {
		t.Errorf("publish as this user: exit code %d: %s", code, stderr)
	}
}

// The optional operators, and the commands that check and repair, run with the rights that docs/nats.conf gives them.
func TestEveryOptionalRoleHasItsRights(t *testing.T) {
	url := guardedServer(t, nil)
	file := func(user, stages string) string {
		path := filepath.Join(t.TempDir(), user+".yaml")
		text := fmt.Sprintf("name: mill\nnats: %s\nauth: {user: %s, password: %[2]s-secret}\ninputs: [take]\n%s", url, user, stages)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	alone := func(user, stages string) string { // Without the stream of takes, to which only segment and publishers have rights.
		path := file(user, stages)
		text, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, bytes.Replace(text, []byte("inputs: [take]\n"), nil, 1), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	const segments, spectrograms = "  - {operator: segment, config: {by: length, max: 300ms}}\n", "  - {operator: spectrogram, config: {rate: 8000, duration: 300ms}}\n"
	const guards, sounds, features = "  - {operator: guard, from: spectrogram, to: guarded, config: {min_clips: 4, idle: 100ms}}\n", "  - {operator: synthesize}\n", "  - {operator: embed}\n"
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	t.Cleanup(func() { cancel(); running.Wait() })
	stderr := map[string]*bytes.Buffer{}
	for name, path := range map[string]string{
		"segment": file("segment", "operators:\n"+segments), "spectrogram": alone("spectrogram", "operators:\n"+spectrograms),
		"guard": alone("guard", "operators:\n"+guards), "synthesize": alone("synthesize", "operators:\n"+sounds), "embed": alone("embed", "operators:\n"+features),
	} {
		errOut := new(bytes.Buffer)
		stderr[name] = errOut
		running.Go(func() {
			if code := execute(ctx, []string{"operator", name, "-f", path}, strings.NewReader(""), new(bytes.Buffer), errOut); code != exitOK && ctx.Err() == nil {
				t.Errorf("operator %s: exit code %d", name, code)
			}
		})
	}
	conn, err := nats.Connect(url, nats.UserInfo("client", "client-secret"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	for name := range stderr { // They create the streams, for which the others have no right.
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) { // A poll.
			reply, err := conn.Request("mill.status."+name, nil, time.Minute)
			if err == nil && bytes.Contains(reply.Data, []byte(`"ready":true`)) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("operator %s: %v", name, err)
			}
		}
	}
	takes := t.TempDir()
	for i := range 5 {
		label, body, _ := chaosTake(i)
		if err := os.WriteFile(filepath.Join(takes, fmt.Sprintf("%s_%d.wav", label, i)), body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mustRun(t, "publish", "-f", file("client", ""), "--to", "take", takes)
	_, copied, _ := chaosTake(0)
	for _, body := range [][]byte{copied, []byte("no audio")} { // Its clips are copies; and a dead letter.
		if _, err := conn.Request("mill.take.bell", body, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	whole := "operators:\n" + segments + spectrograms + guards + sounds + features
	check := file("verify", whole)
	var report verify.Report
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) { // A poll.
		code, stdout, errOut := runCLI(t, "verify", "-f", check, "--wait", "2s", "--json")
		reports := decodeLines[verify.Report](t, stdout)
		if code == exitOK && len(reports) == 1 {
			if report = reports[0]; report.OK && report.Stages[0].Done == 6 && report.Stages[4].Done == 18 && report.Stages[2].Done == 18 {
				break
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("verify: exit code %d: %s%s", code, stdout, errOut)
		}
		time.Sleep(200 * time.Millisecond) // A poll.
	}
	letters := file("dlq", whole)
	if stdout, _ := mustRun(t, "dlq", "ls", "-f", letters); !strings.Contains(stdout, "segment") {
		t.Errorf("dlq ls: %s", stdout)
	}
	mustRun(t, "dlq", "show", "1", "-f", letters)
	if code, _, errOut := runCLI(t, "dlq", "replay", "1", "-f", letters, "--diff"); code != exitFailed || !strings.Contains(errOut, "failed again") {
		t.Errorf("dlq replay: exit code %d: %s", code, errOut) // It is no audio either time.
	}
	mustRun(t, "dlq", "purge", "-f", letters, "--all")
	refused := alone("quarantine", "operators:\n"+guards)
	stdout, _ := mustRun(t, "quarantine", "ls", "-f", refused, "--rule", "copy")
	if !strings.Contains(stdout, "copy") {
		t.Errorf("quarantine ls: %s", stdout)
	}
	number := regexp.MustCompile(`\d+`).FindString(stdout)
	mustRun(t, "quarantine", "show", number, "-f", refused)
	mustRun(t, "quarantine", "accept", number, "-f", refused)
	mustRun(t, "quarantine", "drop", "--all", "-f", refused)
	cancel()
	running.Wait()
	for name, errOut := range stderr {
		if strings.Contains(strings.ToLower(errOut.String()), "permission") {
			t.Errorf("operator %s: %s", name, errOut)
		}
	}
}
