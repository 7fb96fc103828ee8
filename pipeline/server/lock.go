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

// lock reserves a data directory for one server. nats-server itself has no such lock, and two servers destroy a shared
// store. The lock file holds a TCP address, a secret and a process id. The owner of the lock answers connections to that
// address with the secret; a lock without such an answer was left behind by a killed process and is replaced. This works on
// every system, also where process ids repeat, as in containers.
type lock struct {
	path     string
	text     string
	listener net.Listener
	answers  sync.WaitGroup
}

// takeLock locks dir. If another process has it, the error names the process.
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
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

// claim creates the lock file, replacing one whose owner has ended.
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
		case len(text) == 0: // It is being written, or was left behind by a full disk.
			time.Sleep(20 * time.Millisecond)
			if text, err = os.ReadFile(l.path); err != nil {
				continue
			}
		}
		if pid, alive := owner(string(text)); alive {
			return fmt.Errorf("the data directory is in use by process %s: stop it, or name another directory", pid)
		}
		if err := os.Remove(l.path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("lock: %w", err)
		}
	}
	return errors.New("lock: other processes lock the directory again and again; stop them, or name another directory")
}

// owner connects to the process that wrote text and reports whether it is alive. It counts as ended only if nothing accepts
// the connection or the answer is another one; a busy machine may answer late.
func owner(text string) (pid string, alive bool) {
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

// release unlocks the directory.
func (l *lock) release() error {
	if text, err := os.ReadFile(l.path); err == nil && string(text) == l.text {
		err = os.Remove(l.path)
		return errors.Join(err, l.close())
	}
	return l.close()
}

func (l *lock) close() error {
	err := l.listener.Close()
	l.answers.Wait()
	return err
}
