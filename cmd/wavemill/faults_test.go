package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"wavemill/audio"
	"wavemill/audio/synth"
	"wavemill/audio/wav"
	"wavemill/pipeline"
	"wavemill/pipeline/faults"
	"wavemill/pipeline/verify"
)

// asServer names the variable that makes this test binary a nats-server with the configuration file of its value.
const asServer = "WAVEMILL_TEST_SERVER"

// serveNATS runs nats-server until it is killed.
func serveNATS(file string) int {
	o, err := natsserver.ProcessConfigFile(file)
	if err == nil {
		var s *natsserver.Server
		if s, err = natsserver.NewServer(o); err == nil {
			s.Start()
			s.WaitForShutdown()
		}
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// A serverNode is a nats-server in a process of its own, which is killed and started again on its data.
type serverNode struct {
	t              *testing.T
	dir, conf, url string
	cmd            *exec.Cmd
}

// newNodes starts one server, or a cluster of several.
func newNodes(t *testing.T, n int) []*serverNode {
	t.Helper()
	var nodes []*serverNode
	var routes []string
	ports := freePorts(t, 2*n)
	for i := range n {
		routes = append(routes, "nats://127.0.0.1:"+ports[n+i])
	}
	for i := range n {
		dir := t.TempDir()
		conf := fmt.Sprintf("server_name: n%d\nlisten: 127.0.0.1:%s\nmax_payload: 8MB\njetstream: {store_dir: %q, sync_interval: always}\n", i, ports[i], dir)
		if n > 1 {
			conf += fmt.Sprintf("cluster: {name: c, listen: 127.0.0.1:%s, routes: [%s]}\n", ports[n+i], strings.Join(routes, ", "))
		}
		file := filepath.Join(t.TempDir(), "nats.conf")
		if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, &serverNode{t: t, dir: dir, conf: file, url: "nats://127.0.0.1:" + ports[i]})
	}
	for _, node := range nodes {
		node.start()
	}
	t.Cleanup(func() {
		for _, node := range nodes {
			node.kill()
		}
	})
	return nodes
}

// freePorts are ports that nobody listens on.
func freePorts(t *testing.T, n int) (ports []string) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		ports = append(ports, port)
	}
	return ports
}

func (n *serverNode) start() {
	n.t.Helper()
	n.cmd = exec.Command(os.Args[0])
	n.cmd.Env = append(os.Environ(), asServer+"="+n.conf)
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
}

func (n *serverNode) kill() {
	if n.cmd != nil {
		_ = n.cmd.Process.Kill()
		_ = n.cmd.Wait() // Its error is that it was killed.
		n.cmd = nil
	}
}

// ready waits until the server has JetStream.
func (n *serverNode) ready(ctx context.Context) error {
	for ctx.Err() == nil {
		if conn, err := nats.Connect(n.url); err == nil {
			// A cluster without a leader does not answer.
			reply, err := conn.Request("$JS.API.INFO", nil, time.Second)
			conn.Close()
			if err == nil && !strings.Contains(string(reply.Data), `"error"`) {
				return nil
			}
		}
		time.Sleep(20 * time.Millisecond) // A poll.
	}
	return ctx.Err()
}

// parameter is a number from the environment, such as FAULT_CLIPS.
func parameter(t *testing.T, name string, otherwise int) int {
	t.Helper()
	n, err := strconv.Atoi(cmp.Or(os.Getenv(name), strconv.Itoa(otherwise)))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// faultPipeline is the pipeline of the fault runs: that of FAULT_PIPELINE, or the standard one with a small model.
const faultPipeline = `
operators:
  - {operator: spectrogram, workers: 2, config: {rate: 8000, duration: 300ms}}
  - operator: train
    config: {steps: 8, batch_size: 8, seed: 1, validation: 0, min_clips: 12, wait_for: 12, config: {channels: 4, latent: 4, embedding: 4}}
  - operator: generate
`

// piecesOfTake is how many clips chaosTake has.
const piecesOfTake = 3

// chaosTake is the i-th take of a fault run through segment, which cuts it into pieces of equal length: a sound each.
func chaosTake(i int) (label string, body []byte, bad bool) {
	label, body, bad = chaosRecording(i)
	if bad {
		return label, body, bad
	}
	const rate, length = 8000, 2400
	take := audio.Clip{Samples: make([]float32, piecesOfTake*length), Channels: 1, Rate: rate}
	for k := range piecesOfTake {
		clip, err := synth.Clip(label, uint64(piecesOfTake*i+k), rate)
		if err != nil { // The class exists.
			panic(err)
		}
		copy(take.Samples[k*length:(k+1)*length], clip.Samples)
	}
	body, err := wav.Encode(take, wav.Options{})
	if err != nil { // The rate can be written.
		panic(err)
	}
	return label, body, false
}

// faultRun sends recordings through a pipeline on a server, with faults. It is long: `make test-faults` runs it.
func faultRun(t *testing.T, o faults.Options) {
	t.Helper()
	if o.Clips = parameter(t, "FAULT_CLIPS", 0); o.Clips == 0 {
		t.Skip("set FAULT_CLIPS, or run make test-faults")
	}
	text, recording := []byte(faultPipeline), chaosRecording
	if file := os.Getenv("FAULT_PIPELINE"); file != "" {
		var err error
		if text, err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	spec, err := pipeline.ParseSpec(text)
	if err != nil {
		t.Fatal(err)
	}
	spec.NATS, spec.DataDir, spec.Listen, spec.Streams.Replicas = o.Spec.NATS, "", "", max(o.Spec.Streams.Replicas, 1)
	run := operatorCommand(t.TempDir())
	if len(spec.Inputs) > 0 {
		recording, o.Pieces = chaosTake, piecesOfTake
	}
	o.Spec, o.Registry, o.Recording = spec, operators(hooks{}), recording
	o.Request = func(i int) []byte {
		return fmt.Appendf(nil, `{"label": %q, "seed": %d}`, synth.Classes()[i%len(synth.Classes())], i)
	}
	o.Command = func(spec pipeline.Spec, stage string) (*exec.Cmd, error) {
		cmd, err := run(spec, stage)
		if err == nil {
			cmd.Env = append(os.Environ(), asCommand+"=1")
		}
		return cmd, err
	}
	o.Seed, o.Time = uint64(parameter(t, "FAULT_SEED", 1)), time.Duration(parameter(t, "FAULT_TIME", 0))*time.Second
	o.Settle = 10 * time.Minute
	result, err := faults.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", result)
	if !result.OK || result.Published != o.Clips {
		t.Errorf("seed %d: see above", o.Seed)
	}
}

// One server that is killed too. Faults begin before there is a model.
func TestFaultsOnOneServer(t *testing.T) {
	server := newNodes(t, 1)[0]
	if err := server.ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	faultRun(t, faults.Options{
		Spec: pipeline.Spec{NATS: server.url}, Kills: parameter(t, "FAULT_KILLS", 5), ServerKills: 2,
		RestartServer: func(ctx context.Context) error {
			server.kill()
			server.start()
			return server.ready(ctx)
		},
	})
}

// A cluster of three whose leaders are killed, and which loses a node with its data for good. Faults begin when clips are served.
func TestFaultsOnACluster(t *testing.T) {
	nodes := newNodes(t, 3)
	for _, n := range nodes {
		if err := n.ready(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	times := 0
	faultRun(t, faults.Options{
		Spec: pipeline.Spec{NATS: nodes[0].url, Streams: pipeline.StreamSpec{Replicas: 3}}, Kills: parameter(t, "FAULT_KILLS", 5) / 5, ServerKills: 3, Served: true,
		RestartServer: func(ctx context.Context) error {
			times++
			if times == 2 {
				nodes[2].kill()
				return os.RemoveAll(nodes[2].dir)
			}
			n := nodes[times%2] // One after the other, so that leaders are among them and two of three stay.
			n.kill()
			n.start()
			return n.ready(ctx)
		},
	})
}

// Bits that flip in the file of a stream lose outputs: no single server can keep them. Verify finds them by number, and
// puts their inputs into the stream again.
func TestFlippedBitsAreFoundAndRepaired(t *testing.T) {
	server := newNodes(t, 1)[0]
	if err := server.ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	spec, err := pipeline.ParseSpec([]byte("name: mill\nnats: " + server.url + spectrogramOnly))
	if err != nil {
		t.Fatal(err)
	}
	stages, err := spec.Stages(operators(hooks{}))
	if err != nil {
		t.Fatal(err)
	}
	// work runs the pipeline, does something beside it, and checks the pipeline.
	work := func(beside func(*pipeline.Bus) error) verify.Report {
		t.Helper()
		bus, err := pipeline.Open(t.Context(), spec, pipeline.BusOptions{})
		if err != nil {
			t.Fatal(err)
		}
		p, err := pipeline.Start(context.Background(), bus, operators(hooks{}), pipeline.Options{})
		if err != nil {
			t.Fatal(err)
		}
		err = beside(bus)
		report, verifyErr := verify.Run(t.Context(), bus, verify.Options{Stages: stages, Settle: time.Minute})
		ctx := context.WithoutCancel(t.Context())
		if err := errors.Join(err, verifyErr, p.Stop(ctx), bus.Close(ctx)); err != nil {
			t.Fatal(err)
		}
		return report
	}
	const clips = 40
	report := work(func(bus *pipeline.Bus) error {
		for i := range clips {
			label, body, _ := chaosRecording(i)
			if _, err := bus.Publish(t.Context(), &pipeline.Message{Type: pipeline.TypeAudio, Label: label, Body: body}); err != nil {
				return err
			}
		}
		return nil
	})
	if !report.OK {
		t.Fatalf("%s", report)
	}
	server.kill()
	flipBits(t, server.dir)
	server.start()
	if err := server.ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	report = work(func(*pipeline.Bus) error { return nil })
	if s := report.Stages[0]; report.OK || s.Missing == 0 || s.Missing == clips {
		t.Fatalf("the flipped bits are not found:\n%s", report)
	}
	t.Logf("%s", report)
	lost := report
	report = work(func(bus *pipeline.Bus) error {
		replayed, gone, err := verify.Replay(t.Context(), bus, lost, verify.Occasion(time.Now()))
		if uint64(replayed) != lost.Stages[0].Missing || gone > 0 {
			t.Errorf("%d replayed, %d gone", replayed, gone)
		}
		return err
	})
	if s := report.Stages[0]; !report.OK || s.Replayed != lost.Stages[0].Missing {
		t.Errorf("%s", report)
	}
}

// flipBits flips three bits in the middle of the files that hold spectrograms.
func flipBits(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "jetstream", "$G", "streams", "MILL_SPECTROGRAM", "msgs", "*.blk"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		block, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			block[len(block)/2+i*len(block)/20] ^= 0x10
		}
		if err := os.WriteFile(file, block, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
