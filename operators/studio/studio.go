package studio

import (
	"context"
	"crypto/rand"
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
	// Token is what a client must know; see [Token].
	Token string
	// Also has further pages on the same address, such as those of package health; it answers the addresses in Open. They need
	// no token: orchestrators ask for them.
	Also http.Handler
	Open []string
	Log  *slog.Logger
}

// Token returns the token that a server on an address needs: the given one, none where only this machine reaches the address
// and none is given, else a random one.
func Token(address, given string) string {
	if given != "" || web.IsLocal(address) {
		return given
	}
	return rand.Text()
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
	return web.Guard{Token: o.Token, Open: o.Open, Log: o.Log}.Wrap(mux), nil
}

// A Server serves a studio until its context is done.
type Server struct {
	listener net.Listener
	server   *http.Server
	token    string
}

// Limits of connections. There is none for a whole answer: event streams last as long as the page is open.
const (
	headerTimeout   = 5 * time.Second
	idleTimeout     = 2 * time.Minute
	headerBytes     = 64 << 10
	shutdownTimeout = 3 * time.Second
)

// Listen opens an address, host:port, for a handler with a token.
func Listen(ctx context.Context, address, token string, h http.Handler, log *slog.Logger) (*Server, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &Server{listener: listener, token: token, server: &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: headerBytes,
		ErrorLog:    slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return ctx }, // Event streams end with the server.
	}}, nil
}

// Link is the address to open in a browser on this machine; with a token, the one that logs in.
func (s *Server) Link() string { return Link(s.listener.Addr().String(), s.token) }

// Link is the address to open in a browser for a server at an address, host:port.
func Link(address, token string) string {
	host, port, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err == nil && (host == "" || (ip != nil && ip.IsUnspecified())) {
		address = net.JoinHostPort("127.0.0.1", port)
	}
	link := url.URL{Scheme: "http", Host: address, Path: "/"}
	if token != "" {
		link.Path, link.RawQuery = "/login", url.Values{"token": {token}}.Encode()
	}
	return link.String()
}

// Serve answers requests until ctx, which is that of Listen, is done.
func (s *Server) Serve(ctx context.Context) error {
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		stopped <- s.server.Shutdown(limit)
	})
	err := s.server.Serve(s.listener)
	if stop() {
		return fmt.Errorf("the studio has stopped: %w", err) // It ended by itself.
	}
	if err = <-stopped; errors.Is(err, context.DeadlineExceeded) {
		err = s.server.Close()
	}
	return err
}
