// Package contract_test holds the operators to the bus contract of docs/bus.md, as a client in any language sees it.
package contract_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"wavemill/operators/generate"
	"wavemill/operators/spectrogram"
	"wavemill/operators/train"
	"wavemill/pipeline"
	"wavemill/pipeline/server"
)

// serverDir names the variable that makes this test binary a NATS server with its data there.
const serverDir = "WAVEMILL_TEST_SERVER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(serverDir); dir != "" {
		os.Exit(serve(dir))
	}
	os.Exit(m.Run())
}

// serve runs a server as its own process until its standard input ends.
func serve(dir string) int {
	s, err := server.Start(context.Background(), server.Config{DataDir: dir, Listen: "127.0.0.1:0"})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(s.URL())
	_, _ = io.Copy(io.Discard, os.Stdin)
	s.Shutdown()
	return 0
}

// startServer re-executes the test binary as a server and returns its URL.
func startServer(t *testing.T) string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serverDir+"="+t.TempDir())
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server process: %v", err)
		}
	})
	url, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("the server process said %q: %v", url, err)
	}
	return strings.TrimSpace(url)
}

// registry is the command's.
func registry() pipeline.Registry {
	return pipeline.Registry{
		"spectrogram": spectrogram.Factory(), "train": train.Factory(train.Hooks{}), "generate": generate.Factory(generate.Hooks{}),
	}
}

// spec is a pipeline that trains a tiny model for a few steps.
func spec(t *testing.T, name string, clips int) pipeline.Spec {
	t.Helper()
	s, err := pipeline.ParseSpec(fmt.Appendf(nil, `
name: %s
operators:
  - {operator: spectrogram, workers: 2, config: {rate: 8000, duration: 300ms}}
  - operator: train
    config:
      steps: 4
      batch_size: 8
      seed: 1
      validation: 0
      min_clips: %d
      wait_for: %d
      config: {channels: 4, latent: 4, embedding: 4}
  - operator: generate
`, name, clips, clips))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// run starts a pipeline for the length of the test.
func run(t *testing.T, s pipeline.Spec) *pipeline.Bus {
	t.Helper()
	bus, _ := runLogged(t, s, registry(), slog.New(slog.NewTextHandler(t.Output(), nil)))
	return bus
}

// runLogged starts a pipeline, which ends with the test or when stop is called.
func runLogged(t *testing.T, s pipeline.Spec, reg pipeline.Registry, log *slog.Logger) (bus *pipeline.Bus, stop func()) {
	t.Helper()
	bus, err := pipeline.Open(t.Context(), s, pipeline.BusOptions{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	p, err := pipeline.Start(context.Background(), bus, reg, pipeline.Options{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := p.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
		if err := bus.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	t.Cleanup(stop)
	return bus, stop
}

func TestEmbeddedServer(t *testing.T) {
	s := spec(t, "mill", 12)
	s.DataDir, s.Listen = t.TempDir(), "127.0.0.1:0"
	bus := run(t, s)
	contract(t, bus.URL(), "mill")
}

func TestServerProcess(t *testing.T) {
	s := spec(t, "outside", 12)
	s.NATS = startServer(t)
	run(t, s)
	contract(t, s.NATS, "outside")
}

// odd is a label with everything that a subject cannot carry.
const odd = "très *odd* > label. 1"

// contract is one client's day.
func contract(t *testing.T, url, pipe string) {
	c := dial(t, url, pipe)

	// A plain file on a plain subject; the token is the label.
	for i := range 6 {
		c.publish("low", nil, tone(300, float64(i)))
		c.publish("odd", nats.Header{"Wavemill-Label": {mime.QEncoding.Encode("utf-8", odd)}, "Wavemill-Source": {"take " + strconv.Itoa(i)}}, tone(2500, float64(i)))
	}
	loudest := map[string]int{}
	for range 12 {
		msg := c.next("spectrogram")
		loudest[msg.Header.Get("Wavemill-Label")] = checkSpectrogram(t, msg)
		if msg.Header.Get("Nats-Msg-Id") == "" || msg.Header.Get("Content-Type") != "application/x-npy" {
			t.Errorf("headers: %v", msg.Header)
		}
		if msg.Header.Get("Wavemill-Label") == "low" != (msg.Subject == pipe+".spectrogram.low") {
			t.Errorf("label %q on %s", msg.Header.Get("Wavemill-Label"), msg.Subject)
		}
	}
	oddHeader := mime.QEncoding.Encode("utf-8", odd)
	if len(loudest) != 2 || loudest["low"] >= loudest[oddHeader] {
		t.Errorf("loudest bins %v: 300 Hz must lie below 2500 Hz", loudest)
	}

	// The model is announced, and clips can be had.
	for _, label := range []string{"low", odd} {
		request, err := json.Marshal(map[string]any{"label": label, "n": 1, "seed": 7})
		if err != nil {
			t.Fatal(err)
		}
		reply := c.generate(string(request))
		if e := reply.Header.Get("Nats-Service-Error"); e != "" {
			t.Fatal(e)
		}
		checkWAV(t, reply.Data)
		header := mime.QEncoding.Encode("utf-8", label)
		if h := reply.Header; h.Get("Wavemill-Label") != header || h.Get("Wavemill-Seed") != "7" || len(h.Get("Wavemill-Model")) != 64 || h.Get("Content-Type") != "audio/wav" {
			t.Errorf("headers: %v", h)
		}
		clip := c.next("clip")
		if !bytes.Equal(clip.Data, reply.Data) || clip.Header.Get("Wavemill-Label") != header {
			t.Errorf("the published clip is not the one that was answered: %v", clip.Header)
		}
		if !bytes.Contains(reply.Data, []byte(reply.Header.Get("Wavemill-Model"))) || !bytes.Contains(reply.Data, []byte("LIST")) {
			t.Error("the WAV does not name its model")
		}
	}
	several(t, c)
	refusals(t, c)
	discovery(t, c)
	stored(t, c)
	deadLetters(t, c)
}

// several asks for a series: clip i is the clip of seed + i.
func several(t *testing.T, c *client) {
	reply := c.generate(`{"label":"low","n":3,"seed":100,"temperature":0.5}`)
	var listing struct {
		Model string
		Clips []struct {
			ID, Subject, Stream string
			Sequence, Seed      uint64
		}
	}
	if err := json.Unmarshal(reply.Data, &listing); err != nil || len(listing.Clips) != 3 {
		t.Fatalf("listing %s: %v", reply.Data, err)
	}
	published := map[string][]byte{}
	for range 3 {
		msg := c.next("clip")
		published[msg.Header.Get("Nats-Msg-Id")] = msg.Data
	}
	for i, clip := range listing.Clips {
		if clip.Seed != uint64(100+i) || clip.Sequence == 0 || clip.Subject != c.pipe+".clip.low" {
			t.Errorf("clip %d: %+v", i, clip)
		}
		checkWAV(t, published[clip.ID])
	}
	again := c.generate(`{"label":"low","seed":102,"temperature":0.5}`)
	if !bytes.Equal(again.Data, published[listing.Clips[2].ID]) {
		t.Error("the third clip of seed 100 is not the clip of seed 102")
	}
	if bytes.Equal(published[listing.Clips[0].ID], published[listing.Clips[1].ID]) {
		t.Error("two seeds, one clip")
	}
}

func refusals(t *testing.T, c *client) {
	for request, want := range map[string][]string{
		`{"label":"nobody"}`:             {"404", `"nobody" is unknown`, "low"},
		`{"n":2}`:                        {"404", "label is missing", "low"},
		`{"label":"low","sed":7}`:        {"400", `unknown field "sed"`, "expected JSON"},
		`{"label":"low","n":-1}`:         {"400", "ask for 1 to 1000"},
		`{"label":"low","format":"mp3"}`: {"400", `"mp3" is unknown`, "wav24"},
		`low`:                            {"400", "expected JSON"},
		``:                               {"400", "expected JSON"},
	} {
		reply := c.generate(request)
		got, err := new(mime.WordDecoder).DecodeHeader(reply.Header.Get("Nats-Service-Error"))
		if err != nil || reply.Header.Get("Nats-Service-Error-Code") != want[0] {
			t.Errorf("%s: code %q, want %s (%v)", request, reply.Header.Get("Nats-Service-Error-Code"), want[0], err)
		}
		for _, text := range want[1:] {
			if !strings.Contains(got, text) {
				t.Errorf("%s: %q does not say %q", request, got, text)
			}
		}
	}
}

// discovery finds all three operators by the micro service protocol.
func discovery(t *testing.T, c *client) {
	inbox, err := c.nc.SubscribeSync(nats.NewInbox())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.nc.PublishRequest("$SRV.PING", inbox.Subject, nil); err != nil {
		t.Fatal(err)
	}
	var names []string
	for len(names) < 3 {
		msg, err := inbox.NextMsg(patience)
		if err != nil {
			t.Fatalf("services %v: %v", names, err)
		}
		var ping struct{ Name string }
		if err := json.Unmarshal(msg.Data, &ping); err != nil {
			t.Fatal(err)
		}
		names = append(names, ping.Name)
	}
	slices.Sort(names)
	if want := []string{c.pipe + "-generate", c.pipe + "-spectrogram", c.pipe + "-train"}; !slices.Equal(names, want) {
		t.Errorf("services %v, want %v", names, want)
	}
	info, err := c.nc.Request("$SRV.INFO."+c.pipe+"-generate", nil, patience)
	if err != nil || !bytes.Contains(info.Data, []byte(`"`+c.pipe+`.generate"`)) {
		t.Errorf("$SRV.INFO: %s %v", info.Data, err)
	}
}

// stored publishes a file by reference, as one must that is too large for a message.
func stored(t *testing.T, c *client) {
	c.publish("low", nats.Header{"Wavemill-Source": {"stored.wav"}, "Wavemill-Object": {c.putObject(tone(300, 0.25))}}, nil)
	if msg := c.next("spectrogram"); msg.Header.Get("Wavemill-Source") != "stored.wav" || msg.Header.Get("Wavemill-Object") != "" {
		t.Errorf("headers: %v", msg.Header)
	}
}

// deadLetters publishes what is no audio among what is.
func deadLetters(t *testing.T, c *client) {
	good := tone(300, 0.5)
	lies := bytes.Clone(good)
	copy(lies[40:44], []byte{0xF0, 0xFF, 0xFF, 0xFF}) // A data size of 4 GiB: what is there is used.
	silent := append(bytes.Clone(good[:44]), make([]byte, len(good)-44)...)
	bad := map[string][]byte{"text.wav": []byte("this is no audio"), "empty.wav": {}, "silent.wav": silent}
	for _, name := range []string{"text.wav", "empty.wav", "silent.wav"} {
		c.publish("low", nats.Header{"Wavemill-Source": {name}}, bad[name])
	}
	c.publish("low", nats.Header{"Wavemill-Source": {"lies.wav"}}, lies)
	for range 3 {
		msg := c.next("dlq")
		name := msg.Header.Get("Wavemill-Source")
		body, known := bad[name]
		if !known || !bytes.Equal(body, msg.Data) {
			t.Errorf("dead letter %q is not what was published", name)
		}
		delete(bad, name)
		h := msg.Header
		if msg.Subject != c.pipe+".dlq.spectrogram" || h.Get("Wavemill-Dead-Reason") == "" || h.Get("Wavemill-Dead-Kind") != "invalid" || h.Get("Wavemill-Dead-Attempts") != "1" || h.Get("Wavemill-Label") != "low" {
			t.Errorf("%s: %v", msg.Subject, h)
		}
		if want := fmt.Sprintf("dlq-%s-%s", h.Get("Wavemill-Dead-Stream"), h.Get("Wavemill-Dead-Sequence")); h.Get("Nats-Msg-Id") != want {
			t.Errorf("id %q, want %q", h.Get("Nats-Msg-Id"), want)
		}
	}
	if msg := c.next("spectrogram"); msg.Header.Get("Wavemill-Source") != "lies.wav" {
		t.Errorf("after the bad ones came %q", msg.Header.Get("Wavemill-Source"))
	}
	if msg, err := c.seen["dlq"].NextMsg(100 * time.Millisecond); err == nil {
		t.Errorf("one dead letter too many: %v", msg.Header)
	}
}
