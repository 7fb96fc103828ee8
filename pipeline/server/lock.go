package server

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// lockFile is the name of the lock in a data directory.
const lockFile = "wavemill.lock"

// lock keeps a data directory to one server: nats-server itself does not, and two on one store destroy it. The file
// says where its holder listens, and the holder answers there with the file's secret: so a lock that a killed process
// left behind is recognised on every system, also where process numbers repeat, as in containers.
type lock struct {
	path     string
	text     string
	listener net.Listener
	answers  sync.WaitGroup
}

// takeLock locks dir, or says who has it.
func takeLock(dir string) (*lock, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	secret := rand.Text()
	l := &lock{path: filepath.Join(dir, lockFile), listener: listener}
	l.text = fmt.Sprintf("%s %s %d\n", listener.Addr(), secret, os.Getpid())
	l.answers.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return // Released.
			}
			_ = c.SetDeadline(time.Now().Add(10 * time.Second))
			_, _ = io.WriteString(c, secret)
			_ = c.Close()
		}
	})
	if err := l.claim(); err != nil {
		return nil, errors.Join(err, l.silence())
	}
	return l, nil
}

// claim makes the file ours, replacing one whose holder is gone.
func (l *lock) claim() error {
	for range 20 {
		f, err := os.OpenFile(l.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err == nil {
			_, err = f.WriteString(l.text)
			if err = errors.Join(err, f.Close()); err != nil {
				return fmt.Errorf("lock: %w", err)
			}
			return nil
		}
		if !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("lock: %w", err)
		}
		text, err := os.ReadFile(l.path)
		switch {
		case errors.Is(err, os.ErrNotExist):
			continue
		case err != nil:
			return fmt.Errorf("lock: %w", err)
		case len(text) == 0: // Being written just now, or left behind by a full disk.
			time.Sleep(20 * time.Millisecond)
			if text, err = os.ReadFile(l.path); err != nil {
				continue
			}
		}
		if pid, alive := holder(string(text)); alive {
			return fmt.Errorf("the data directory is in use by process %s: stop it, or name another directory", pid)
		}
		if err := os.Remove(l.path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("lock: %w", err)
		}
	}
	return errors.New("lock: others keep taking it; try again")
}

// holder asks whoever wrote text whether it is still there. Only who does not listen, or answers something else, is
// gone: a busy machine may answer late.
func holder(text string) (pid string, alive bool) {
	const patience = 10 * time.Second
	fields := strings.Fields(text)
	if len(fields) != 3 {
		return "", false
	}
	c, err := net.DialTimeout("tcp", fields[0], patience)
	if err != nil {
		return fields[2], errors.Is(err, os.ErrDeadlineExceeded)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	answer, err := io.ReadAll(io.LimitReader(c, 100))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fields[2], true
	}
	return fields[2], err == nil && string(answer) == fields[1]
}

// release gives the directory up.
func (l *lock) release() error {
	if text, err := os.ReadFile(l.path); err == nil && string(text) == l.text {
		err = os.Remove(l.path)
		return errors.Join(err, l.silence())
	}
	return l.silence()
}

func (l *lock) silence() error {
	err := l.listener.Close()
	l.answers.Wait()
	return err
}
