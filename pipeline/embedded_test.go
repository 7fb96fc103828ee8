package pipeline_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"wavemill/pipeline"
)

// TestEmbeddedLogin: the embedded server asks its clients for the login in the pipeline file, and refuses ways to log in that
// it does not have.
func TestEmbeddedLogin(t *testing.T) {
	for name, tc := range map[string]struct {
		auth  pipeline.Auth
		right nats.Option
		wrong []nats.Option
	}{
		"user":  {pipeline.Auth{User: "ann", Password: "secret"}, nats.UserInfo("ann", "secret"), []nats.Option{nats.UserInfo("ann", "other"), nats.Token("secret"), nats.Name("nobody")}},
		"token": {pipeline.Auth{Token: "secret"}, nats.Token("secret"), []nats.Option{nats.Token("other"), nats.Name("nobody")}},
	} {
		s := specOf(t, "", func(s *pipeline.Spec) { s.Operators, s.Auth, s.Listen = nil, tc.auth, "127.0.0.1:0" })
		bus := open(t, s)
		conn, err := nats.Connect(bus.URL(), tc.right)
		if err != nil {
			t.Errorf("%s: the right login: %v", name, err)
		} else {
			conn.Close()
		}
		for i, wrong := range tc.wrong {
			if conn, err := nats.Connect(bus.URL(), wrong); err == nil {
				conn.Close()
				t.Errorf("%s: wrong login %d is let in", name, i)
			}
		}
	}
	for want, auth := range map[string]pipeline.Auth{
		"belong to a server of your own": {NKey: "x"}, "creds, nkey": {Creds: "x"}, "has no password": {User: "x"}, "certificates": {CA: "x"},
	} {
		s := specOf(t, "", func(s *pipeline.Spec) { s.Operators, s.Auth = nil, auth })
		if bus, err := pipeline.Open(within(t), s, pipeline.BusOptions{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", auth, err)
			if err == nil {
				_ = bus.Close(within(t))
			}
		}
	}
}

// An address that other machines reach is warned of, unless clients must log in.
func TestListenWarning(t *testing.T) {
	for _, tc := range []struct {
		listen string
		auth   pipeline.Auth
		warns  bool
	}{
		{"0.0.0.0:0", pipeline.Auth{}, true},
		{":0", pipeline.Auth{}, true},
		{"[::]:0", pipeline.Auth{}, true},
		{"0.0.0.0:0", pipeline.Auth{Token: "x"}, false},
		{"127.0.0.1:0", pipeline.Auth{}, false},
		{"localhost:0", pipeline.Auth{}, false},
		{"", pipeline.Auth{}, false},
	} {
		var log bytes.Buffer
		s := specOf(t, "", func(s *pipeline.Spec) { s.Operators, s.Auth, s.Listen = nil, tc.auth, tc.listen })
		bus, err := pipeline.Open(within(t), s, pipeline.BusOptions{Streams: []string{}, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))})
		if err != nil {
			t.Errorf("%q: %v", tc.listen, err)
			continue
		}
		if err := bus.Close(within(t)); err != nil {
			t.Error(err)
		}
		if got := strings.Contains(log.String(), "without a login"); got != tc.warns {
			t.Errorf("%q, %+v: %q", tc.listen, tc.auth, log.String())
		}
	}
}

func TestRedact(t *testing.T) {
	for text, want := range map[string]string{
		"nats://ann:secret@host:4222":                         "nats://ann:xxxxx@host:4222",
		"nats://token@host, tls://b:c:d@other/path?x=y":       "nats://xxxxx@host, tls://b:xxxxx@other/path?x=y",
		"--nats 'nats://a:b@c' --x nats://127.0.0.1:4222 a@b": "--nats 'nats://a:xxxxx@c' --x nats://127.0.0.1:4222 a@b",
		"nats://:secret@host":                                 "nats://xxxxx@host",
	} {
		if got := pipeline.Redact(text); got != want {
			t.Errorf("%s became %s, want %s", text, got, want)
		}
	}
	for _, url := range []string{"nats://ann:secret@127.0.0.1:1", "nats://ann:secret@127.0.0.1:port", "nats://secret@127.0.0.1:1,nats://secret@127.0.0.1:2"} {
		_, err := pipeline.Open(within(t), specOf(t, url, nil), pipeline.BusOptions{})
		if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "127.0.0.1:") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// The environment names the server where nothing else does.
func TestServerFromEnvironment(t *testing.T) {
	t.Setenv(pipeline.EnvNATS, "nats://env:1")
	for _, tc := range []struct{ file, flag, want string }{{"", "", "nats://env:1"}, {"nats://file:1", "", "nats://file:1"}, {"", "nats://flag:1", "nats://flag:1"}} {
		if s, err := (pipeline.Spec{NATS: tc.file}).Override(pipeline.Overrides{NATS: tc.flag}); err != nil || s.NATS != tc.want {
			t.Errorf("%+v: %q, %v", tc, s.NATS, err)
		}
	}
}
