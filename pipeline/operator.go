package pipeline

import (
	"context"
	"log/slog"

	"github.com/nats-io/nats.go/micro"

	"wavemill/pipeline/contract"
)

// An Operator turns one message into zero or more. A nil return acknowledges m, and emitting nothing drops it; an
// error is routed by its [Kind]. One goroutine at a time calls Process: the runtime builds one Operator per worker.
// When ctx is done Process must return promptly with an error; the message is then delivered again later.
type Operator interface {
	Process(ctx context.Context, m *Message, emit Emit) error
}

// Emit publishes one result of Process and waits until its stream has stored it; of a [Stateless] operator the runtime waits
// instead. It waits while the stream is full
// or the server is away, so it fails only when ctx ends or the message itself is impossible; return its error
// unchanged. The message belongs to the runtime afterwards. Emit is not safe for concurrent use.
type Emit func(ctx context.Context, m *Message) error

// OperatorFunc is an Operator without state.
type OperatorFunc func(ctx context.Context, m *Message, emit Emit) error

// Process calls f.
func (f OperatorFunc) Process(ctx context.Context, m *Message, emit Emit) error {
	return f(ctx, m, emit)
}

// A Consumer is an operator that says which stream it reads where its [OperatorSpec] does not: usually the type of the
// messages that it understands. An operator that is no Consumer needs from in its spec; with neither it receives nothing.
type Consumer interface {
	Input() string
}

// A Producer is an operator that says which type of message it emits, which is also the stream it writes where its
// [OperatorSpec] does not name another one in to. [Check] then knows it as the writer of that stream. An operator that
// emits one of several types, or nothing, need not be a Producer.
type Producer interface {
	Output() string
}

// A Stateless operator's outputs depend on its message and its configuration alone. Where Stateless returns true, Emit returns as
// soon as an output is on its way, and the operator gets the next message while the stream stores the outputs of earlier ones, many
// at once. The message is acknowledged once all of its outputs are stored, as always; if one cannot be stored, it is delivered again.
type Stateless interface {
	Stateless() bool
}

// A Runner is an operator that also works beside its messages: it trains, or answers requests. Run is called once,
// in its own goroutine, while Process is called from another one. It returns nil soon after ctx is done, having
// saved what is worth saving. After an error, a panic or an early end the runtime closes the operator and builds a new one,
// after a delay; the other operators go on. A Runner always has exactly one worker.
type Runner interface {
	Run(ctx context.Context) error
}

// A Waiter is an operator that must not always begin at once, such as one of which one process alone may work. Wait is called
// before any message is delivered and before Run; an error is one of the operator. It returns soon after ctx is done. An
// operator that waits counts as ready, unless it is a [Readier] that says otherwise.
type Waiter interface {
	Wait(ctx context.Context) error
}

// A Readier is an operator that cannot always do its work, such as one that waits for a model. Ready returns the reason as
// an error, or nil. It must return quickly; several goroutines call it.
type Readier interface {
	Ready() error
}

// A Detailer is an operator with more to tell in its status than the runtime counts. Details returns a value for
// encoding/json. It must return quickly; several goroutines call it.
type Detailer interface {
	Details() any
}

// A Closer is an operator that holds resources. Close is called once, after the last Process and after Run has
// returned; ctx limits how long it may take.
type Closer interface {
	Close(ctx context.Context) error
}

// Env is what the runtime gives an operator; there are no globals. A factory must not use Bus or Service before Run or
// Process is called: they are nil while a spec is checked. From, To, Upstream and Feeders are complete in the operator that runs;
// the runtime may build another one first, without them, to ask for its Input and Output.
type Env struct {
	Pipeline string        // Pipeline is the pipeline's name, the first token of its subjects.
	Operator string        // Operator is the name of this stage in the spec.
	Hash     string        // Hash is short, hexadecimal, and changes with the operator's configuration.
	From     string        // From is the stream the stage reads; empty: none.
	To       string        // To is the stream the stage writes; empty: that of each message's type.
	Upstream []string      // Upstream lists the streams whose messages lead to From: From itself, then towards audio.
	Feeders  []Feeder      // Feeders are the stages of the spec that lead messages to From; other processes may run more.
	Log      *slog.Logger  // Log carries the pipeline's and the operator's name. Never nil.
	Bus      *Bus          // Bus is the connection, for what goes beyond Emit.
	Service  micro.Service // Service is this stage on $SRV.PING|INFO|STATS; a Runner may add endpoints.
	// Admit returns why the contract of the pipeline does not admit a recording, or nil; see [Bus.Admit]. Nil while a spec
	// is checked.
	Admit func(ctx context.Context, f contract.Facts) error

	describe func(defaults any) // Of [Factory.Defaults]: take the defaults, and build nothing.
}

// A Factory builds an operator from its configuration, a YAML document (empty: the defaults). It checks the whole
// configuration and does no input or output.
type Factory func(config []byte, env Env) (Operator, error)

// A Registry says how operators are built, by name. It is a literal map in the command, never filled at init.
type Registry map[string]Factory
