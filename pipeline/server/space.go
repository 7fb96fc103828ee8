package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
)

// After a write for which the disk had no space, a stream of nats-server takes no message until the server is started again; and the
// space that all streams may take is fixed at the start. So the server is started again once there is space: leastFree, or where it is
// the limit that is reached, a limit that is an eighth higher.
const (
	leastFree = 2 * MaxPayload
	lookEvery = time.Second
)

// Restarts are at least firstPause apart, then twice as much, up to longestPause; one after calm begins anew.
const (
	firstPause   = 10 * time.Second
	longestPause = 5 * time.Minute
	calm         = 2 * longestPause
)

var errRestarting = errors.New("the embedded nats-server is being started again")

// lack is what a run of nats-server has said about a lack of space.
type lack struct {
	noticed chan struct{} // Receives once for any number of lines.

	mu      sync.Mutex
	full    error // Why it stores nothing any more; nil: it does.
	limited bool  // Its streams have reached the limit.
}

func newLack() *lack { return &lack{noticed: make(chan struct{}, 1)} }

// notice reads a warning of nats-server. It tells of a full disk in no other way.
func (l *lack) notice(line string) {
	full := strings.Contains(line, "no space left") || strings.Contains(line, "not enough space on the disk")
	limited := strings.Contains(line, "resource limits exceeded for server")
	if !full && !limited {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if full && l.full == nil {
		l.full = fmt.Errorf("since %s the embedded nats-server has no space for messages: %s", time.Now().UTC().Format(time.RFC3339), line)
	}
	l.limited = l.limited || limited
	select {
	case l.noticed <- struct{}{}:
	default:
	}
}

func (l *lack) state() (full error, limited bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.full, l.limited
}

// Fault returns why the server stores no messages, or nil. It names the disk, and lasts until the server has been started again.
func (s *Server) Fault() error {
	r := s.current()
	if r.ns == nil {
		return errRestarting
	}
	full, _ := r.lack.state()
	if full == nil {
		return nil
	}
	return fmt.Errorf("%w; make at least %d MiB of space on the disk of %s, and it goes on by itself", full, leastFree>>20, s.dir)
}

// Storage returns how many bytes the streams take on disk, batches on their way into them included, and how many they may.
func (s *Server) Storage() (used, limit uint64) {
	ns := s.current().ns
	if ns == nil {
		return 0, 0
	}
	info, err := ns.Jsz(nil)
	if err != nil || info.Config.MaxStore < 0 {
		return 0, 0
	}
	return info.Store + s.batches(), uint64(info.Config.MaxStore)
}

// batches returns the bytes of the files of batches.
func (s *Server) batches() (bytes uint64) {
	store := os.DirFS(s.dir)
	folders, _ := fs.Glob(store, natsserver.JetStreamStoreDir+"/*/streams/*/batches") // An error would be one of the pattern.
	for _, folder := range folders {
		_ = fs.WalkDir(store, folder, func(_ string, d fs.DirEntry, err error) error {
			if err != nil {
				return nil // It is gone: batches are short-lived.
			}
			if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
				bytes += uint64(info.Size())
			}
			return nil
		})
	}
	return bytes
}

// watch starts the server again when it stores nothing any more for want of space and there is space, until ctx is done.
func (s *Server) watch(ctx context.Context) {
	var last time.Time
	pause := firstPause
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.current().lack.noticed:
		}
		if time.Since(last) > calm {
			pause = firstPause
		}
		if !s.untilSpace(ctx, last.Add(pause)) {
			return
		}
		last, pause = time.Now(), min(2*pause, longestPause)
		if !s.restart(ctx) {
			return
		}
	}
}

// untilSpace waits until a restart helps, and not before earliest. It returns false when ctx is done.
func (s *Server) untilSpace(ctx context.Context, earliest time.Time) bool {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for told := false; time.Now().Before(earliest) || !s.helps(); {
		if full, _ := s.current().lack.state(); full != nil && !told {
			s.log(slog.LevelError, "the disk is full: the embedded NATS server takes no more messages until there is space; then it is started again, and nothing that it has confirmed is lost", "error", s.Fault())
			told = true
		}
		select {
		case <-ctx.Done():
			return false
		case <-look.C:
		}
	}
	return true
}

// helps reports whether a server that is started now stores messages.
func (s *Server) helps() bool {
	bytes, known := free(s.dir)
	if !known {
		return false
	}
	if full, _ := s.current().lack.state(); full != nil {
		return bytes >= leastFree
	}
	if s.config.MaxStore != 0 {
		return false
	}
	info, err := s.current().ns.Jsz(nil)
	if err != nil {
		return false
	}
	limit := uint64(max(info.Config.MaxStore, 0))
	return info.Store >= limit/8*7 && (bytes+info.Store)/4*3 > limit+limit/8
}

// restart ends the server and starts it again on the same address, until that succeeds. It returns false when ctx is done.
func (s *Server) restart(ctx context.Context) bool {
	s.log(slog.LevelWarn, "there is space on the disk again: the embedded NATS server is started again, and clients connect again")
	s.stop()
	for wait := lookEvery; ; wait = min(2*wait, longestPause) {
		opts, err := s.config.options()
		var next run
		if err == nil {
			next, err = s.config.run(ctx, opts)
		}
		if err == nil {
			s.mu.Lock()
			s.run = next
			s.mu.Unlock()
			s.log(slog.LevelWarn, "the embedded NATS server has been started again and stores messages")
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		s.log(slog.LevelError, "the embedded NATS server could not be started again, trying again", "error", err, "wait", wait)
		select {
		case <-ctx.Done():
			return false
		case <-time.After(wait):
		}
	}
}

// stop ends the run of the moment, if there is one.
func (s *Server) stop() {
	s.mu.Lock()
	ns := s.ns
	s.ns = nil
	s.mu.Unlock()
	if ns != nil {
		ns.Shutdown()
		ns.WaitForShutdown()
	}
}

func (s *Server) log(level slog.Level, text string, args ...any) {
	if s.config.Log != nil {
		s.config.Log.Log(context.Background(), level, text, append(args, "data", s.dir)...)
	}
}
