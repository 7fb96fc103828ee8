package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"wavemill/audio/dataset"
	"wavemill/audio/synth"
	"wavemill/audio/wav"
	"wavemill/internal/oracle"
	"wavemill/operators/files"
	"wavemill/operators/train"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// soakTime is the environment variable with the length of the soak; without it, the short form runs.
const soakTime = "WAVEMILL_SOAK"

// soakRounds is how often new recordings are published in the long form, at most.
const soakRounds = 30

// A soak is a pipeline in processes of its own: `up` with the server, the spectrograms and the answers, and two trainers. A client
// asks for a clip every 200 ms.
type soak struct {
	t     *testing.T
	dir   string
	url   string
	bus   *pipeline.Bus
	told  *nats.Subscription
	items []dataset.Item // Not published yet.
	clips int            // Of the first training.
	more  int            // Of each further one.

	trainers [2]*exec.Cmd

	mu        sync.Mutex
	latencies []time.Duration
	failures  []string
	answers   map[string]int  // By the digest of the model.
	last      string          // The digest of the last answer.
	swaps     int             // Changes of it.
	accepted  map[string]bool // Digests that the gate has accepted; of the goroutine of the test.
}

// Serving goes on through new versions, clips with wrong labels, a roll-back and the death of the active trainer: no request
// fails, and every answer is of a version that has passed the gate. WAVEMILL_SOAK=15m, or `make soak-serve`, is the long form,
// with ten versions of spoken digits; the short one has two, of short synthetic clips.
func TestServingSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("runs three processes for a minute")
	}
	s := &soak{t: t, dir: t.TempDir(), answers: map[string]int{}, accepted: map[string]bool{}}
	length, swaps := time.Duration(0), 2
	if text := os.Getenv(soakTime); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatalf("%s: %v", soakTime, err)
		}
		swaps = max(2, int(length/(90*time.Second))) // Ten in a quarter of an hour.
		s.digits()
	} else {
		s.synthetic()
	}
	began := time.Now()
	s.start()
	asking, stop := context.WithCancel(t.Context())
	var client sync.WaitGroup

	s.publish(s.clips, nil)
	if n := s.gate(); !n.Gate.Accepted {
		t.Fatalf("the first model: %+v", n)
	}
	s.until("a first answer", func() bool { return s.ask(0) == nil })
	client.Go(func() { s.askOn(asking) })
	poisoned, rolledBack := false, false
	next := time.NewTicker(max(length/soakRounds, time.Millisecond)) // The recordings must last.
	defer next.Stop()
	for s.swapped() < swaps || time.Since(began) < length {
		if len(s.items) < 2*s.more {
			t.Logf("there are no more recordings after %v", time.Since(began))
			break
		}
		before := s.swapped()
		s.publish(s.more, nil)
		if n := s.gate(); n.Gate.Accepted {
			s.until("the new version answers", func() bool { return s.swapped() > before })
		}
		if s.swapped() > 0 && !poisoned {
			poisoned = true
			s.poison()
		}
		if s.swapped() > 1 && !rolledBack {
			rolledBack = true
			s.rollback()
		}
		<-next.C
	}
	stop()
	client.Wait()
	s.report(time.Since(began), poisoned, rolledBack)
}

// synthetic prepares short clips of three classes.
func (s *soak) synthetic() {
	s.clips, s.more = 90, 36
	folder := filepath.Join(s.dir, "clips")
	for i := range 320 {
		class := []string{"bell", "hihat", "kick"}[i%3]
		c, err := synth.Clip(class, uint64(i), 8000)
		if err == nil {
			c.Samples = c.Samples[:1600]
			err = errors.Join(os.MkdirAll(filepath.Join(folder, class), 0o755), wav.WriteFile(filepath.Join(folder, class, fmt.Sprintf("%03d.wav", i)), c, wav.Options{}))
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
	s.scan(folder)
}

// digits takes the spoken digits beside the repository.
func (s *soak) digits() {
	folder, err := filepath.Abs("../../../shared/data/fsdd")
	if _, errStat := os.Stat(folder); err != nil || errStat != nil {
		oracle.Missing(s.t, "the recordings are not beside the repository: %v", errors.Join(err, errStat))
	}
	s.clips, s.more = 400, 60
	s.scan(folder)
}

func (s *soak) scan(folder string) {
	set, err := dataset.Scan(s.t.Context(), []string{folder}, dataset.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	s.items = set.Items
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(s.items), func(i, j int) { s.items[i], s.items[j] = s.items[j], s.items[i] })
}

// start starts the processes and connects to their server.
func (s *soak) start() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close() // The server takes the port.
	s.url = "nats://" + address
	stages := map[string]string{
		"up": `
listen: ` + address + `
data_dir: ` + filepath.Join(s.dir, "data") + `
operators:
  - {operator: spectrogram, config: {rate: 8000, duration: ` + map[bool]string{true: "200ms", false: "600ms"}[s.clips < 100] + `}}
  - {operator: generate, config: {shadow_share: 0.5, shadow_requests: 5, shadow_for: 20s}}
`,
		"train": fmt.Sprintf(`
nats: %s
operators:
  - operator: train
    config: {config: {channels: 4, latent: 4, embedding: 4}, steps: 60, batch_size: 16, seed: 5, eval_every: 1000, best_by: last, holdout: 0.2, min_clips: %d, wait_for: %[2]d, idle: 1s, again: %d, again_share: 0.01, lease: 2s}
`, s.url, s.clips, s.more),
	}
	for name, text := range stages {
		if err := os.WriteFile(filepath.Join(s.dir, name+".yaml"), []byte("name: soak"+text), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	s.child("up", "-f", filepath.Join(s.dir, "up.yaml"))
	s.until("the server answers", func() bool {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	for i := range s.trainers {
		s.trainers[i] = s.child("operator", "train", "-f", filepath.Join(s.dir, "train.yaml"))
	}
	spec := pipeline.Spec{Name: "soak", NATS: s.url}
	s.until("the streams are there", func() bool {
		s.bus, err = pipeline.OpenClient(s.t.Context(), spec, pipeline.BusOptions{})
		return err == nil
	})
	s.t.Cleanup(func() {
		if err := closeBus(context.Background(), s.bus); err != nil {
			s.t.Log(err)
		}
	})
	if s.told, err = s.bus.Conn().SubscribeSync("soak.model.progress"); err != nil {
		s.t.Fatal(err)
	}
}

// child starts wavemill as a process of its own, whose log is shown when the test fails.
func (s *soak) child(args ...string) *exec.Cmd {
	cmd, out := process(s.t, args...)
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGKILL) // It may be dead already.
		_ = cmd.Wait()
		if s.t.Failed() {
			s.t.Logf("%v:\n%s", args, out)
		}
	})
	return cmd
}

// until polls f.
func (s *soak) until(what string, f func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(4 * time.Minute); !f(); time.Sleep(20 * time.Millisecond) { // A poll.
		if time.Now().After(deadline) {
			s.t.Fatalf("not within four minutes: %s", what)
		}
	}
}

// publish publishes the next recordings; relabel, where not nil, changes their labels.
func (s *soak) publish(n int, relabel func(string) string) {
	s.t.Helper()
	for _, item := range s.items[:n] {
		m, err := files.Message(item)
		if err != nil {
			s.t.Fatal(err)
		}
		if relabel != nil {
			m.Label, m.ID = relabel(m.Label), "poison "+item.Path
			m.SetHeader(header.Source, "poison "+m.Header[header.Source])
		}
		if _, err := s.bus.Publish(s.t.Context(), m); err != nil {
			s.t.Fatal(err)
		}
	}
	s.items = s.items[n:]
}

// gate waits for the next decision of the gate.
func (s *soak) gate() train.Notice {
	s.t.Helper()
	for deadline := time.Now().Add(20 * time.Minute); time.Now().Before(deadline); {
		msg, err := s.told.NextMsg(time.Second)
		if err != nil {
			continue
		}
		var n train.Notice
		if err := json.Unmarshal(msg.Data, &n); err != nil {
			s.t.Fatal(err)
		}
		if n.Gate == nil {
			continue
		}
		if digest := s.digestOf(n); n.Gate.Accepted && digest != "" {
			s.accepted[digest] = true
		}
		s.t.Logf("%s: version %d, step %d, %s; accuracy %v, distance %v, new clips %v, %.1f s", n.Kind, n.Version, n.Step, n.Reason, figure(n.Gate.New, "accuracy"), figure(n.Gate.New, "distance"), n.Gate.NewClips, n.Gate.Seconds)
		return n
	}
	s.t.Fatal("the gate does not decide")
	return train.Notice{}
}

// digestOf is the digest of the version that a notice is about, if it is kept.
func (s *soak) digestOf(n train.Notice) string {
	e, err := s.bus.Models().Get(s.t.Context(), "vae")
	if err != nil {
		return ""
	}
	v, _ := e.At(n.Version)
	return v.Digest
}

func figure(f *train.Figures, name string) *train.Figure {
	switch {
	case f == nil:
		return nil
	case name == "accuracy":
		return f.Accuracy
	}
	return f.Distance
}

// ask asks for one clip.
func (s *soak) ask(seed int) error {
	labels := map[bool][]string{true: {"bell", "hihat", "kick"}, false: {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}}[s.clips < 100]
	reply, err := s.bus.Conn().Request("soak.generate", fmt.Appendf(nil, `{"label":%q,"seed":%d}`, labels[seed%len(labels)], seed), time.Minute)
	if err != nil {
		return err
	}
	if text := reply.Header.Get("Nats-Service-Error"); text != "" {
		return errors.New(text)
	}
	digest := reply.Header.Get(header.Model)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[digest]++
	if s.last != "" && s.last != digest {
		s.swaps++
	}
	s.last = digest
	return nil
}

// askOn asks every 200 ms until ctx is done.
func (s *soak) askOn(ctx context.Context) {
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for seed := 1; ; seed++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		began := time.Now()
		err := s.ask(seed)
		s.mu.Lock()
		s.latencies = append(s.latencies, time.Since(began))
		if err != nil {
			s.failures = append(s.failures, fmt.Sprintf("request %d: %v", seed, err))
		}
		s.mu.Unlock()
	}
}

func (s *soak) swapped() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.swaps
}

// poison publishes clips with wrong labels, which the gate must refuse, takes them out of the stream again, and kills the active
// trainer, so that the other one reads the stream anew.
func (s *soak) poison() {
	s.t.Helper()
	names := slices.Sorted(maps.Keys(map[string]bool{"bell": true, "hihat": true, "kick": true}))
	s.publish(s.more, func(label string) string {
		if at := slices.Index(names, label); at >= 0 {
			return names[(at+1)%len(names)]
		}
		return string('0' + (label[0]-'0'+3)%10)
	})
	if n := s.gate(); n.Gate.Accepted {
		s.t.Errorf("clips with wrong labels: %+v", n)
	}
	for _, stream := range []string{pipeline.TypeSpectrogram, pipeline.TypeAudio} {
		js, err := s.bus.JetStream().Stream(s.t.Context(), s.bus.Spec().StreamName(stream))
		if err != nil {
			s.t.Fatal(err)
		}
		for m, err := range s.bus.Messages(s.t.Context(), pipeline.Subscription{Stream: stream, From: 1, Last: true}) {
			if err != nil {
				s.t.Fatal(err)
			}
			if strings.HasPrefix(m.Header[header.Source], "poison ") {
				if err := js.DeleteMsg(s.t.Context(), m.Sequence); err != nil {
					s.t.Fatal(err)
				}
			}
		}
	}
	entries, err := s.bus.Models().Entries(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	lease, err := entries.Get(s.t.Context(), train.Lease("vae"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, cmd := range s.trainers {
		if strings.Contains(string(lease.Value()), fmt.Sprintf("process %d\"", cmd.Process.Pid)) {
			s.t.Logf("the active trainer is killed: %s", lease.Value())
			_ = cmd.Process.Kill() // It runs: it holds the lease.
			return
		}
	}
	s.t.Errorf("no trainer holds the lease: %s", lease.Value())
}

// rollback takes the served version back by hand.
func (s *soak) rollback() {
	s.t.Helper()
	before := s.swapped()
	if code, _, stderr := runCLI(s.t, "models", "rollback", "vae", "--nats", s.url, "--pipeline", "soak", "--reason", "a drill"); code != exitOK {
		s.t.Fatalf("roll-back: exit code %d, %s", code, stderr)
	}
	s.until("the version before answers", func() bool { return s.swapped() > before })
}

// report checks the outcome, and logs it.
func (s *soak) report(took time.Duration, poisoned, rolledBack bool) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	ungated := 0
	for digest, n := range s.answers {
		if !s.accepted[digest] {
			ungated += n
		}
	}
	slices.Sort(s.latencies)
	at := func(q float64) time.Duration { return s.latencies[int(q*float64(len(s.latencies)-1))] }
	s.t.Logf("%v: %d requests, %d failed, %d versions answered, %d changes, %d answers of a version that was not accepted; p50 %v, p99 %v, longest %v",
		took.Round(time.Second), len(s.latencies), len(s.failures), len(s.answers), s.swaps, ungated, at(0.5), at(0.99), at(1))
	if len(s.failures) > 0 || ungated > 0 || !poisoned || !rolledBack {
		s.t.Errorf("poisoned: %t, rolled back: %t, failures: %q", poisoned, rolledBack, s.failures)
	}
}
