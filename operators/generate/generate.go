// Package generate is the operator that serves requests for generated clips.
//
// It is a NATS micro service on <pipeline>.generate, visible to $SRV.PING, INFO and STATS; replicas share the requests.
// A request is JSON, see [Request]. Every clip is published on <pipeline>.clip.<label>. The answer to a request for one
// clip is the WAV file itself, with headers; for more, it is a [Listing] of where each clip is stored. A failed request
// is answered with the headers Nats-Service-Error and Nats-Service-Error-Code, and the same as JSON in the body.
//
// The operator answers from its first model on: a new replica takes no request before it has one, and one that stops takes
// none any more before it finishes those that have arrived. Where no replica has a model, a request has no responders.
//
// The model comes from the pipeline's model store. A newer version is first on trial (Config.ShadowShare); with ShadowShare
// 0 it replaces the model as soon as it is stored. Requests that are in progress end with the model they began with. Package
// sampling generates the clips: a clip, and so its message ID, is a function of model, label, seed, temperature, steps,
// duration, loop, pitch, mix, given clips and their strength, and format. A clip that is requested twice within the stream's
// duplicate window is stored once.
package generate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"gonum.org/v1/gonum/stat"

	"wavemill/audio"
	"wavemill/audio/wav"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/sampling"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// ContentType is the media type of clips.
const ContentType = "audio/wav"

// Config is the operator's configuration.
type Config struct {
	// Model is the model's name in the pipeline's model store.
	Model string `yaml:"model"`
	// File is a checkpoint file to use instead of the store; it is never replaced.
	File string `yaml:"file"`
	// MaxN bounds the clips of one request.
	MaxN int `yaml:"max_n"`
	// Timeout is how long one request may take.
	Timeout time.Duration `yaml:"timeout"`
	// Concurrency is how many clips are generated at once; 0: as many as there are processors.
	Concurrency int `yaml:"concurrency"`
	// StoreFirst answers a request for one clip after its stream has the clip. Without it the answer comes first, which saves the
	// time that the server takes to sync the clip to disk. A clip that its stream does not take within Timeout of the answer, or
	// within five seconds of a stop, is logged and counted; one of a process that is killed after the answer may be missing.
	StoreFirst bool `yaml:"store_first"`
	// ShadowShare is the share of requests for one clip that is watched: the confidence of the classifier is noted, and while a
	// new version is on trial, it answers them too, unseen. 0: new versions are used at once, and never taken back. The default
	// costs a tenth of a replica's time during a trial.
	ShadowShare float64 `yaml:"shadow_share"`
	// ShadowRequests is how many watched requests end a trial, and ShadowFor how long it takes at most.
	ShadowRequests int           `yaml:"shadow_requests"`
	ShadowFor      time.Duration `yaml:"shadow_for"`
	// Rollback uses the version before again when the classifier is less sure of the answers of the new one.
	Rollback bool `yaml:"rollback"`
}

// Defaults are the configuration of an empty document.
func Defaults() Config {
	return Config{Model: "vae", MaxN: 1000, Timeout: 2 * time.Minute, StoreFirst: true, ShadowShare: 0.1, ShadowRequests: 20, ShadowFor: time.Minute, Rollback: true}
}

// Hooks connect the operator with the program around it. All may be nil; several goroutines call them.
type Hooks struct {
	// Judge returns the probability of the label that an independent classifier assigns to a clip, in [0, 1], or false
	// where there is no classifier. It becomes the Wavemill-Confidence header.
	Judge func(ctx context.Context, clip audio.Clip, label string) (float64, bool)
	// OnModel is called with the digest of every model that is opened.
	OnModel func(digest string)
	// Open replaces models/architectures.
	Open func(models.Checkpoint) (models.Generator, error)
}

// Factory builds the operator.
func Factory(h Hooks) pipeline.Factory {
	if h.Open == nil {
		h.Open = architectures.Open
	}
	return pipeline.Typed(Defaults(), func(c Config, env pipeline.Env) (pipeline.Operator, error) {
		if c.MaxN < 1 || c.Timeout <= 0 || c.Concurrency < 0 {
			return nil, errors.New("max_n and timeout must be positive, concurrency not negative")
		}
		if c.File == "" && (c.Model == "" || pipeline.Slug(c.Model) != c.Model) {
			return nil, errors.New("model: use letters, digits, - and _")
		}
		if c.Concurrency == 0 {
			c.Concurrency = runtime.GOMAXPROCS(0)
		}
		if !(c.ShadowShare >= 0 && c.ShadowShare <= 1) || c.ShadowRequests < leastWatched || c.ShadowFor <= 0 {
			return nil, fmt.Errorf("shadow_share must be between 0 and 1, shadow_requests at least %d, and shadow_for positive", leastWatched)
		}
		return newOperator(c, env, h), nil
	})
}

func newOperator(c Config, env pipeline.Env, h Hooks) *operator {
	o := &operator{
		config: c, env: env, hooks: h, log: env.Log, slots: make(chan token, c.Concurrency), arrived: make(chan token, 1),
		open: make(chan token, mostOpen), queue: make(chan job, mostOpen), left: make(chan token), meters: newMeters(),
	}
	o.audit = &auditor{
		config: c, hooks: h, log: env.Log, samples: make(chan sample, 8), changed: make(chan token, 1),
		use: func(s *sampling.Sampler) { o.replace(s) }, withdraw: o.withdraw, tell: o.notify,
	}
	return o
}

type operator struct {
	config  Config
	env     pipeline.Env
	hooks   Hooks
	log     *slog.Logger
	slots   chan token // Holds one value per clip, or batch in the network, that is being generated.
	open    chan token // Holds one value per valid request that has not been answered.
	queue   chan job   // Requests for one clip. It never blocks: it is as long as open.
	audit   *auditor
	sampler atomic.Pointer[sampling.Sampler]
	running sync.WaitGroup // Accepted requests.
	left    chan token     // Closed when no more requests are to come.

	joined  bool       // Requests arrive; of the goroutine of Run.
	arrived chan token // Capacity 1: a request has arrived since it was read last.

	mu       sync.Mutex
	stopping bool    // No more of them, soon.
	counts   Details // Of requests.
	meters   meters
}

type token struct{}

var (
	_ pipeline.Producer = (*operator)(nil)
	_ pipeline.Runner   = (*operator)(nil)
	_ pipeline.Readier  = (*operator)(nil)
	_ pipeline.Detailer = (*operator)(nil)

	_ pipeline.ModelUser = (*operator)(nil)
)

// Output implements pipeline.Producer.
func (o *operator) Output() string { return pipeline.TypeClip }

// UsesModel implements pipeline.ModelUser.
func (o *operator) UsesModel() string {
	if o.config.File != "" {
		return ""
	}
	return o.config.Model
}

// Process returns an error: this operator reads no stream.
func (o *operator) Process(context.Context, *pipeline.Message, pipeline.Emit) error {
	return pipeline.Errorf(pipeline.Invalid, "generate reads no stream; send requests to %s.generate", o.env.Pipeline)
}

// Run answers requests, from the first model on, until ctx is done, and then finishes those that have arrived.
func (o *operator) Run(ctx context.Context) error {
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	var workers sync.WaitGroup
	workers.Go(o.batches)
	workers.Go(func() { o.audit.run(working) })
	defer workers.Wait()
	defer stop()
	defer close(o.queue) // Nothing is taken any more.
	if o.config.File != "" {
		if err := o.useFile(ctx); err != nil {
			return err
		}
	} else {
		o.follow(ctx)
	}
	<-ctx.Done()
	return o.leave(context.WithoutCancel(ctx))
}

// useFile uses the checkpoint of the configuration.
func (o *operator) useFile(ctx context.Context) error {
	c, err := models.Read(o.config.File)
	if err != nil {
		return err
	}
	s, err := sampling.OpenWith(c, o.hooks.Open)
	if err != nil {
		return err
	}
	return o.use(ctx, s)
}

// join begins to answer requests, if it has not begun: other replicas get them all while this one has no model. It belongs
// to the goroutine of Run, and holds no lock: the service asks for Details under a lock of its own.
func (o *operator) join(ctx context.Context) error {
	if o.joined || ctx.Err() != nil {
		return nil
	}
	working := context.WithoutCancel(ctx)
	err := o.env.Service.AddEndpoint("generate", micro.HandlerFunc(func(r micro.Request) { o.take(working, r) }),
		micro.WithEndpointSubject(o.env.Pipeline+".generate"),
		micro.WithEndpointMetadata(map[string]string{"request": `{"label":"three","n":1,"seed":7,"temperature":0.9,"format":"wav","mix":{"label":"seven","weight":0.3}}`}))
	if err != nil {
		return fmt.Errorf("answer requests on %s.generate: %w", o.env.Pipeline, err)
	}
	o.joined = true
	return nil
}

// quiet is how long no request must have arrived before the operator takes all to have been seen that the server had sent
// it when it left. They are in the memory of this process, and each is seen at once when the one before has a slot.
const quiet = 100 * time.Millisecond

// leave stops requests from arriving and finishes those that have.
func (o *operator) leave(ctx context.Context) error {
	close(o.left)
	err := o.env.Service.Stop()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if o.env.Bus.Conn().IsConnected() { // The answer to a ping comes after all that the server has sent.
		err = errors.Join(err, o.env.Bus.Conn().FlushWithContext(ctx))
	}
	for seen := true; seen; {
		o.running.Wait()
		select {
		case <-o.arrived:
		case <-time.After(quiet):
			seen = false
		}
	}
	o.mu.Lock()
	o.stopping = true
	o.mu.Unlock()
	o.running.Wait()
	return err
}

// Ready implements pipeline.Readier.
func (o *operator) Ready() error {
	if o.sampler.Load() == nil {
		return errNoModel
	}
	return nil
}

// Details is what the operator tells about itself in its status, and as data in $SRV.STATS. The statistics of the micro
// service itself end when a request has been accepted, and do not know how it ended.
type Details struct {
	Model    string            `json:"model,omitempty"` // Model is the digest of the model in use.
	Labels   int               `json:"labels"`
	Requests uint64            `json:"requests"`           // Requests counts those that have been answered.
	Failed   map[string]uint64 `json:"failed,omitempty"`   // Failed counts by error code those that were answered with an error.
	Clips    uint64            `json:"clips"`              // Clips counts generated clips.
	Seconds  float64           `json:"processing_seconds"` // Seconds is the time from arrival to answer, summed over requests.

	Unstored   uint64  `json:"unstored,omitempty"`   // Unstored counts clips that were answered and could not be stored.
	Candidate  string  `json:"candidate,omitempty"`  // Candidate is the digest of the version on trial.
	Compared   int     `json:"compared,omitempty"`   // Compared counts its shadow answers.
	Confidence float64 `json:"confidence,omitempty"` // Confidence is the mean of that in watched answers of the model in use.
	Rollbacks  uint64  `json:"rollbacks"`            // Rollbacks counts the versions that this replica has taken back.
}

// Details implements pipeline.Detailer.
func (o *operator) Details() any {
	o.mu.Lock()
	d := o.counts
	d.Failed = maps.Clone(d.Failed)
	o.mu.Unlock()
	if m := o.sampler.Load(); m != nil {
		d.Model, d.Labels = m.Digest, len(m.Labels)
	}
	d.Candidate = o.audit.trying()
	o.audit.mu.Lock()
	defer o.audit.mu.Unlock()
	d.Compared, d.Rollbacks = len(o.audit.gains), o.audit.rollbacks
	if len(o.audit.confidence) > 0 {
		d.Confidence = stat.Mean(o.audit.confidence, nil)
	}
	return d
}

// answered counts a request; code is empty for one that was fulfilled.
func (o *operator) answered(since time.Time, clips int, code string) {
	o.meters.durations.Observe(time.Since(since).Seconds())
	o.mu.Lock()
	defer o.mu.Unlock()
	o.counts.Requests++
	o.counts.Seconds += time.Since(since).Seconds()
	if code == "" {
		o.counts.Clips += uint64(clips)
		return
	}
	if o.counts.Failed == nil {
		o.counts.Failed = map[string]uint64{}
	}
	o.counts.Failed[code]++
}

// A task is a valid request, and the model that serves it.
type task struct {
	Request
	temperature float64 // as [sampling.Provenance] has it
	encoding    wav.Encoding
	sampler     *sampling.Sampler
	reply       string // Subject of the answer.
	trace       string // The request's traceparent; empty: none.
}

// guarded calls f and returns a panic as an error: one request does not end the process.
func guarded[T any](log *slog.Logger, f func() (T, error)) (result T, err error) {
	defer func() {
		if r := recover(); r != nil {
			log.Error("a request led to a panic", "panic", r, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return f()
}

// begin counts an accepted request. It returns false when the operator is stopping.
func (o *operator) begin() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.stopping {
		o.running.Add(1)
	}
	select {
	case o.arrived <- token{}:
	default:
	}
	return !o.stopping
}

// check parses a request and checks it against the model.
func (o *operator) check(r micro.Request) (task, error) {
	m := o.sampler.Load()
	if m == nil {
		return task{}, errNoModel
	}
	t, err := parseRequest(r.Data(), o.config.MaxN)
	if err != nil {
		return task{}, err
	}
	request := t.Request
	asked := []string{request.Label}
	if request.Mix != nil {
		asked = append(asked, request.Mix.Label)
	}
	for _, label := range asked {
		if _, err := m.Label(label); err != nil {
			return task{}, err
		}
	}
	if request.Like != nil || request.Mix != nil && request.Mix.Like != nil {
		if !m.CanEncode() {
			return task{}, fmt.Errorf("%w: %w; this is a %s", errUsage, sampling.ErrNoEncoder, m.Arch)
		}
	}
	if request.Mix != nil && !m.CanBlend() {
		return task{}, fmt.Errorf("%w: a model of architecture %s cannot mix labels", errUsage, m.Arch)
	}
	if err := m.CheckSteps(request.Steps); err != nil {
		return task{}, fmt.Errorf("%w: %w", errUsage, err)
	}
	t.sampler, t.reply, t.trace = m, r.Reply(), traceOf(r)
	return t, nil
}

// fulfil generates and publishes the clips of a request for several clips, or with given ones, and returns the answer.
func (o *operator) fulfil(ctx context.Context, t task) (*nats.Msg, error) {
	ps, err := o.encode(ctx, t)
	if err != nil {
		return nil, err
	}
	if len(ps) == 1 {
		clip, err := o.generate(ctx, t, ps[0])
		if err != nil {
			return nil, err
		}
		sent, err := o.publish(ctx, t, clip)
		if err != nil {
			return nil, err
		}
		return &nats.Msg{Header: sent.headers(), Data: sent.body}, nil
	}
	clips, err := o.series(ctx, t, ps)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(Listing{Label: t.Label, Model: t.sampler.Digest, Seed: *t.Seed, Clips: clips})
	if err != nil {
		return nil, fmt.Errorf("listing: %w", err)
	}
	return &nats.Msg{Header: nats.Header{header.ContentType: {"application/json"}}, Data: data}, nil
}

// encode describes the clips of a task. It holds a slot, because given clips go through the network.
func (o *operator) encode(ctx context.Context, t task) ([]sampling.Provenance, error) {
	if err := o.slot(ctx); err != nil {
		return nil, err
	}
	defer func() { <-o.slots }()
	return t.provenances(ctx)
}

// generate makes one clip. It holds a slot.
func (o *operator) generate(ctx context.Context, t task, p sampling.Provenance) (sampling.Clip, error) {
	if err := o.slot(ctx); err != nil {
		return sampling.Clip{}, err
	}
	defer func() { <-o.slots }()
	return t.sampler.Generate(ctx, p)
}
