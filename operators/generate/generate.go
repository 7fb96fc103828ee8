// Package generate is the operator that answers wishes for clips.
//
// It is a NATS micro service on <pipeline>.generate, visible to $SRV.PING, INFO and STATS; replicas share the requests.
// A request is JSON, see [Request]. Every clip is published on <pipeline>.clip.<label>. Asked for one, the answer is
// the WAV itself, with headers; asked for more, a [Listing] that says where each is. A wish that cannot be fulfilled is
// answered with Nats-Service-Error and Nats-Service-Error-Code, and the same in the body as JSON.
//
// The model comes from the pipeline's model store, and is replaced as soon as a newer version is there: requests that
// have begun end with the model they began with. Clips are a function of model, label, seed, temperature and what they
// are mixed with or like, and so is their id: asked for twice within the stream's duplicate window, a clip is stored once.
package generate

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"golang.org/x/sync/errgroup"

	"wavemill/audio"
	"wavemill/audio/wav"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
	"wavemill/pipeline/modelstore"
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

var (
	_ pipeline.Producer = (*operator)(nil)
	_ pipeline.Runner   = (*operator)(nil)
)

// Output implements pipeline.Producer.
func (o *operator) Output() string { return pipeline.TypeClip }

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
		micro.WithEndpointMetadata(map[string]string{"request": `{"label":"three","n":1,"seed":7,"temperature":0.9,"format":"wav","mix":{"label":"seven","weight":0.3}}`}))
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
		err := o.env.Bus.Models().Watch(ctx, o.config.Model, func(e modelstore.Entry) {
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

func (o *operator) load(ctx context.Context, e modelstore.Entry) error {
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

// A task is a request that has been checked, and the model that fulfils it.
type task struct {
	Request
	encoding wav.Encoding
	maker    *Maker
	reply    string // Subject of the answer.
}

// take refuses a request at once, or fulfils it in a goroutine of its own. While all slots are taken it waits, and so
// do the requests behind it, in the order in which they came.
func (o *operator) take(ctx context.Context, r micro.Request) {
	if !o.begin() {
		o.refuse(r, errStopping)
		return
	}
	t, err := o.check(r)
	if err != nil {
		o.refuse(r, err)
		o.running.Done()
		return
	}
	o.slots <- struct{}{}
	go func() {
		defer o.running.Done()
		ctx, cancel := context.WithTimeout(ctx, o.config.Timeout)
		defer cancel()
		release := sync.OnceFunc(func() { <-o.slots })
		defer release()
		answer, err := o.fulfil(ctx, t, release)
		if err != nil {
			o.log.Warn("a request could not be fulfilled", "label", t.Label, "n", t.N, "seed", *t.Seed, "error", err)
			answer = errorMessage(err)
		}
		// Not by r: it is not safe for use after its handler has returned.
		answer.Subject = t.reply
		if err := o.env.Bus.Conn().PublishMsg(answer); err != nil {
			o.log.Warn("answer a request", "error", err)
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

// check reads a request and says whether it can be fulfilled.
func (o *operator) check(r micro.Request) (task, error) {
	m := o.maker.Load()
	if m == nil {
		return task{}, errNoModel
	}
	request, encoding, err := parseRequest(r.Data(), o.config.MaxN)
	if err != nil {
		return task{}, err
	}
	asked := []string{request.Label}
	if request.Mix != nil {
		asked = append(asked, request.Mix.Label)
	}
	for _, label := range asked {
		if _, err := m.index(label); err != nil {
			return task{}, err
		}
	}
	if request.Like != nil || request.Mix != nil && request.Mix.Like != nil {
		if !m.CanEncode() {
			return task{}, fmt.Errorf("%w: %w; this is a %s", errUsage, ErrNoEncoder, m.Arch)
		}
	}
	if request.Mix != nil && !m.CanBlend() {
		return task{}, fmt.Errorf("%w: a model of architecture %s cannot mix labels", errUsage, m.Arch)
	}
	return task{request, encoding, m, r.Reply()}, nil
}

// fulfil makes and publishes what is asked for, and returns the answer. It calls release when it gives up the request's
// slot.
func (o *operator) fulfil(ctx context.Context, t task, release func()) (*nats.Msg, error) {
	recipes, err := t.recipes(ctx)
	if err != nil {
		return nil, err
	}
	if len(recipes) == 1 {
		made, err := o.make(ctx, t, recipes[0])
		if err != nil {
			return nil, err
		}
		return &nats.Msg{Header: made.headers(), Data: made.body}, nil
	}
	release() // The clips take slots one by one.
	listing := Listing{Label: t.Label, Model: t.maker.Digest, Seed: *t.Seed, Clips: make([]Listed, len(recipes))}
	group, ctx := errgroup.WithContext(ctx)
	for i, p := range recipes {
		select {
		case o.slots <- struct{}{}:
		case <-ctx.Done():
			return nil, cmp.Or(group.Wait(), ctx.Err())
		}
		group.Go(func() error {
			defer func() { <-o.slots }()
			made, err := o.make(ctx, t, p)
			listing.Clips[i] = made.listed
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	data, err := json.Marshal(listing)
	if err != nil {
		return nil, fmt.Errorf("listing: %w", err)
	}
	return &nats.Msg{Header: nats.Header{header.ContentType: {"application/json"}}, Data: data}, nil
}
