// Package server runs nats-server with JetStream inside this process. Streams, consumers and durability are those of a
// separate nats-server; the data is in a directory that the caller names.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// MaxPayload is the largest message of the embedded server, 8 MiB: ninety seconds of 44.1 kHz 16-bit mono. It is
// the most the server accepts without a warning; larger bodies travel as stored objects.
const MaxPayload = 8 << 20

// readyWait is how long a start may take. Recovering a large store reads its index files first.
const readyWait = 60 * time.Second

// Config sets the folder of the server's data and the addresses of its clients.
type Config struct {
	// DataDir is the directory of the store; it is created if necessary. Required, because the default of nats-server is
	// the system's temporary directory.
	DataDir string
	// Listen is host:port for other clients; port 0 picks a free one. Empty: in-process connections only.
	Listen string
	// User and Password, or Token, are the login that the server asks every client for, InProcess ones too; none: it asks for
	// none.
	User, Password, Token string
	// Name is the server's name in its INFO; empty: "wavemill".
	Name string
	// NoSync syncs to disk every two minutes instead of after every write. A power failure then loses acknowledged
	// messages; a killed process does not. Throughput is about four times as high for small messages.
	NoSync bool
	// MaxStore limits the bytes on disk; 0: three quarters of what is free.
	MaxStore int64
	// Log receives the server's warnings and errors; nil: they are dropped.
	Log *slog.Logger
}

// A Server is a running nats-server. Its methods are safe for concurrent use.
type Server struct {
	config   Config
	dir      string // That of the store, absolute.
	url      string
	lock     *lock
	end      context.CancelFunc // Ends watching.
	watching sync.WaitGroup

	mu sync.Mutex
	run
}

// Start starts a server and waits until it accepts connections and its streams are recovered.
func Start(ctx context.Context, c Config) (*Server, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("embedded nats-server: %w", err)
	}
	opts, err := c.options()
	if err != nil {
		return nil, err
	}
	lock, err := takeLock(opts.StoreDir)
	if err != nil {
		return nil, fmt.Errorf("embedded nats-server in %s: %w", c.DataDir, err)
	}
	r, err := c.run(ctx, opts)
	if err != nil {
		return nil, errors.Join(err, lock.release())
	}
	s := &Server{config: c, dir: opts.StoreDir, lock: lock, run: r}
	if address, ok := r.ns.Addr().(*net.TCPAddr); ok {
		s.url = r.ns.ClientURL()
		s.config.Listen = net.JoinHostPort(opts.Host, strconv.Itoa(address.Port)) // That of a restart.
	}
	watched, end := context.WithCancel(context.Background())
	s.end = end
	s.watching.Go(func() { s.watch(watched) })
	return s, nil
}

// A run is a nats-server from its start to its end.
type run struct {
	ns   *natsserver.Server // Nil between two runs.
	lack *lack
}

// run starts a nats-server in a directory that is locked.
func (c Config) run(ctx context.Context, opts *natsserver.Options) (run, error) {
	ns, err := natsserver.NewServer(opts)
	if err != nil {
		return run{}, fmt.Errorf("embedded nats-server: %w", err)
	}
	fatal, lack := make(chan string, 1), newLack()
	ns.SetLoggerV2(&logger{log: c.Log, fatal: fatal, lack: lack}, false, false, false)
	started := make(chan struct{})
	go func() {
		defer close(started)
		ns.Start()
	}()
	if err = ready(ctx, ns, fatal); err == nil {
		return run{ns, lack}, nil
	}
	ns.Shutdown()
	ns.WaitForShutdown()
	<-started // It may still be reading the store.
	return run{}, fmt.Errorf("embedded nats-server in %s: %w", c.DataDir, err)
}

// ready waits until ns accepts connections and has JetStream.
func ready(ctx context.Context, ns *natsserver.Server, fatal <-chan string) error {
	for deadline := time.Now().Add(readyWait); time.Now().Before(deadline); {
		if ns.ReadyForConnections(20*time.Millisecond) && ns.JetStreamEnabled() {
			return nil
		}
		select {
		case text := <-fatal:
			if strings.Contains(text, "Error listening on port") {
				text += "; stop the program that listens there, or choose another address (listen, --listen)"
			}
			return errors.New(text)
		case <-ctx.Done():
			return ctx.Err()
		default:
		}
	}
	return fmt.Errorf("not ready after %v", readyWait)
}

func (c Config) options() (*natsserver.Options, error) {
	if c.DataDir == "" {
		return nil, errors.New("embedded nats-server: no data directory; set data_dir, the directory that keeps the streams")
	}
	dir, err := filepath.Abs(c.DataDir)
	if err != nil {
		return nil, fmt.Errorf("embedded nats-server: data directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("embedded nats-server: data directory: %w", err)
	}
	o := &natsserver.Options{
		ServerName: c.Name,
		JetStream:  true, StoreDir: dir, JetStreamMaxStore: c.MaxStore,
		SyncAlways: !c.NoSync,
		MaxPayload: MaxPayload,
		DontListen: c.Listen == "",
		Username:   c.User, Password: c.Password, Authorization: c.Token,
		NoSigs: true, // Signals belong to the program around the server.
	}
	if o.ServerName == "" {
		o.ServerName = "wavemill"
	}
	if c.Listen != "" {
		host, port, err := net.SplitHostPort(c.Listen)
		if err != nil {
			return nil, fmt.Errorf("embedded nats-server: listen: %w", err)
		}
		n, err := strconv.Atoi(port)
		if err != nil || n < 0 || n > 65535 {
			return nil, fmt.Errorf("embedded nats-server: listen: port %q is not a number from 0 to 65535", port)
		}
		o.Host, o.Port = host, n
		if n == 0 {
			o.Port = natsserver.RANDOM_PORT
		}
	}
	return o, nil
}

// InProcess returns the option that connects a client of this process without a socket.
func (s *Server) InProcess() nats.Option { return nats.InProcessServer(s) }

// InProcessConn implements [nats.InProcessConnProvider]. It fails while the server is started again; clients then try again.
func (s *Server) InProcessConn() (net.Conn, error) {
	r := s.current()
	if r.ns == nil {
		return nil, errRestarting
	}
	return r.ns.InProcessConn()
}

// current is the run of the moment.
func (s *Server) current() run {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.run
}

// URL returns the address for other clients; empty when Config.Listen is.
func (s *Server) URL() string { return s.url }

// Shutdown stops the server and returns when its store is closed. Close the clients first.
func (s *Server) Shutdown() {
	s.end()
	s.watching.Wait()
	s.stop()
	_ = s.lock.release() // A lock file that remains is recognised as stale.
}

// logger writes the server's lines to slog. Notices become debug lines: they are about a server that the user did not
// start.
type logger struct {
	log   *slog.Logger
	fatal chan string
	lack  *lack
}

func (l *logger) write(level slog.Level, format string, args []any) {
	if l.log != nil {
		l.log.Log(context.Background(), level, fmt.Sprintf(format, args...), "component", "nats-server")
	}
}

// report writes a line and looks for a lack of space in it.
func (l *logger) report(level slog.Level, format string, args []any) {
	l.write(level, format, args)
	l.lack.notice(fmt.Sprintf(format, args...))
}

func (l *logger) Noticef(format string, args ...any) { l.write(slog.LevelDebug, format, args) }
func (l *logger) Warnf(format string, args ...any)   { l.report(slog.LevelWarn, format, args) }
func (l *logger) Errorf(format string, args ...any)  { l.report(slog.LevelError, format, args) }
func (l *logger) Debugf(format string, args ...any)  { l.write(slog.LevelDebug, format, args) }
func (l *logger) Tracef(format string, args ...any)  { l.write(slog.LevelDebug, format, args) }

// Fatalf records why a start failed; the logger of nats-server would end the process.
func (l *logger) Fatalf(format string, args ...any) {
	l.write(slog.LevelError, format, args)
	select {
	case l.fatal <- fmt.Sprintf(format, args...):
	default:
	}
}
