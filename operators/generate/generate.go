// Package generate is the operator that answers wishes for clips.
//
// It is a NATS micro service on <pipeline>.generate, visible to $SRV.PING, INFO and STATS; replicas share the requests.
// A request is JSON, see [Request]. Every clip is published on <pipeline>.clip.<label>. Asked for one, the answer is
// the WAV itself, with headers; asked for more, a [Listing] that says where each is. A wish that cannot be fulfilled is
// answered with Nats-Service-Error and Nats-Service-Error-Code, and the same in the body as JSON.
//
// The model comes from the pipeline's model store, and is replaced as soon as a newer version is there: requests that
// have begun end with the model they began with. Clips are a function of model, label, seed and temperature, and so is
// their id: asked for twice within the stream's duplicate window, a clip is stored once.
package generate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/micro"
	"golang.org/x/sync/errgroup"

	"wavemill/audio"
	"wavemill/audio/wav"
	"wavemill/models"
	"wavemill/models/archs"
	"wavemill/pipeline"
	"wavemill/pipeline/artifact"
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
	// Timeout ends a request.
	Timeout time.Duration `yaml:"timeout"`
	// Concurrency is how many clips are made at once; 0: as many as there are processors.
	Concurrency int `yaml:"concurrency"`
}

// Defaults are the configuration of an empty document.
func Defaults() Config {
	return Config{Model: "vae", MaxN: 1000, Timeout: 2 * time.Minute}
}

// Hooks let the program around the operator take part. All may be nil; they are called by several goroutines.
type Hooks struct {
	// Judge says how confidently an independent listener hears the label in a clip, in [0, 1], or false where there is
	// none. It becomes the Wavemill-Confidence header.
	Judge func(ctx context.Context, clip audio.Clip, label string) (float64, bool)
	// OnModel is told the digest of every model that is put to use.
	OnModel func(digest string)
	// Open replaces models/archs.
	Open func(models.Checkpoint) (models.Generator, error)
}

// Factory builds the operator.
func Factory(h Hooks) pipeline.Factory {
	if h.Open == nil {
		h.Open = archs.Open
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
		return &operator{config: c, env: env, hooks: h, log: env.Log, slots: make(chan struct{}, c.Concurrency)}, nil
	})
}

type operator struct {
	config  Config
	env     pipeline.Env
	hooks   Hooks
	log     *slog.Logger
	slots   chan struct{} // One for every clip in the making.
	maker   atomic.Pointer[Maker]
	running sync.WaitGroup // Requests taken.

	mu       sync.Mutex
	stopping bool // No request is taken any more.
}

var _ pipeline.Runner = (*operator)(nil)

// Process refuses: this operator answers requests.
func (o *operator) Process(context.Context, *pipeline.Message, pipeline.Emit) error {
	return pipeline.Errorf(pipeline.Invalid, "generate reads no stream; send requests to %s.generate", o.env.Pipeline)
}

// Run answers requests until ctx is done, and then finishes those it has taken.
func (o *operator) Run(ctx context.Context) error {
	if o.config.File != "" {
		c, err := models.Read(o.config.File)
		if err == nil {
			err = o.use(c)
		}
		if err != nil {
			return err
		}
	}
	working := context.WithoutCancel(ctx)
	err := o.env.Service.AddEndpoint("generate", micro.HandlerFunc(func(r micro.Request) { o.take(working, r) }),
		micro.WithEndpointSubject(o.env.Pipeline+".generate"),
		micro.WithEndpointMetadata(map[string]string{"request": `{"label":"three","n":1,"seed":7,"temperature":0.9,"format":"wav"}`}))
	if err != nil {
		return fmt.Errorf("answer requests on %s.generate: %w", o.env.Pipeline, err)
	}
	if o.config.File == "" {
		err = o.follow(ctx)
	}
	<-ctx.Done()
	err = errors.Join(err, o.env.Service.Stop())
	o.mu.Lock()
	o.stopping = true
	o.mu.Unlock()
	o.running.Wait()
	return err
}

// follow puts every version of the model to use, until ctx is done. Faults of the store are waited out.
func (o *operator) follow(ctx context.Context) error {
	for ctx.Err() == nil {
		err := o.env.Bus.Models().Watch(ctx, o.config.Model, func(e artifact.Entry) {
			if err := o.load(ctx, e); err != nil && ctx.Err() == nil {
				o.log.Error("a new version of the model cannot be used; the one before stays", "model", e.Name, "version", e.Version, "error", err)
			}
		})
		if err != nil && ctx.Err() == nil {
			o.log.Warn("the model store is not available, trying again", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}
	return nil
}

func (o *operator) load(ctx context.Context, e artifact.Entry) error {
	if m := o.maker.Load(); m != nil && m.Digest == e.Digest {
		return nil
	}
	content, err := o.env.Bus.Models().Load(ctx, e)
	if err != nil {
		return err
	}
	c, err := models.Decode(content)
	if err != nil {
		return err
	}
	return o.use(c)
}

func (o *operator) use(c models.Checkpoint) error {
	m, err := NewMakerWith(c, o.hooks.Open)
	if err != nil {
		return err
	}
	o.maker.Store(m)
	o.log.Info("model in use", "digest", m.Digest[:12], "arch", c.Arch, "step", c.Step, "labels", len(m.Labels))
	if o.hooks.OnModel != nil {
		o.hooks.OnModel(m.Digest)
	}
	return nil
}

// take answers a request in a goroutine of its own. While all slots are taken it waits, and so do the requests behind
// it, in the order in which they came.
func (o *operator) take(ctx context.Context, r micro.Request) {
	if !o.begin() {
		o.refuse(r, errStopping)
		return
	}
	o.slots <- struct{}{}
	go func() {
		defer o.running.Done()
		ctx, cancel := context.WithTimeout(ctx, o.config.Timeout)
		defer cancel()
		held := sync.OnceFunc(func() { <-o.slots })
		defer held()
		if err := o.answer(ctx, r, held); err != nil {
			o.refuse(r, err)
		}
	}()
}

// begin counts a request in, unless it comes too late.
func (o *operator) begin() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.stopping {
		o.running.Add(1)
	}
	return !o.stopping
}

// answer makes and publishes what is asked for, and responds. It calls release when it gives up the request's slot.
func (o *operator) answer(ctx context.Context, r micro.Request, release func()) error {
	m := o.maker.Load()
	if m == nil {
		return errNoModel
	}
	request, encoding, err := parseRequest(r.Data(), o.config.MaxN)
	if err != nil {
		return err
	}
	if !slices.Contains(m.Labels, request.Label) {
		return &LabelError{Label: request.Label, Labels: m.Labels}
	}
	if request.N == 1 {
		made, err := o.make(ctx, m, request, encoding, *request.Seed)
		if err != nil {
			return err
		}
		return r.Respond(made.body, micro.WithHeaders(made.headers()))
	}
	release() // The clips take slots one by one.
	listing := Listing{Label: request.Label, Model: m.Digest, Seed: *request.Seed, Clips: make([]Listed, request.N)}
	group, ctx := errgroup.WithContext(ctx)
	for i := range request.N {
		select {
		case o.slots <- struct{}{}:
		case <-ctx.Done():
			return errors.Join(group.Wait(), ctx.Err())
		}
		group.Go(func() error {
			defer func() { <-o.slots }()
			made, err := o.make(ctx, m, request, encoding, *request.Seed+uint64(i)) //nolint:gosec // An index.
			listing.Clips[i] = made.listed
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return r.RespondJSON(listing)
}

// made is a published clip.
type made struct {
	listed Listed
	body   []byte
	header map[string]string
}

// make makes one clip and publishes it.
func (o *operator) make(ctx context.Context, m *Maker, r Request, encoding wav.Encoding, seed uint64) (made, error) {
	clip, err := m.Make(ctx, r.Label, seed, r.Temperature)
	if err != nil {
		return made{}, err
	}
	body, err := clip.WAV(encoding)
	if err != nil {
		return made{}, err
	}
	out := made{body: body, header: map[string]string{
		header.ContentType: ContentType, header.Model: m.Digest, header.Seed: strconv.FormatUint(seed, 10), header.Source: clip.Audio.Source,
	}}
	out.listed = Listed{Label: r.Label, Seed: seed}
	if o.hooks.Judge != nil {
		if p, ok := o.hooks.Judge(ctx, clip.Audio, r.Label); ok {
			out.listed.Confidence = &p
			out.header[header.Confidence] = strconv.FormatFloat(p, 'f', 4, 64)
		}
	}
	out.listed.ID = fmt.Sprintf("%s/%s@%s/%s/%d", o.env.Pipeline, o.env.Operator, m.Digest[:16], pipeline.Slug(r.Label), seed)
	if r.Temperature != 0 {
		out.listed.ID += "/t" + strconv.FormatFloat(r.Temperature, 'g', -1, 64)
	}
	if r.Format != "wav" {
		out.listed.ID += "/" + r.Format
	}
	spec := o.env.Bus.Spec()
	out.listed.Subject = spec.Subject(pipeline.TypeClip, r.Label)
	ack, err := o.env.Bus.Publish(ctx, &pipeline.Message{
		ID: out.listed.ID, Type: pipeline.TypeClip, Label: r.Label, Header: maps.Clone(out.header), Body: body,
	})
	if err != nil {
		return made{}, err
	}
	out.listed.Stream, out.listed.Sequence, out.listed.Duplicate = ack.Stream, ack.Sequence, ack.Duplicate
	return out, nil
}

// headers are the answer's: the clip's own.
func (m made) headers() micro.Headers {
	h := micro.Headers{header.Label: {header.EncodeValue(m.listed.Label)}, "Nats-Msg-Id": {m.listed.ID}}
	for name, value := range m.header {
		h[name] = []string{header.EncodeValue(value)}
	}
	return h
}

// errStopping: the request came while the operator let go.
var errStopping = errors.New("stopping; ask again, another replica or the restarted operator will answer")

// errNoModel: nothing has been trained yet.
var errNoModel = errors.New("no model yet: it is still being trained, or nothing has been published to learn from; ask again later")

// refuse answers with an error that says what to do.
func (o *operator) refuse(r micro.Request, err error) {
	code := "500"
	body := struct {
		Error  string   `json:"error"`
		Labels []string `json:"labels,omitempty"`
	}{Error: err.Error()}
	if l, ok := errors.AsType[*LabelError](err); ok {
		code, body.Labels = "404", l.Labels
	}
	switch {
	case errors.Is(err, errUsage):
		code = "400"
	case errors.Is(err, errNoModel), errors.Is(err, errStopping), errors.Is(err, context.DeadlineExceeded):
		code = "503"
	}
	if code[0] == '5' && !errors.Is(err, errNoModel) {
		o.log.Warn("a request could not be answered", "error", err)
	}
	data, jsonErr := json.Marshal(body)
	if err := errors.Join(jsonErr, r.Error(code, headerText(err.Error()), data)); err != nil {
		o.log.Warn("answer a request", "error", err)
	}
}

// headerText makes an error fit a header: one line, not too long, encoded where it is not ASCII.
func headerText(s string) string {
	const most = 1000
	line := []rune(s)
	for i, r := range line {
		if r == '\n' || r == '\r' {
			line[i] = ' '
		}
	}
	return header.EncodeValue(string(line[:min(len(line), most)]))
}
