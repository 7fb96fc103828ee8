// Package server embeds the real nats-server: the same streams, consumers and durability as a server of its own,
// in this process, with its data in a directory the caller names.
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
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// MaxPayload is the largest message of the embedded server, 8 MiB: ninety seconds of 44.1 kHz 16-bit mono. It is
// the most the server accepts without a warning; larger bodies travel as stored objects.
const MaxPayload = 8 << 20

// readyWait is how long a start may take. Recovering a large store reads its index files first.
const readyWait = 60 * time.Second

// Config says where the server keeps its data and who may connect.
type Config struct {
	// DataDir is the directory of the store; it is created. Required: there is no default, because the server's
	// own would be the system's temporary directory.
	DataDir string
	// Listen is host:port for other clients; port 0 picks a free one. Empty: in-process connections only.
	Listen string
	// Name is the server's name in its INFO; empty: "wavemill".
	Name string
	// NoSync leaves fsync to the operating system's two-minute rhythm instead of syncing every write. A power
	// failure then loses acknowledged messages; a killed process does not. About four times the throughput for
	// small messages.
	NoSync bool
	// MaxStore limits the bytes on disk; 0: three quarters of what is free.
	MaxStore int64
	// Log receives the server's warnings and errors; nil: they are dropped.
	Log *slog.Logger
}

// A Server is a running nats-server. Its methods are safe for concurrent use.
type Server struct {
	ns   *natsserver.Server
	lock *lock
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
	ns, err := natsserver.NewServer(opts)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("embedded nats-server: %w", err), lock.release())
	}
	fatal := make(chan string, 1)
	ns.SetLoggerV2(&logger{log: c.Log, fatal: fatal}, false, false, false)
	started := make(chan struct{})
	go func() {
		defer close(started)
		ns.Start()
	}()
	if err = ready(ctx, ns, fatal); err == nil {
		return &Server{ns, lock}, nil
	}
	ns.Shutdown()
	ns.WaitForShutdown()
	<-started // It may still have been reading the store.
	return nil, errors.Join(fmt.Errorf("embedded nats-server in %s: %w", c.DataDir, err), lock.release())
}

// ready waits until ns accepts connections and has JetStream.
func ready(ctx context.Context, ns *natsserver.Server, fatal <-chan string) error {
	for deadline := time.Now().Add(readyWait); time.Now().Before(deadline); {
		if ns.ReadyForConnections(20*time.Millisecond) && ns.JetStreamEnabled() {
			return nil
		}
		select {
		case text := <-fatal:
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
		return nil, errors.New("embedded nats-server: no data directory; name one (data_dir), it keeps the streams")
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
		NoSigs:     true, // Signals belong to the program around the server.
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
func (s *Server) InProcess() nats.Option { return nats.InProcessServer(s.ns) }

// URL is where other clients connect; empty when the server does not listen.
func (s *Server) URL() string {
	if s.ns.Addr() == nil {
		return ""
	}
	return s.ns.ClientURL()
}

// Shutdown stops the server and returns when its store is closed. Close the clients first.
func (s *Server) Shutdown() {
	s.ns.Shutdown()
	s.ns.WaitForShutdown()
	_ = s.lock.release() // What stays behind is recognised as stale.
}

// logger passes the server's lines on to slog: notices become debug lines, because a user of the program did not
// start a server.
type logger struct {
	log   *slog.Logger
	fatal chan string
}

func (l *logger) write(level slog.Level, format string, args []any) {
	if l.log != nil {
		l.log.Log(context.Background(), level, fmt.Sprintf(format, args...), "component", "nats-server")
	}
}

func (l *logger) Noticef(format string, args ...any) { l.write(slog.LevelDebug, format, args) }
func (l *logger) Warnf(format string, args ...any)   { l.write(slog.LevelWarn, format, args) }
func (l *logger) Errorf(format string, args ...any)  { l.write(slog.LevelError, format, args) }
func (l *logger) Debugf(format string, args ...any)  { l.write(slog.LevelDebug, format, args) }
func (l *logger) Tracef(format string, args ...any)  { l.write(slog.LevelDebug, format, args) }

// Fatalf is called for a failed start; the server's own logger would end the process here.
func (l *logger) Fatalf(format string, args ...any) {
	l.write(slog.LevelError, format, args)
	select {
	case l.fatal <- fmt.Sprintf(format, args...):
	default:
	}
}
