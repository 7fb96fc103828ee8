package studio_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"wavemill/models"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
	"wavemill/pipeline/modelstore"
)

// guarded is a pipeline whose guard refuses what has another sample rate than 8 kHz.
const guarded = `name: mill
operators:
  - {operator: guard, from: audio, to: checked, config: {rate: 8000, idle: 200ms}}
  - {operator: spectrogram, from: checked}
`

// A bench is a running pipeline of the test, and its client.
type bench struct {
	t      *testing.T
	binary string
	nats   string
	bus    *pipeline.Bus
}

// newBench begins the pipeline in dir, with its studio on an address. It is killed when the test ends.
func newBench(t *testing.T, binary, dir, address string) *bench {
	t.Helper()
	file := filepath.Join(dir, "pipeline.yaml")
	if err := os.WriteFile(file, []byte(guarded), 0o600); err != nil {
		t.Fatal(err)
	}
	listen := freeAddress(t)
	server := &process{t: t, args: []string{binary, "up", "-f", file, "--data-dir", filepath.Join(dir, "nats"), "--listen", listen, "--http", address, "--log", "json"}}
	server.start(`"pipeline runs"`)
	t.Cleanup(server.kill)
	b := &bench{t: t, binary: binary, nats: "nats://" + listen}
	spec, err := pipeline.ParseSpec([]byte(guarded))
	if err != nil {
		t.Fatal(err)
	}
	spec.NATS = b.nats
	if b.bus, err = pipeline.OpenClient(t.Context(), spec, pipeline.BusOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.bus.Close(t.Context()) })
	return b
}

// publish publishes recordings that the guard refuses, two of the label bell and one whose label is markup, and under that
// label what no operator can read.
func (b *bench) publish(recordings, dir string) {
	b.t.Helper()
	found, err := filepath.Glob(filepath.Join(recordings, "bell", "*.wav"))
	if err != nil || len(found) < 3 {
		b.t.Fatal("the demo has no bells", err)
	}
	for i, name := range []string{"bell/a.wav", "bell/b.wav", markup + "/" + markup + ".wav"} {
		copyFile(b.t, found[i], filepath.Join(dir, name))
	}
	if err := os.WriteFile(filepath.Join(dir, markup, "broken.wav"), []byte("RIFF this is no sound"), 0o600); err != nil {
		b.t.Fatal(err)
	}
	run(b.t, b.binary, "publish", dir, "--nats", b.nats, "--pipeline", "mill", "--progress", "off")
}

// store puts two versions of a model into the store, the second with a verdict that is markup.
func (b *bench) store(file string) {
	b.t.Helper()
	c, err := models.Read(file)
	if err != nil {
		b.t.Fatal(err)
	}
	var e modelstore.Entry
	for i := range 2 {
		c.Seed += uint64(i) // Another content is another model.
		content, err := c.Encode()
		if err != nil {
			b.t.Fatal(err)
		}
		digest, err := c.Digest()
		if err != nil {
			b.t.Fatal(err)
		}
		info, err := json.Marshal(map[string]any{"arch": "vae", "step": c.Step, "gate": map[string]string{"reason": markup}})
		if err != nil {
			b.t.Fatal(err)
		}
		if e, err = b.bus.Models().Put(b.t.Context(), "vae", digest, content, info, e); err != nil {
			b.t.Fatal(err)
		}
	}
}

// answer tells browser/run.mjs what a decision in the browser has done.
func (b *bench) answer(word string) string {
	b.t.Helper()
	var all []string
	switch word {
	case "checked": // What has passed the guard: label, state, and the label that it had.
		for m, err := range b.bus.Messages(b.t.Context(), pipeline.Subscription{Stream: "checked", From: 1, Last: true}) {
			if err != nil {
				return err.Error()
			}
			all = append(all, strings.TrimSpace(m.Label+" "+m.Header[header.Guard]+" "+m.Header[header.GuardLabel]))
		}
		return strings.Join(all, ", ")
	case "quarantine":
		return strconv.Itoa(len(b.lines("quarantine", "ls")))
	case "models":
		for _, line := range b.lines("models", "ls") {
			var v struct {
				Version uint64
				State   string
			}
			if err := json.Unmarshal([]byte(line), &v); err != nil {
				b.t.Fatal(err)
			}
			all = append(all, fmt.Sprint(v.Version, " ", v.State))
		}
		return strings.Join(all, ", ")
	}
	return "nobody knows what this is"
}

// lines runs a command that prints a line of JSON for each thing.
func (b *bench) lines(args ...string) []string {
	b.t.Helper()
	out, err := exec.CommandContext(b.t.Context(), b.binary, append(args, "--json", "--nats", b.nats, "--pipeline", "mill")...).Output()
	if err != nil {
		b.t.Fatal(args, err)
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
}
