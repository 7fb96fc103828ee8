package pipeline

import (
	"errors"
	"log/slog"
	"net"

	"wavemill/pipeline/server"
)

// checkLogin refuses ways to log in that the embedded server does not have.
func (s Spec) checkLogin() error {
	a := s.Auth
	switch {
	case s.NATS != "":
		return nil
	case a.Creds != "" || a.NKey != "" || a.CA != "" || a.Cert != "" || a.Key != "" || a.HandshakeFirst || a.Domain != "":
		return errors.New("auth: creds, nkey, certificates and domain belong to a server of your own, at nats; the embedded server takes user and password, or token")
	case a.User != "" && a.Password == "":
		return errors.New("auth: the user of the embedded server has no password")
	}
	return nil
}

// embedded returns the configuration of the embedded server. Where Spec.Auth has a user or a token, the server asks all its
// clients for it; where it has none, an address that other machines reach is warned of.
func (s Spec) embedded(log *slog.Logger) server.Config {
	a := s.Auth
	if a.User == "" && a.Token == "" && !loopback(s.Listen) {
		log.Warn("the embedded NATS server accepts clients from other machines without a login: whoever reaches it reads and writes everything; set auth (user and password, or token) in the pipeline file, or listen on 127.0.0.1", "listen", s.Listen)
	}
	return server.Config{DataDir: s.DataDir, Listen: s.Listen, User: a.User, Password: a.Password, Token: a.Token, Log: log}
}

// loopback reports whether only this machine reaches an address. No address is reached by nobody.
func loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if listen == "" || err != nil { // The server reports what is wrong.
		return true
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
