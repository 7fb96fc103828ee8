package faults

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"wavemill/pipeline"
	"wavemill/pipeline/deadletter"
	"wavemill/pipeline/header"
	"wavemill/pipeline/verify"
)

// Options say what a fault run does.
type Options struct {
	// Spec is the scratch pipeline: its server and stages. Its name is replaced by a new one. Recordings are published on the first
	// of its inputs, or else on audio.
	Spec     pipeline.Spec
	Registry pipeline.Registry
	// Command returns the process that runs one stage of a spec until it is killed.
	Command func(spec pipeline.Spec, stage string) (*exec.Cmd, error)
	// Recording returns the i-th recording, the same for the same i, and whether it is one that becomes a dead letter.
	Recording func(i int) (label string, body []byte, bad bool)
	// Pieces is how many outputs the first stage makes of a good recording, where that is known and not what verify finds out: of a
	// [pipeline.Selector]. 0: not counted.
	Pieces int
	// Request returns the i-th request for a clip; nil: none is asked for. Requests go on while there are faults.
	Request func(i int) []byte
	// Served says that faults begin when the first request is answered, and with them all recordings but the first hundred, so that
	// requests meet faults. Otherwise both begin at once, and the first model may be served after the last fault.
	Served bool
	// RestartServer kills the server and starts it again on the same data; nil: the server is not ours to restart.
	RestartServer func(ctx context.Context) error

	Clips int           // Clips is how many recordings pass through.
	Time  time.Duration // Time is at least how long there are faults.
	Kills int           // Kills is how many operators are killed at least; there are faults until then.
	// ServerKills is how often RestartServer is called at least.
	ServerKills int
	Seed        uint64 // Seed chooses the faults and their moments.
	// Settle is how long the pipeline has after the last fault; 0: two minutes.
	Settle time.Duration
	// Log receives each fault; nil: nothing is logged.
	Log *slog.Logger
}

// A Result is what a fault run has done and found.
type Result struct {
	verify.Report
	Seed      uint64         `json:"seed"`
	Published int            `json:"published"`
	Faults    map[string]int `json:"faults"`
	Seconds   float64        `json:"seconds"`
	Made      int            `json:"made,omitempty"` // Made counts the outputs of the first stage, where Options.Pieces is set.
	// Answered counts the requests that were answered with a clip, and Unanswered those that met a fault, or no model.
	Answered   int `json:"answered,omitempty"`
	Unanswered int `json:"unanswered,omitempty"`
	// WrongLetters are dead letters about good recordings, and Unlettered bad recordings without one.
	WrongLetters []string `json:"wrong_letters,omitempty"`
	Unlettered   []string `json:"unlettered,omitempty"`
	// WrongPieces are recordings of which the first stage has made another number of outputs than Options.Pieces, and WrongClips
	// clips that were answered and are not in their stream once.
	WrongPieces []string `json:"wrong_pieces,omitempty"`
	WrongClips  []string `json:"wrong_clips,omitempty"`
}

// String is the report with the faults above it.
func (r Result) String() string {
	var faults []string
	for _, name := range slices.Sorted(maps.Keys(r.Faults)) {
		faults = append(faults, fmt.Sprintf("%d x %s", r.Faults[name], name))
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%d recordings in %.0f s, seed %d; faults: %s\n%s", r.Published, r.Seconds, r.Seed, strings.Join(faults, ", "), r.Report)
	if r.Made > 0 {
		fmt.Fprintf(&text, "\n%d outputs of the first stage", r.Made)
	}
	if r.Answered+r.Unanswered > 0 {
		fmt.Fprintf(&text, "\n%d requests answered with a clip, %d not", r.Answered, r.Unanswered)
	}
	for _, wrong := range []struct {
		what  string
		which []string
	}{
		{"good recordings became dead letters", r.WrongLetters},
		{"bad recordings have no dead letter", r.Unlettered},
		{"recordings have another number of outputs of the first stage", r.WrongPieces},
		{"answered clips are not in their stream once", r.WrongClips},
	} {
		if n := len(wrong.which); n > 0 {
			fmt.Fprintf(&text, "\n%d %s: %s", n, wrong.what, strings.Join(wrong.which[:min(n, 5)], ", "))
		}
	}
	return text.String()
}

// defaultSettle is Options.Settle where it is 0.
const defaultSettle = 2 * time.Minute

// ackWait is the lease of the stages in a fault run: short, so that what a killed process held comes again soon.
const ackWait = 2 * time.Second

// A run is one fault run.
type run struct {
	o        Options
	spec     pipeline.Spec // With the proxy as its server.
	bus      *pipeline.Bus // Directly on the server.
	proxy    *Proxy
	children children
	rng      *rand.Rand
	result   Result
}

// Run runs a scratch pipeline through faults, checks it and removes its streams. What it found is in the result; an error means that
// the run itself failed.
func Run(ctx context.Context, o Options) (result Result, err error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	server, err := url.Parse(o.Spec.NATS)
	if err != nil || server.Scheme != "nats" || server.Host == "" {
		return result, errors.New("a fault run needs one server at nats://host:port: its proxy cannot look into TLS")
	}
	r := &run{o: o, rng: rand.New(rand.NewPCG(o.Seed, 0x6661756c7473)), result: Result{Seed: o.Seed, Faults: map[string]int{}}}
	if r.proxy, err = NewProxy(server.Host); err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, r.proxy.Close()) }()
	direct := o.Spec.Routed(o.Registry)
	direct.Name = fmt.Sprintf("chaos-%08x", uint32(time.Now().UnixNano()))
	for i := range direct.Operators {
		direct.Operators[i].AckWait = ackWait
	}
	r.spec = direct
	server.Host = r.proxy.Addr()
	r.spec.NATS = server.String()
	if r.bus, err = pipeline.Open(ctx, direct, pipeline.BusOptions{Log: o.Log}); err != nil {
		return result, err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		err = errors.Join(err, r.bus.RemoveStreams(closing), r.bus.Close(closing))
	}()
	began := time.Now()
	asked, err := r.request(ctx)
	if err != nil {
		return r.result, err
	}
	err = r.disturb(ctx, asked)
	if err != nil {
		asked.cancel()
	}
	asked.end(cmp.Or(o.Settle, defaultSettle))
	if err == nil {
		err = r.check(ctx, asked)
	}
	r.result.Seconds = time.Since(began).Seconds()
	return r.result, errors.Join(err, r.children.killAll())
}

// disturb publishes the recordings through the proxy while faults happen, and ends with all operators running.
func (r *run) disturb(ctx context.Context, asked *requests) error {
	stages := r.spec.OperatorNames()
	r.children.running = map[string]*child{}
	r.children.command = func(stage string) (*exec.Cmd, error) { return r.o.Command(r.spec, stage) }
	for _, stage := range stages {
		if err := r.children.start(stage); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	published := make(chan error, 1) // The one result of the publisher.
	serving := asked.first
	if !r.o.Served || !asked.asks {
		serving = make(chan struct{})
		close(serving)
	}
	go func() { published <- r.publish(ctx, serving) }()
	settle := cmp.Or(r.o.Settle, defaultSettle)
	select {
	case <-serving:
	case <-time.After(settle):
		return fmt.Errorf("no request was answered within %s", settle)
	case <-ctx.Done():
		return ctx.Err()
	}
	began, done := time.Now(), false
	for !done || time.Since(began) < r.o.Time || r.result.Faults["kill"] < r.o.Kills || r.result.Faults["server killed"] < r.o.ServerKills {
		select {
		case err := <-published:
			if err != nil {
				return err
			}
			done = true
		case <-time.After(time.Duration(200+r.rng.IntN(600)) * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := r.fault(ctx, stages[r.rng.IntN(len(stages))]); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// publish publishes the recordings, as a client behind the proxy: the first of them at once, the others when a model is served.
func (r *run) publish(ctx context.Context, serving <-chan struct{}) error {
	client := r.spec.Client("")
	client.Streams.Bind = true
	bus, err := pipeline.OpenClient(ctx, client, pipeline.BusOptions{Streams: []string{}})
	for err != nil && ctx.Err() == nil { // The proxy may be cut just now.
		bus, err = pipeline.OpenClient(ctx, client, pipeline.BusOptions{Streams: []string{}})
	}
	if err != nil {
		return err
	}
	stream := pipeline.TypeAudio
	if len(r.spec.Inputs) > 0 {
		stream = r.spec.Inputs[0]
	}
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(publishers)
	for i := range r.o.Clips {
		if i == atOnce {
			select {
			case <-serving:
			case <-ctx.Done():
			}
		}
		group.Go(func() error {
			label, body, _ := r.o.Recording(i)
			name := sourceOf(i)
			m := &pipeline.Message{ID: name, Type: stream, Label: label, Body: body, Header: map[string]string{header.Source: name}}
			_, err := bus.Publish(working, m)
			return err
		})
	}
	if err = group.Wait(); err == nil {
		r.result.Published = r.o.Clips
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	_ = bus.Close(closing) // A connection that is just being cut cannot be drained.
	return err
}

const (
	publishers = 16  // Recordings that are published at the same time.
	atOnce     = 100 // Recordings that are published before a model is served: enough for a training.
)

func sourceOf(i int) string { return fmt.Sprintf("recording-%06d", i) }

// fault does one thing to the pipeline.
func (r *run) fault(ctx context.Context, stage string) error {
	kinds := []string{"kill", "kill", "kill", "pause", "cut", "delay", "half-open", "lost acks", "lost PubAcks", "consumer deleted", "stream full"}
	if r.o.RestartServer != nil {
		kinds = append(kinds, "server killed")
	}
	kind := kinds[r.rng.IntN(len(kinds))]
	r.result.Faults[kind]++
	r.o.Log.Info("fault", "kind", kind, "stage", stage)
	span := time.Duration(500+r.rng.IntN(1500)) * time.Millisecond
	switch kind {
	case "kill":
		return errors.Join(r.children.kill(stage), r.children.start(stage))
	case "pause":
		paused := r.children.of(stage).cmd.Process
		if pause(paused) != nil { // It has ended by itself.
			return ctx.Err()
		}
		wait(ctx, ackWait+span)
		_ = resume(paused) // As it was paused.
	case "cut":
		r.proxy.Cut()
	case "delay":
		r.proxy.Delay(50 * time.Millisecond)
		wait(ctx, span)
		r.proxy.Delay(0)
	case "half-open":
		r.proxy.HalfOpen()
		wait(ctx, span)
		r.proxy.Forward()
		r.proxy.Cut()
	case "lost acks":
		r.proxy.DropAcks()
		wait(ctx, span)
		r.proxy.Forward()
	case "lost PubAcks":
		r.proxy.DropPubAcks()
		wait(ctx, span)
		r.proxy.Forward()
	case "consumer deleted":
		r.attempt(ctx, kind, func() error { return r.deleteConsumer(ctx, stage) })
	case "stream full":
		r.attempt(ctx, kind, func() error { return r.fill(ctx, span) })
	case "server killed":
		return r.o.RestartServer(ctx)
	}
	return ctx.Err()
}

// attempt makes a change on the server, which an election or a restart may keep from happening just now.
func (r *run) attempt(ctx context.Context, kind string, change func() error) {
	if err := change(); err != nil && ctx.Err() == nil {
		r.result.Faults[kind]--
		r.result.Faults["failed: "+kind]++
		r.o.Log.Warn("the server did not make this change", "kind", kind, "error", err)
	}
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func (r *run) deleteConsumer(ctx context.Context, stage string) error {
	stages, err := r.spec.Stages(r.o.Registry)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(stages, func(s pipeline.StageInfo) bool { return s.Name == stage })
	if i < 0 || stages[i].From == "" {
		return nil
	}
	err = r.bus.JetStream().DeleteConsumer(ctx, r.spec.StreamName(stages[i].From), r.spec.ConsumerName(stage))
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return nil // It was deleted before, and the operator has not come to it.
	}
	return err
}

// fill makes the stream of spectrograms refuse messages for a while. An operator that starts meanwhile ends that early.
func (r *run) fill(ctx context.Context, d time.Duration) error {
	js, name := r.bus.JetStream(), r.spec.StreamName(pipeline.TypeSpectrogram)
	stream, err := js.Stream(ctx, name)
	if err != nil {
		return err
	}
	config := stream.CachedInfo().Config
	config.MaxBytes = int64(max(stream.CachedInfo().State.Bytes, 1))
	if _, err := js.UpdateStream(ctx, config); err != nil {
		return err
	}
	wait(ctx, d)
	config.MaxBytes = -1
	for { // Until it has room again.
		if _, err = js.UpdateStream(ctx, config); err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		wait(ctx, 100*time.Millisecond)
	}
}

// check waits for the messages in flight and verifies the pipeline.
func (r *run) check(ctx context.Context, asked *requests) error {
	stages, err := r.spec.Stages(r.o.Registry)
	if err != nil {
		return err
	}
	settle := cmp.Or(r.o.Settle, defaultSettle)
	for deadline := time.Now().Add(settle); ; wait(ctx, time.Second) { // An election may keep the server from answering.
		r.result.Report, err = verify.Run(ctx, r.bus, verify.Options{Stages: stages, Settle: settle})
		if err == nil {
			break
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			return err
		}
	}
	letters := map[string]bool{}
	for l, err := range r.bus.DeadLetters().List(ctx, deadletter.Filter{}) {
		if err != nil {
			return err
		}
		letters[recordingOf(l.Source)] = true
	}
	for i := range r.result.Published {
		source := sourceOf(i)
		switch _, _, bad := r.o.Recording(i); {
		case bad && !letters[source]:
			r.result.Unlettered = append(r.result.Unlettered, source)
		case !bad && letters[source]:
			r.result.WrongLetters = append(r.result.WrongLetters, source)
		}
	}
	if err := errors.Join(r.pieces(ctx, stages[0].To), r.clips(ctx, asked)); err != nil {
		return err
	}
	wrong := len(r.result.Unlettered) + len(r.result.WrongLetters) + len(r.result.WrongPieces) + len(r.result.WrongClips)
	pending := slices.ContainsFunc(r.result.Stages, func(s verify.Stage) bool { return s.Pending > 0 })
	r.result.OK = r.result.OK && !pending && wrong == 0
	return nil
}
