package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel/trace"

	"wavemill/pipeline/contract"
	"wavemill/pipeline/deadletter"
	"wavemill/pipeline/modelstore"
	"wavemill/pipeline/objectstore"
	"wavemill/pipeline/server"
)

// A Bus is a connection to the NATS server of a pipeline, embedded or external, whose streams exist. It is safe for concurrent use.
type Bus struct {
	*link
	spec     Spec
	streams  []string // The names of the pipeline's streams.
	operator string   // The stage that this value belongs to; empty: none.
	observer Observer // Of that stage; nil: none.
}

// link is what all the values of one connection share: a stage has a Bus of its own, and so has a spec that replaces another.
type link struct {
	log       *slog.Logger
	server    *server.Server // Nil when the server is external.
	conn      *nats.Conn
	js        jetstream.JetStream
	objects   *objectstore.Store
	models    *modelstore.Store
	contracts *contract.Store
	tracer    trace.Tracer  // Nil: publications and attempts are not traced.
	closed    chan struct{} // Closed when the connection is closed for good.

	connection atomic.Pointer[connection]
	waits      waits
	stalls     stalls
	refused    waits                  // By operator: dead letters of [Bus.Refuse].
	groups     sync.Map               // Of *group by stream: publications that are committed together.
	existing   sync.Map               // Names of streams that are known to have existed.
	committing sync.WaitGroup         // The goroutines of groups.
	denied     atomic.Pointer[string] // The last refusal for want of permission.
}

// connection is one period of being connected. Its context ends when the connection is lost, and with it every wait for an
// answer of the server.
type connection struct {
	ctx  context.Context
	lose context.CancelFunc
}

func newConnection() *connection {
	ctx, lose := context.WithCancel(context.Background())
	return &connection{ctx, lose}
}

// BusOptions are what Open needs beside the spec.
type BusOptions struct {
	Log  *slog.Logger // Log receives connection changes; nil: none.
	Name string       // Name is the connection's name in the server's lists; empty: the pipeline's name.
	// Streams are those that must exist, or are created; nil: all of the pipeline, and the object store. A client that needs
	// one alone needs rights to that one alone.
	Streams []string
	Tracer  trace.TracerProvider // Tracer makes the spans of publications and of attempts at messages; nil: none.
}

// Open connects to the server of spec, or starts the embedded one, and creates or updates the pipeline's streams.
// An external server that cannot be reached within ten seconds is an error; once connected, the bus reconnects for
// ever. Close it.
func Open(ctx context.Context, spec Spec, o BusOptions) (*Bus, error) {
	spec = spec.withDefaults()
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	b := &Bus{spec: spec, streams: spec.streams(), link: &link{log: o.Log, closed: make(chan struct{})}}
	b.connection.Store(newConnection())
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	b.log = aboutMessages(b.log)
	if o.Tracer != nil {
		b.tracer = o.Tracer.Tracer(instrumentation)
	}
	if err := b.open(ctx, o); err != nil {
		return nil, errors.Join(err, b.abort())
	}
	return b, nil
}

func (b *Bus) open(ctx context.Context, o BusOptions) error {
	name := o.Name
	if name == "" {
		name = b.spec.Name
	}
	if err := b.spec.checkLogin(); err != nil {
		return err
	}
	options, err := b.connectOptions(name)
	if err != nil {
		return err
	}
	url := b.spec.NATS
	if url == "" {
		if b.server, err = server.Start(ctx, b.spec.embedded(b.log)); err != nil {
			return err
		}
		options = append(options, b.server.InProcess())
	}
	if b.conn, err = nats.Connect(url, options...); err != nil {
		return fmt.Errorf("connect to NATS at %s: %w", b.place(), explainConnect(err))
	}
	if b.spec.Auth.Domain != "" {
		b.js, err = jetstream.NewWithDomain(b.conn, b.spec.Auth.Domain, jetstream.WithPublishAsyncTimeout(publishWait))
	} else {
		b.js, err = jetstream.New(b.conn, jetstream.WithPublishAsyncTimeout(publishWait))
	}
	if err != nil {
		return fmt.Errorf("JetStream at %s: %w", b.place(), err)
	}
	b.objects = &objectstore.Store{
		JetStream: b.js, Bucket: b.spec.objectBucket(), TTL: b.spec.Streams.ObjectTTL,
		Replicas: b.spec.Streams.Replicas, Bind: b.spec.Streams.Bind,
	}
	b.models = &modelstore.Store{JetStream: b.js, Bucket: b.spec.ModelBucket(), Replicas: b.spec.Streams.Replicas, Bind: b.spec.Streams.Bind}
	b.contracts = &contract.Store{JetStream: b.js, Bucket: b.spec.contractBucket(), Replicas: b.spec.Streams.Replicas, Bind: b.spec.Streams.Bind}
	return b.explain(b.ensureStreams(ctx, o.Streams))
}

// place names the server in errors.
func (b *Bus) place() string {
	if b.spec.NATS != "" {
		return Redact(b.spec.NATS)
	}
	return "the embedded server in " + b.spec.DataDir
}

// connectOptions are for a connection that reconnects for ever and notices an unreachable server within twenty seconds.
func (b *Bus) connectOptions(name string) ([]nats.Option, error) {
	options := []nats.Option{
		nats.Name(name),
		nats.Timeout(10 * time.Second),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(500 * time.Millisecond),
		nats.ReconnectJitter(200*time.Millisecond, time.Second),
		nats.PingInterval(10 * time.Second),
		nats.MaxPingsOutstanding(2),
		nats.IgnoreAuthErrorAbort(), // Credentials may be rotated while the connection is down.
		nats.PermissionErrOnSubscribe(true),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			b.connection.Swap(newConnection()).lose()
			if err != nil {
				b.log.Warn("disconnected from NATS, reconnecting", "error", err)
			}
		}),
		nats.ReconnectHandler(func(c *nats.Conn) { b.log.Info("reconnected to NATS", "url", c.ConnectedUrlRedacted()) }),
		nats.ErrorHandler(b.asynchronous),
		nats.ClosedHandler(func(*nats.Conn) {
			b.connection.Load().lose()
			close(b.closed)
		}),
	}
	login, err := b.spec.Auth.options()
	return append(options, login...), err
}

func (a Auth) options() ([]nats.Option, error) {
	var options []nats.Option
	switch {
	case a.Creds != "":
		options = append(options, nats.UserCredentials(a.Creds))
	case a.NKey != "":
		o, err := nats.NkeyOptionFromSeed(a.NKey)
		if err != nil {
			return nil, fmt.Errorf("auth: nkey: %w", err)
		}
		options = append(options, o)
	case a.Token != "":
		options = append(options, nats.Token(a.Token))
	case a.User != "":
		options = append(options, nats.UserInfo(a.User, a.Password))
	}
	for _, file := range []string{a.Creds, a.CA, a.Cert, a.Key} {
		if file == "" {
			continue
		}
		if _, err := os.Stat(file); err != nil {
			return nil, fmt.Errorf("auth: %w", err)
		}
	}
	if a.CA != "" {
		options = append(options, nats.RootCAs(a.CA))
	}
	if a.Cert != "" {
		options = append(options, nats.ClientCert(a.Cert, a.Key))
	}
	if a.HandshakeFirst {
		options = append(options, nats.TLSHandshakeFirst())
	}
	if a.InboxPrefix != "" {
		options = append(options, nats.CustomInboxPrefix(a.InboxPrefix))
	}
	return options, nil
}

// of returns the bus for a stage.
func (b *Bus) of(stage string, o Observer) *Bus {
	own := *b
	own.operator, own.observer = stage, o
	return &own
}

// Spec returns the spec of the bus, with its defaults filled in.
func (b *Bus) Spec() Spec { return b.spec }

// Conn is the NATS connection. Do not close it.
func (b *Bus) Conn() *nats.Conn { return b.conn }

// Models returns the store of the pipeline's models.
func (b *Bus) Models() *modelstore.Store { return b.models }

// DeadLetters returns the pipeline's dead letters, to list, replay and remove.
func (b *Bus) DeadLetters() deadletter.Store {
	return deadletter.Store{JetStream: b.js, Stream: b.spec.StreamName(TypeDLQ), Objects: b.objects}
}

// JetStream is the JetStream context of Conn.
func (b *Bus) JetStream() jetstream.JetStream { return b.js }

// Storage returns how many bytes the streams of the embedded server take, and how many they may; zeros where the server is
// external.
func (b *Bus) Storage() (used, limit uint64) {
	if b.server == nil {
		return 0, 0
	}
	return b.server.Storage()
}

// URL returns the address for other clients; empty for an embedded server without Spec.Listen.
func (b *Bus) URL() string {
	if b.server != nil {
		return b.server.URL()
	}
	return b.conn.ConnectedUrlRedacted()
}

// Close drains the connection and stops the embedded server. The bus must not be used afterwards.
func (b *Bus) Close(ctx context.Context) error {
	err := b.conn.Drain()
	switch {
	case errors.Is(err, nats.ErrConnectionClosed):
		err = nil
	case err != nil: // It is reconnecting: there is no server to drain to.
		b.conn.Close()
	}
	select {
	case <-b.closed:
	case <-ctx.Done():
		b.conn.Close()
		<-b.closed
	}
	b.committing.Wait()
	if b.server != nil {
		b.server.Shutdown()
	}
	if err != nil {
		return fmt.Errorf("drain the connection to %s: %w", b.place(), err)
	}
	return nil
}

// abort undoes a failed Open.
func (b *Bus) abort() error {
	if b.conn != nil {
		b.conn.Close()
	}
	if b.server != nil {
		b.server.Shutdown()
	}
	return nil
}
