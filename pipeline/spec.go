package pipeline

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"wavemill/pipeline/contract"
)

// Defaults of a Spec, with their reasons.
const (
	// DefaultName is the pipeline's name where a spec has none.
	DefaultName = "wavemill"
	// DefaultWorkers is one: more is a decision about memory and cores that only the user can take.
	DefaultWorkers = 1
	// DefaultAckWait is how long the server waits for a sign of life before it delivers a message again. The runtime
	// sends one every third of it, however long an operator works, so this is only the time lost when a process dies.
	DefaultAckWait = 30 * time.Second
	// DefaultMaxAttempts is how often an error of kind Other is tried before the message becomes a dead letter.
	DefaultMaxAttempts = 5
	// DefaultOutage is the longest absence of the server or an operator that the streams' duplicate window covers
	// by itself. Beyond it the runtime looks up what it has published before repeating it.
	DefaultOutage = 10 * time.Minute
	// DefaultObjectTTL is how long a stored body outlives its publication.
	DefaultObjectTTL = 7 * 24 * time.Hour
)

// Spec is a pipeline as its YAML file has it.
type Spec struct {
	// Name is the first token of every subject and, in upper case, the prefix of every stream: up to 18 lower-case
	// letters, digits, - and _. Empty: DefaultName.
	Name string `yaml:"name"`
	// NATS is the URL of the server (several with commas). Empty: the binary embeds one, which keeps its data in
	// DataDir.
	NATS string `yaml:"nats,omitempty"`
	// Auth is how to log in to the server at NATS, or what the embedded server asks its clients for: User and Password, or
	// Token.
	Auth Auth `yaml:"auth,omitempty"`
	// DataDir is where the embedded server keeps its streams. It has no default: data is never put into a
	// temporary directory by accident.
	DataDir string `yaml:"data_dir,omitempty"`
	// Listen is host:port where other clients can connect to the embedded server. Empty: only this process can.
	Listen string `yaml:"listen,omitempty"`
	// Streams are the limits of the pipeline's streams.
	Streams StreamSpec `yaml:"streams,omitempty"`
	// Inputs are streams of your own naming that clients outside the pipeline write, beside audio. [Check] reports a
	// stage that reads a stream which neither an operator nor a client writes.
	Inputs []string `yaml:"inputs,omitempty"`
	// Contract says which recordings the pipeline admits. Without one, the contract that is in force stays.
	Contract *contract.Contract `yaml:"contract,omitempty"`
	// Operators are the stages.
	Operators []OperatorSpec `yaml:"operators"`

	others []OperatorSpec // Stages that run elsewhere: [Spec.Only] leaves them here, for they have streams too.
}

// Auth holds credentials. At most one of Creds, NKey, Token and User is set.
type Auth struct {
	Creds          string `yaml:"creds,omitempty"`           // Creds is a .creds file (JWT and seed).
	NKey           string `yaml:"nkey,omitempty"`            // NKey is a file with an nkey seed.
	Token          string `yaml:"token,omitempty"`           // Token is a plain token.
	User           string `yaml:"user,omitempty"`            // User and Password are a plain login.
	Password       string `yaml:"password,omitempty"`        //
	CA             string `yaml:"ca,omitempty"`              // CA is a PEM file with the server's root certificates.
	Cert           string `yaml:"cert,omitempty"`            // Cert and Key are the client's certificate, PEM files.
	Key            string `yaml:"key,omitempty"`             //
	HandshakeFirst bool   `yaml:"handshake_first,omitempty"` // HandshakeFirst starts TLS before the INFO line.
	InboxPrefix    string `yaml:"inbox_prefix,omitempty"`    // InboxPrefix replaces _INBOX under narrow permissions.
	Domain         string `yaml:"domain,omitempty"`          // Domain is the JetStream domain, behind a leaf node.
}

// StreamSpec limits streams. Every stream keeps its messages until a limit removes them (Limits retention) and
// refuses new ones when it is full (DiscardNew): operators then wait, and nothing is dropped.
type StreamSpec struct {
	MaxAge    time.Duration `yaml:"max_age,omitempty"`    // MaxAge is how long messages are kept; 0: until removed.
	MaxBytes  int64         `yaml:"max_bytes,omitempty"`  // MaxBytes limits each stream; 0: the server's limit.
	Replicas  int           `yaml:"replicas,omitempty"`   // Replicas is 1 to 5; 0: 1.
	Outage    time.Duration `yaml:"outage,omitempty"`     // Outage is the absence to cover; 0: DefaultOutage.
	ObjectTTL time.Duration `yaml:"object_ttl,omitempty"` // ObjectTTL is for stored bodies; 0: DefaultObjectTTL.
	// Bind uses streams and consumers that exist, and never creates or changes them: for accounts without the
	// permission.
	Bind bool `yaml:"bind,omitempty"`
}

// OperatorSpec is one stage: an operator between two streams. The names in From and To are message types (audio,
// spectrogram, quarantine, clip; From also dlq) or new names of up to 32 lower-case letters, digits, - and _; the
// pipeline creates the stream <PIPELINE>_<NAME> with the subjects <pipeline>.<name>.<label>. To applies to everything the
// operator emits except model events and messages of [TypeQuarantine], which keep their own place.
type OperatorSpec struct {
	Name     string        `yaml:"name"`               // Name is unique in the pipeline; empty: Operator.
	Operator string        `yaml:"operator"`           // Operator is the name in the Registry.
	From     string        `yaml:"from,omitempty"`     // From is the stream it reads; empty: Consumer.Input says.
	To       string        `yaml:"to,omitempty"`       // To is the stream it writes; empty: that of each message's type.
	Input    string        `yaml:"input,omitempty"`    // Input is the former name of From, and still accepted.
	Workers  int           `yaml:"workers,omitempty"`  // Workers is how many messages are processed at once; 0: 1.
	AckWait  time.Duration `yaml:"ack_wait,omitempty"` // AckWait; 0: DefaultAckWait.
	// MaxAttempts is for errors of kind Other; 0: DefaultMaxAttempts.
	MaxAttempts int `yaml:"max_attempts,omitempty"`
	// Timeout ends one call of Process; 0: none, because training and synthesis take as long as they take.
	Timeout time.Duration `yaml:"timeout,omitempty"`
	// Replicas is how many processes share this stage's consumer; it scales the in-flight limit. 0: 1.
	Replicas int `yaml:"replicas,omitempty"`
	// Config is the operator's own configuration.
	Config yaml.RawMessage `yaml:"config,omitempty"`
}

var (
	pipelineName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,17}$`)
	operatorName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)
)

// ParseSpec reads a YAML spec strictly: unknown and repeated fields are errors with line and column.
func ParseSpec(doc []byte) (Spec, error) {
	var s Spec
	if err := decodeStrict(doc, &s); err != nil {
		return Spec{}, fmt.Errorf("pipeline spec: %w", err)
	}
	s = s.withDefaults()
	return s, s.Validate()
}

// ReadSpec is ParseSpec on a file; errors name it.
func ReadSpec(path string) (Spec, error) {
	doc, err := os.ReadFile(path)
	if err != nil {
		return Spec{}, err
	}
	s, err := ParseSpec(doc)
	if err != nil {
		return Spec{}, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// withDefaults returns s with every empty field that has a default filled in.
func (s Spec) withDefaults() Spec {
	if s.Name == "" {
		s.Name = DefaultName
	}
	setDefault(&s.Streams.Replicas, 1)
	setDefault(&s.Streams.Outage, DefaultOutage)
	setDefault(&s.Streams.ObjectTTL, DefaultObjectTTL)
	s.Operators = slices.Clone(s.Operators)
	for i := range s.Operators {
		s.Operators[i] = s.Operators[i].withDefaults()
	}
	return s
}

func (o OperatorSpec) withDefaults() OperatorSpec {
	setDefault(&o.Name, o.Operator)
	setDefault(&o.From, o.Input)
	setDefault(&o.Workers, DefaultWorkers)
	setDefault(&o.AckWait, DefaultAckWait)
	setDefault(&o.MaxAttempts, DefaultMaxAttempts)
	setDefault(&o.Replicas, 1)
	return o
}

// stages returns the stages of s and those that [Spec.Only] has left out.
func (s Spec) stages() []OperatorSpec { return slices.Concat(s.Operators, s.others) }

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate reports every fault of s, not only the first.
func (s Spec) Validate() error {
	s = s.withDefaults()
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if !pipelineName.MatchString(s.Name) {
		fault("name %q: use 1 to 18 lower-case letters, digits, - and _", s.Name)
	}
	if s.NATS != "" && s.DataDir != "" {
		fault("nats and data_dir exclude each other: data_dir belongs to the embedded server")
	}
	if s.NATS != "" && s.Listen != "" {
		fault("nats and listen exclude each other: listen belongs to the embedded server")
	}
	if n := s.Auth.methods(); n > 1 {
		fault("auth: %d ways to log in; keep one of creds, nkey, token and user", n)
	}
	if (s.Auth.Cert == "") != (s.Auth.Key == "") {
		fault("auth: cert and key belong together")
	}
	if s.Streams.MaxAge < 0 || s.Streams.MaxBytes < 0 || s.Streams.Outage < 0 || s.Streams.ObjectTTL < 0 {
		fault("streams: limits must not be negative")
	}
	if s.Streams.Replicas < 1 || s.Streams.Replicas > 5 {
		fault("streams: replicas is %d; NATS has 1 to 5", s.Streams.Replicas)
	}
	if s.Streams.MaxAge > 0 && s.Streams.MaxAge < s.duplicateWindow() {
		fault("streams: max_age %v is shorter than the duplicate window %v that ack_wait, max_attempts and outage ask for", s.Streams.MaxAge, s.duplicateWindow())
	}
	for _, name := range s.Inputs {
		if err := checkStreamName(name); err != nil {
			fault("inputs: %w", err)
		}
	}
	if s.Contract != nil {
		if err := s.Contract.Validate(); err != nil {
			fault("contract: %w", err)
		}
	}
	faults = append(faults, s.operatorFaults()...)
	return errors.Join(faults...)
}

func (s Spec) operatorFaults() []error {
	var faults []error
	seen := make(map[string]bool)
	for i, o := range s.Operators {
		fault := func(format string, args ...any) {
			faults = append(faults, fmt.Errorf("operators[%d] %s: %w", i, o.Name, fmt.Errorf(format, args...)))
		}
		if o.Operator == "" {
			fault("operator is missing: it names what to run")
		} else if !operatorName.MatchString(o.Name) {
			fault("name %q: use 1 to 32 lower-case letters, digits, - and _", o.Name)
		}
		if seen[o.Name] {
			fault("the name is used twice; names are part of the durable consumer's name")
		}
		seen[o.Name] = true
		if err := o.streamFault(); err != nil {
			fault("%w", err)
		}
		if o.Workers < 1 || o.Workers > 1024 {
			fault("workers is %d; use 1 to 1024", o.Workers)
		}
		if o.AckWait < time.Second/10 {
			fault("ack_wait is %v; use at least 100ms", o.AckWait)
		}
		if o.MaxAttempts < 1 || o.MaxAttempts > maxDeliveries {
			fault("max_attempts is %d; use 1 to %d", o.MaxAttempts, maxDeliveries)
		}
		if o.Timeout < 0 || o.Replicas < 1 {
			fault("timeout and replicas must not be negative")
		}
	}
	return faults
}

// streamFault reports what is wrong with from and to by themselves.
func (o OperatorSpec) streamFault() error {
	switch {
	case o.Input != "" && o.Input != o.From:
		return fmt.Errorf("from is %q and input is %q: they mean the same; keep from", o.From, o.Input)
	case o.From != "" && o.From == o.To:
		return sameStream(o.From)
	case o.To == TypeDLQ:
		return errors.New("to is dlq: only the runtime writes dead letters; return an error of kind invalid instead")
	}
	for _, name := range []string{o.From, o.To} {
		if name == "" {
			continue
		}
		if err := checkStreamName(name); err != nil {
			return err
		}
	}
	return nil
}

func (a Auth) methods() int {
	n := 0
	for _, s := range []string{a.Creds, a.NKey, a.Token, a.User} {
		if s != "" {
			n++
		}
	}
	return n
}

// OperatorNames returns the names of the stages in the order of the spec.
func (s Spec) OperatorNames() []string {
	names := make([]string, len(s.Operators))
	for i, o := range s.withDefaults().Operators {
		names[i] = o.Name
	}
	return names
}

// Only returns s with the named stage alone: what `wavemill operator NAME` runs. The streams of the other stages stay
// streams of the pipeline, and [Check] still knows which operator writes them.
func (s Spec) Only(stage string) (Spec, error) {
	s = s.withDefaults()
	i := slices.IndexFunc(s.Operators, func(o OperatorSpec) bool { return o.Name == stage })
	if i < 0 {
		return Spec{}, fmt.Errorf("pipeline %s has no operator %q; it has: %s", s.Name, stage, strings.Join(s.OperatorNames(), ", "))
	}
	s.others = slices.Concat(s.others, s.Operators[:i], s.Operators[i+1:])
	s.Operators = []OperatorSpec{s.Operators[i]}
	return s, nil
}
