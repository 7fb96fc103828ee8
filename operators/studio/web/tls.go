package web

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
)

// TLSFiles name the PEM files of a server that encrypts its connections. They are read once, when the server begins.
type TLSFiles struct {
	Cert     string // the server's certificate, followed by those that lead to its authority
	Key      string // its private key
	ClientCA string // authorities whose client certificates log in; empty: none do
}

// ErrTLSFiles is the error for files of which one needs another that is not given.
var ErrTLSFiles = errors.New("a certificate and its key are given together, and an authority of client certificates with them")

// Config reads the files; nil without an error where none is named. Connections have TLS 1.2 at least.
//
// A client without a certificate is connected, since orchestrators ask some pages without one: the [Guard] refuses it
// everywhere else. The connection of a client with a certificate of another authority fails.
func (f TLSFiles) Config() (*tls.Config, error) {
	if f == (TLSFiles{}) {
		return nil, nil
	}
	if f.Cert == "" || f.Key == "" {
		return nil, ErrTLSFiles
	}
	pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return nil, fmt.Errorf("read the certificate %s and its key %s: %w", f.Cert, f.Key, err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if f.ClientCA == "" {
		return config, nil
	}
	authorities, err := os.ReadFile(f.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("read the authorities of client certificates: %w", err)
	}
	config.ClientCAs = x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(authorities) {
		return nil, fmt.Errorf("%s has no certificate in PEM form", f.ClientCA)
	}
	config.ClientAuth = tls.VerifyClientCertIfGiven
	return config, nil
}

// certified reports whether the client of a request has proved a certificate of one of the server's authorities.
func certified(r *http.Request) bool { return r.TLS != nil && len(r.TLS.VerifiedChains) > 0 }
