package studio

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"wavemill/operators/studio/page"
	"wavemill/operators/studio/web"
)

// A Part answers some addresses.
type Part interface {
	Routes() []web.Route
}

// Options say what a studio shows and who may see it.
type Options struct {
	// Parts answer the addresses below /api.
	Parts []Part
	// Models returns a text that changes when other models can be played; nil: they stay.
	Models func() string
	Access Access
	// Also has further pages on the same address, such as those of package health; it answers the addresses in Open. They need
	// no token: orchestrators ask for them.
	Also http.Handler
	Open []string
	Log  *slog.Logger
}

// Access is where a server is reached and what its clients must prove.
type Access struct {
	Address string      // to listen on, host:port
	Token   string      // what a client must know; empty: nothing
	TLS     *tls.Config // nil: connections are not encrypted
}

// NewAccess returns the access to an address, with the files of TLS where they are named. The token is the given one. Without
// one there is none where only this machine reaches the address or where client certificates log in, else a random one.
func NewAccess(address, token string, files web.TLSFiles) (Access, error) {
	config, err := files.Config()
	a := Access{Address: address, Token: token, TLS: config}
	if token == "" && !web.IsLocal(address) && !a.certificates() {
		a.Token = rand.Text()
	}
	return a, err
}

// certificates reports whether client certificates log in.
func (a Access) certificates() bool { return a.TLS != nil && a.TLS.ClientCAs != nil }

// Link is the address to open in a browser on this machine; with a token, the one that logs in.
func (a Access) Link() string {
	address := a.Address
	host, port, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err == nil && (host == "" || (ip != nil && ip.IsUnspecified())) {
		address = net.JoinHostPort("127.0.0.1", port)
	}
	link := url.URL{Scheme: "http", Host: address, Path: "/"}
	if a.TLS != nil {
		link.Scheme = "https"
	}
	if a.Token != "" {
		link.Path, link.RawQuery = "/login", url.Values{"token": {a.Token}}.Encode()
	}
	return link.String()
}

// Handler returns the pages of a studio.
func Handler(o Options) (http.Handler, error) {
	routes, err := page.Routes()
	if err != nil {
		return nil, err
	}
	for _, p := range o.Parts {
		routes = append(routes, p.Routes()...)
	}
	routes = append(routes, Own(o)...)
	mux := http.NewServeMux()
	web.Handle(mux, o.Log, routes...)
	for _, path := range o.Open {
		mux.Handle(path, o.Also)
		mux.Handle(path+"/", o.Also)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		web.Fail(w, r, o.Log, web.Errorf(http.StatusNotFound, "there is no such address"))
	})
	return web.Guard{Token: o.Access.Token, Certificates: o.Access.certificates(), Open: o.Open, Log: o.Log}.Wrap(mux), nil
}

// A Server serves a studio until its context is done.
type Server struct {
	listener net.Listener
	server   *http.Server
	access   Access
}

// Limits of connections. There is none for a whole answer: event streams last as long as the page is open.
const (
	headerTimeout   = 5 * time.Second
	idleTimeout     = 2 * time.Minute
	headerBytes     = 64 << 10
	shutdownTimeout = 3 * time.Second
)

// Listen opens an address for a handler.
func Listen(ctx context.Context, access Access, h http.Handler, log *slog.Logger) (*Server, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", access.Address)
	if err != nil {
		return nil, err
	}
	access.Address = listener.Addr().String()
	return &Server{listener: listener, access: access, server: &http.Server{
		Handler: h, TLSConfig: access.TLS, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: headerBytes,
		ErrorLog:    slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return ctx }, // Event streams end with the server.
	}}, nil
}

// Link is the address to open in a browser on this machine.
func (s *Server) Link() string { return s.access.Link() }

// Serve answers requests until ctx, which is that of Listen, is done.
func (s *Server) Serve(ctx context.Context) error {
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		stopped <- s.server.Shutdown(limit)
	})
	serve := s.server.Serve
	if s.access.TLS != nil {
		serve = func(l net.Listener) error { return s.server.ServeTLS(l, "", "") }
	}
	err := serve(s.listener)
	if stop() {
		return fmt.Errorf("the studio has stopped: %w", err) // It ended by itself.
	}
	if err = <-stopped; errors.Is(err, context.DeadlineExceeded) {
		err = s.server.Close()
	}
	return err
}
