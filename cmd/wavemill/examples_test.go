package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"wavemill/audio/synth"
	"wavemill/audio/wav"
	"wavemill/internal/allocation"
	"wavemill/internal/oracle"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// asMeasured names the variable with the file that gets the most memory that the command had, in bytes.
const asMeasured = "WAVEMILL_TEST_MEMORY"

// measured runs the command and writes its memory.
func measured(file string) int {
	code := run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	peak, err := allocation.Peak()
	if err != nil {
		panic(err)
	}
	if err := os.WriteFile(file, strconv.AppendUint(nil, peak, 10), 0o600); err != nil {
		panic(err)
	}
	return code
}

// asCommand names the variable that makes this test binary the command itself.
const asCommand = "WAVEMILL_TEST_COMMAND"

func TestMain(m *testing.M) {
	if file := os.Getenv(asMeasured); file != "" {
		os.Exit(measured(file))
	}
	if os.Getenv(asCommand) != "" {
		main()
	}
	if file := os.Getenv(asServer); file != "" {
		os.Exit(serveNATS(file))
	}
	os.Exit(m.Run())
}

// shell runs lines of the documentation as a reader does: in a shell, in a folder with recordings, with wavemill in the path.
type shell struct {
	t   *testing.T
	dir string
	env []string
}

func newShell(t *testing.T) *shell {
	t.Helper()
	s := &shell{t: t, dir: t.TempDir()}
	bin := filepath.Join(s.dir, "bin")
	script := fmt.Sprintf("#!/bin/sh\n%s=1 exec '%s' \"$@\"\n", asCommand, os.Args[0])
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "wavemill"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	s.env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+s.dir)
	return s
}

// start starts a line; stop interrupts it, as Ctrl-C does, and returns what it printed.
func (s *shell) start(line string) (stop func() (stdout, stderr string, err error)) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	cmd := exec.CommandContext(ctx, "bash", "-c", "exec "+line)
	cmd.Dir, cmd.Env = s.dir, s.env
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	return func() (string, string, error) {
		defer cancel()
		_ = cmd.Process.Signal(os.Interrupt) // It may have ended.
		err := cmd.Wait()
		return stdout.String(), stderr.String(), err
	}
}

// run runs a line to its end.
func (s *shell) run(line string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", line)
	cmd.Dir, cmd.Env = s.dir, s.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Errorf("%s\n%v\n%s", line, err, out)
	}
	return string(out)
}

// examples returns the lines of the code blocks of a document from a heading on (empty: all) that begin with a command, with
// their comments removed.
func examples(t *testing.T, file, heading string) (lines []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", file))
	if err != nil {
		t.Fatal(err)
	}
	doc := string(text)
	if heading != "" {
		_, doc, _ = strings.Cut(doc, "\n"+heading+"\n")
		doc, _, _ = strings.Cut(doc, "\n## ")
	}
	code := false
	for line := range strings.SplitSeq(doc, "\n") {
		if strings.HasPrefix(line, "```") {
			code = !code
			continue
		}
		if code && (strings.HasPrefix(line, "nats ") || strings.HasPrefix(line, "wavemill ")) {
			line, _, _ = strings.Cut(line, "   #")
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	if len(lines) == 0 {
		t.Fatalf("no examples in %s", file)
	}
	return lines
}

// onStandardPort runs a small pipeline where `wavemill up` runs one, and waits for its model.
func onStandardPort(t *testing.T, recordings string) *pipeline.Bus {
	t.Helper()
	spec, err := pipeline.ParseSpec([]byte(`
operators:
  - {operator: spectrogram, config: {rate: 8000, duration: 300ms}}
  - operator: train
    config: {steps: 16, batch_size: 8, seed: 1, validation: 0, min_clips: 16, wait_for: 16, config: {channels: 4, latent: 4, embedding: 4}}
  - operator: generate
`))
	if err != nil {
		t.Fatal(err)
	}
	spec.DataDir, spec.Listen = t.TempDir(), defaultListen
	bus, err := pipeline.Open(t.Context(), spec, pipeline.BusOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := pipeline.Start(context.Background(), bus, quickOperators(hooks{}), pipeline.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(p.Stop(context.WithoutCancel(t.Context())), bus.Close(context.WithoutCancel(t.Context()))); err != nil {
			t.Error(err)
		}
	})
	mustRun(t, "publish", recordings)
	for deadline := time.Now().Add(time.Minute); !p.Snapshot()[2].Ready; time.Sleep(10 * time.Millisecond) { // A poll.
		if time.Now().After(deadline) {
			t.Fatalf("no model: %+v", p.Snapshot())
		}
	}
	return bus
}

// threesAndSevens is a folder with recordings of two labels.
func (s *shell) threesAndSevens() (data string) {
	s.t.Helper()
	data = filepath.Join(s.dir, "recordings")
	for label, class := range map[string]string{"three": "kick", "seven": "chirp"} {
		if err := os.MkdirAll(filepath.Join(data, label), 0o755); err != nil {
			s.t.Fatal(err)
		}
		for i := range 8 {
			c, err := synth.Clip(class, uint64(i), 8000)
			if err != nil {
				s.t.Fatal(err)
			}
			if err := wav.WriteFile(filepath.Join(data, label, fmt.Sprintf("%s_%02d.wav", label, i)), c, wav.Options{}); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	return data
}

// The examples of README.md and docs/bus.md do what they say, literally, with the clients that there are.
func TestExamplesOfTheBus(t *testing.T) {
	probe, err := net.Listen("tcp", defaultListen)
	if err != nil {
		t.Skipf("another server uses the address of the examples: %v", err)
	}
	_ = probe.Close()
	s := newShell(t)
	data := s.threesAndSevens()
	_, err = exec.LookPath("nats")
	hasNATS := err == nil
	lines := slices.Concat(examples(t, "README.md", "## On the bus"), examples(t, "docs/bus.md", ""))
	t.Run("up", func(t *testing.T) {
		stop := s.start("wavemill up")
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) { // A poll.
			if c, err := nats.Connect(defaultURL); err == nil {
				_, err := c.Request("wavemill.status.generate", nil, time.Minute)
				c.Close()
				if err == nil {
					break
				}
			}
			if time.Now().After(deadline) {
				t.Fatal("it does not answer")
			}
		}
		if _, stderr, err := stop(); err != nil {
			t.Errorf("%v: %s", err, stderr)
		}
	})
	bus := onStandardPort(t, data)
	// Every second sample is a byte that a shell drops, and some are those that begin a template.
	awkward, err := os.ReadFile(filepath.Join(data, "three", "three_07.wav"))
	if err != nil {
		t.Fatal(err)
	}
	copy(awkward[200:], "\x00\x00{{ .no }}\n\n\x00")
	if err := os.WriteFile(filepath.Join(s.dir, "three_07.wav"), awkward, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		t.Run(line, func(t *testing.T) {
			s.t = t
			switch {
			case line == "wavemill up": // Done.
			case strings.HasPrefix(line, "nats ") && !hasNATS:
				oracle.Missing(t, "no nats command: go install github.com/nats-io/natscli/nats@latest")
			case strings.HasPrefix(line, "nats request wavemill.audio"):
				s.run(line)
				stored(t, bus, awkward)
			case strings.Contains(line, " subscribe "), strings.HasPrefix(line, "nats sub "):
				s.receives(line, bus)
			case strings.Contains(line, "> "):
				s.run(line)
				_, file, _ := strings.Cut(line, "> ")
				isWAV(t, filepath.Join(s.dir, strings.TrimSpace(file)))
			default:
				if out := s.run(line); strings.Contains(out, nats.ErrNoResponders.Error()) || strings.Contains(out, "Nats-Service-Error") {
					t.Errorf("%s\n%s", line, out)
				}
			}
		})
	}
	t.Run("Python", func(t *testing.T) { s.t = t; s.python(bus) })
	t.Run("JavaScript", func(t *testing.T) { s.t = t; s.javaScript(bus) })
}

// receives runs a line that receives until it is interrupted, and has clips made until it has one.
func (s *shell) receives(line string, bus *pipeline.Bus) {
	s.t.Helper()
	stop := s.start(line)
	out := filepath.Join(s.dir, "clips")
	began := time.Now()
	for seed := 100; ; seed++ {
		if _, err := bus.Conn().Request("wavemill.generate", fmt.Appendf(nil, `{"label":"three","seed":%d}`, seed), time.Minute); err != nil {
			s.t.Error(err)
			break
		}
		if files, _ := filepath.Glob(filepath.Join(out, "three_*.wav")); len(files) > 0 && strings.Contains(line, "--out") {
			isWAV(s.t, files[0])
			break
		}
		if !strings.Contains(line, "--out") && time.Since(began) > 2*time.Second { // The command prints when it ends.
			break
		}
		if time.Since(began) > time.Minute {
			s.t.Error("nothing is received")
			break
		}
	}
	stdout, stderr, _ := stop() // Interrupted commands of others exit with an error.
	if !strings.Contains(stdout+stderr, "three") {
		s.t.Errorf("%s\n%s%s", line, stdout, stderr)
	}
}

// python runs the example for Python, where its packages are.
func (s *shell) python(bus *pipeline.Bus) {
	s.t.Helper()
	python := "python3"
	if exec.Command(python, "-c", "import nats").Run() != nil {
		oracle.Missing(s.t, "no nats-py: install it with pip install nats-py")
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "bus.md"))
	if err != nil {
		s.t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(text), "```python\n")
	code, _, _ = strings.Cut(code, "```")
	program := "import asyncio, nats\nasync def main():\n    nc = await nats.connect()\n    js = nc.jetstream()\n    " +
		strings.ReplaceAll(strings.TrimSpace(code), "\n", "\n    ") +
		"\n    print(ack.stream)\n    await nc.close()\nasyncio.run(main())\n"
	file := filepath.Join(s.dir, "publish.py")
	if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if out := s.run(python + " " + file); strings.TrimSpace(out) != "WAVEMILL_AUDIO" {
		s.t.Errorf("%s\n%s", program, out)
	}
	want, err := os.ReadFile(filepath.Join(s.dir, "three_07.wav"))
	if err != nil {
		s.t.Fatal(err)
	}
	stored(s.t, bus, want)
}

// javaScript runs the example for JavaScript, where its packages are.
func (s *shell) javaScript(bus *pipeline.Bus) {
	s.t.Helper()
	if exec.Command("node", "-e", "require('nats')").Run() != nil {
		oracle.Missing(s.t, "no nats.js: install it with npm install nats, and set NODE_PATH")
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "bus.md"))
	if err != nil {
		s.t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(text), "```js\n")
	code, _, _ = strings.Cut(code, "```")
	program := "const { connect, headers } = require('nats')\nconst fs = require('fs')\n;(async () => {\nconst nc = await connect()\nconst js = nc.jetstream()\n" +
		code + "console.log(ack.stream)\nawait nc.close()\n})()\n"
	file := filepath.Join(s.dir, "publish.js")
	if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if out := s.run("node " + file); strings.TrimSpace(out) != "WAVEMILL_AUDIO" {
		s.t.Errorf("%s\n%s", program, out)
	}
	want, err := os.ReadFile(filepath.Join(s.dir, "three_07.wav"))
	if err != nil {
		s.t.Fatal(err)
	}
	stored(s.t, bus, want)
}

// stored checks that the newest recording on the bus has these bytes.
func stored(t *testing.T, bus *pipeline.Bus, want []byte) {
	t.Helper()
	last, err := bus.LastSequence(t.Context(), pipeline.TypeAudio)
	if err != nil {
		t.Fatal(err)
	}
	for m, err := range bus.Messages(t.Context(), pipeline.Subscription{Stream: pipeline.TypeAudio, From: last, Last: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(m.Body, want) || m.Label != "three" || m.Header[header.Source] != "three_07.wav" {
			t.Errorf("stored: %d bytes, label %s, %v; the file has %d bytes", len(m.Body), m.Label, m.Header, len(want))
		}
	}
}

func isWAV(t *testing.T, file string) {
	t.Helper()
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := wav.Decode(body); err != nil {
		var answer struct{ Error string }
		_ = json.Unmarshal(body, &answer)
		t.Errorf("%s: %v %s", file, err, answer.Error)
	}
}

// The pipeline files in docs/bus.md are valid.
func TestPipelineFilesOfTheBus(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "bus.md"))
	if err != nil {
		t.Fatal(err)
	}
	registry := operators(hooks{})
	registry["guard"] = func([]byte, pipeline.Env) (pipeline.Operator, error) { return pipeline.OperatorFunc(nil), nil }
	blocks := strings.Split(string(text), "```yaml\n")[1:]
	if len(blocks) < 2 {
		t.Fatalf("%d pipeline files", len(blocks))
	}
	for _, block := range blocks {
		doc, _, _ := strings.Cut(block, "```")
		spec, err := pipeline.ParseSpec([]byte(doc))
		if err != nil {
			t.Errorf("%v in\n%s", err, doc)
			continue
		}
		if spec.NATS == "" {
			spec.DataDir = "data"
		}
		if err := pipeline.Check(spec, registry); err != nil {
			t.Errorf("%v in\n%s", err, doc)
		}
	}
}
