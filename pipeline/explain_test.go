package pipeline

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
)

// TestExplainConnect: refusals of a login and of a certificate say so; an unreachable server does not; no error shows a password.
func TestExplainConnect(t *testing.T) {
	for _, tc := range []struct {
		err   error
		login bool
	}{
		{errors.New("nats: Authorization Violation"), true},
		{nats.ErrAuthorization, true},
		{fmt.Errorf("%w: connection closed by remote after TLS handshake: broken pipe", nats.ErrTLS), true},
		{errors.New("remote error: tls: certificate required"), true},
		{errors.New("x509: certificate signed by unknown authority"), true},
		{nats.ErrNoServers, false},
		{errors.New("dial tcp: lookup nats://ann:s3cret@bus:4222: no such host"), false},
	} {
		got := explainConnect(tc.err)
		if errors.Is(got, ErrLogin) != tc.login || !errors.Is(got, tc.err) || strings.Contains(got.Error(), "s3cret") {
			t.Errorf("%v: %v", tc.err, got)
		}
	}
}
