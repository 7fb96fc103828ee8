package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

var (
	// ErrNoJetStream means that the server answers, but keeps no streams.
	ErrNoJetStream = errors.New("the server runs without JetStream; start it with `nats-server -js`, or set jetstream in its configuration")
	// ErrPermission means that the server refuses what this user asks for. It does not answer such requests, so that they
	// end by their timeout.
	ErrPermission = errors.New("the server does not permit it to this user; docs/nats.conf lists the rights that are needed")
	// ErrLogin means that the server refuses the login, or that the two do not agree about TLS.
	ErrLogin = errors.New("the server refuses the login: check user and password, token, nkey, .creds file or certificates under auth in the pipeline file, or " +
		EnvUser + ", " + EnvPassword + " and " + EnvToken)
)

// explainConnect says why a connection was refused, where that is known. The server's own refusals reach the client as texts.
func explainConnect(err error) error {
	text := strings.ToLower(err.Error())
	if errors.Is(err, nats.ErrTLS) || strings.Contains(text, "tls: ") || strings.Contains(text, "x509: ") || strings.Contains(text, nats.ErrAuthorization.Error()) {
		return fmt.Errorf("%w (%w)", redacted{err}, ErrLogin)
	}
	return redacted{err}
}

// explain says why the server has not answered a request, where that is known.
func (b *Bus) explain(err error) error {
	switch {
	case err == nil || errors.Is(err, ErrNoJetStream) || errors.Is(err, ErrPermission):
		return err
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return fmt.Errorf("%w: %w", ErrNoJetStream, err)
	}
	if denied := b.denied.Load(); denied != nil && unanswered(err) {
		return fmt.Errorf("%w: %s", ErrPermission, *denied)
	}
	return err
}

// unanswered reports whether an error means that no answer came.
func unanswered(err error) bool {
	return errors.Is(err, nats.ErrTimeout) || errors.Is(err, context.DeadlineExceeded)
}

// isDenied reports whether the server has refused publications on a subject.
func (b *Bus) isDenied(subject string) bool {
	denied := b.denied.Load()
	return denied != nil && strings.Contains(*denied, `"`+subject+`"`)
}

// asynchronous takes errors that belong to no call.
func (b *Bus) asynchronous(_ *nats.Conn, s *nats.Subscription, err error) {
	if errors.Is(err, nats.ErrPermissionViolation) {
		text := err.Error()
		b.denied.Store(&text)
	}
	if s != nil {
		b.log.Error("NATS error", "subject", s.Subject, "error", err)
	} else {
		b.log.Error("NATS error", "error", err)
	}
}
