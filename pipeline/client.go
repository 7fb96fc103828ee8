package pipeline

import (
	"context"
	"errors"
	"os"
	"slices"

	"github.com/nats-io/nats.go/jetstream"
)

// Overrides replace fields of a spec, such as what command-line flags say about a pipeline file. An empty field changes
// nothing.
type Overrides struct {
	NATS    string // NATS replaces Spec.NATS, and clears DataDir and Listen, which belong to an embedded server.
	Name    string // Name replaces Spec.Name.
	Creds   string // Creds replaces Spec.Auth.Creds.
	DataDir string // DataDir replaces Spec.DataDir. It is an error together with an external server.
	Listen  string // Listen replaces Spec.Listen. It is an error together with an external server.
}

// ErrExternalServer means that settings of the embedded server were given for a pipeline with an external one.
var ErrExternalServer = errors.New("the data folder and the listen address belong to the embedded server, and the pipeline has an external one")

// EnvNATS is the environment variable with the URL of the NATS server where neither the pipeline file nor Overrides name
// one. Unlike a command line, it does not show a password in the URL to all users of the machine.
const EnvNATS = "WAVEMILL_NATS"

// The environment variables with the login where the pipeline file has no way to log in: user and password, or a token. They are
// for secrets that must stand neither in a file nor in a command line.
const (
	EnvUser     = "WAVEMILL_NATS_USER"
	EnvPassword = "WAVEMILL_NATS_PASSWORD"
	EnvToken    = "WAVEMILL_NATS_TOKEN"
)

// Override returns s with the overrides applied, with the server of EnvNATS where none is named, and with the login of EnvUser
// and EnvPassword, or EnvToken, where s and o have none. It does not change s.
func (s Spec) Override(o Overrides) (Spec, error) {
	if s.NATS == "" && o.NATS == "" {
		o.NATS = os.Getenv(EnvNATS)
	}
	if o.NATS != "" {
		s.NATS, s.DataDir, s.Listen = o.NATS, "", ""
	}
	if s.NATS != "" && (o.DataDir != "" || o.Listen != "") {
		return Spec{}, ErrExternalServer
	}
	replace(&s.Name, o.Name)
	replace(&s.Auth.Creds, o.Creds)
	if s.Auth.methods() == 0 {
		s.Auth.User, s.Auth.Password, s.Auth.Token = os.Getenv(EnvUser), os.Getenv(EnvPassword), os.Getenv(EnvToken)
	}
	replace(&s.DataDir, o.DataDir)
	replace(&s.Listen, o.Listen)
	return s, nil
}

// replace sets a field to a value that is not empty.
func replace(field *string, value string) {
	if value != "" {
		*field = value
	}
}

// Client returns the spec of a client of the pipeline: without operators and embedded server. The streams between the operators
// stay streams of the pipeline. A spec without an external server gets the one at url.
func (s Spec) Client(url string) Spec {
	s.Inputs = append([]string(nil), slices.DeleteFunc(s.withDefaults().streams(), func(name string) bool { return slices.Contains(standardStreams(), name) })...)
	s.Operators, s.others, s.DataDir, s.Listen = nil, nil, "", ""
	setDefault(&s.NATS, url)
	return s
}

// OpenClient connects to a pipeline that other processes run. Unlike [Open], it does not change streams that exist, so
// that a client does not replace the limits of a running pipeline by its own; it creates the streams if one is missing
// and Spec.Streams.Bind does not forbid that.
func OpenClient(ctx context.Context, spec Spec, o BusOptions) (*Bus, error) {
	bound := spec
	bound.Streams.Bind = true
	bus, err := Open(ctx, bound, o)
	if errors.Is(err, jetstream.ErrStreamNotFound) && !spec.Streams.Bind {
		return Open(ctx, spec, o)
	}
	if err == nil {
		bus.contracts.Bind = spec.Streams.Bind // The first contract makes its bucket.
	}
	return bus, err
}
