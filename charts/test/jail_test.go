//go:build linux

package charttest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// jailArg is the argument with which the test program becomes a container.
const jailArg = "run-in-jail"

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == jailArg {
		var j jail
		err := json.Unmarshal([]byte(os.Args[2]), &j)
		if err == nil {
			err = j.run()
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(125)
	}
	code := m.Run()
	os.RemoveAll(programFolder())
	os.Exit(code)
}

// A jail is a process as a container runtime would start it: in the network of its pod, with the container's root, which is
// mounted read-only where the container's is, with its volumes, limits, user, environment and arguments.
type jail struct {
	Network  string            // Network is the file of the pod's network namespace.
	Root     string            // Root is the folder that becomes the root.
	ReadOnly bool              // ReadOnly mounts the root read-only.
	Mounts   map[string]string // Mounts are the host's folders by their path in the root.
	Fixed    []string          // Fixed are the paths of mounts that are read-only.
	Cgroups  []string          // Cgroups are the files that the process writes its id to.
	UID, GID int
	Dir      string
	Env      []string
	Args     []string
}

// run makes this process the jailed one. The process must be in a mount namespace of its own. It returns only where it fails.
func (j jail) run() error {
	runtime.LockOSThread()
	for _, file := range j.Cgroups {
		if err := os.WriteFile(file, []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
			return fmt.Errorf("cgroup: %w", err)
		}
	}
	network, err := os.Open(j.Network)
	if err != nil {
		return err
	}
	if err := unix.Setns(int(network.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("setns: %w", err)
	}
	if err := j.mount(); err != nil {
		return err
	}
	if err := errors.Join(syscall.Chroot(j.Root), os.Chdir(j.Dir), syscall.Setgroups([]int{j.GID}), syscall.Setgid(j.GID), syscall.Setuid(j.UID)); err != nil {
		return err
	}
	if j.ReadOnly {
		if err := os.WriteFile("/written", nil, 0o600); err == nil {
			return errors.New("the root can be written to")
		}
	}
	// A change of the user has cleared that the process ends with the test.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0, 0, 0); err != nil {
		return err
	}
	path := j.Args[0]
	if !strings.Contains(path, "/") {
		path = "/usr/local/bin/" + path
	}
	return syscall.Exec(path, j.Args, j.Env)
}

func (j jail) mount() error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	if err := syscall.Mount(j.Root, j.Root, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind %s: %w", j.Root, err)
	}
	for at, from := range j.Mounts {
		to := filepath.Join(j.Root, at)
		if err := syscall.Mount(from, to, "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf("bind %s at %s: %w", from, at, err)
		}
		if slices.Contains(j.Fixed, at) {
			if err := syscall.Mount("", to, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
				return fmt.Errorf("read-only %s: %w", at, err)
			}
		}
	}
	if j.ReadOnly {
		if err := syscall.Mount("", j.Root, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
			return fmt.Errorf("read-only root: %w", err)
		}
	}
	return nil
}
