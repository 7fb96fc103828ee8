//go:build linux

package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// jail is the argument with which the test program runs another program as a container would.
const jail = "run-in-jail"

func TestMain(m *testing.M) {
	if len(os.Args) > 3 && os.Args[1] == jail {
		fmt.Fprintln(os.Stderr, inJail(os.Args[2], os.Args[3:]))
		os.Exit(125)
	}
	os.Exit(m.Run())
}

// inJail runs a program in a root that is mounted read-only, with /data as the only writable folder, as the image's user
// and without capabilities. It returns only where it fails. The process must be in a mount namespace of its own.
func inJail(root string, args []string) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	if err := syscall.Mount(root, root, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind %s: %w", root, err)
	}
	if err := syscall.Mount("", root, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("read-only %s: %w", root, err)
	}
	if err := syscall.Mount("tmpfs", filepath.Join(root, home), "tmpfs", 0, fmt.Sprintf("uid=%d,gid=%d,mode=0755", user, user)); err != nil {
		return fmt.Errorf("tmpfs: %w", err)
	}
	if err := syscall.Chroot(root); err != nil {
		return fmt.Errorf("chroot: %w", err)
	}
	if err := os.Chdir(home); err != nil {
		return err
	}
	if err := syscall.Setgroups(nil); err != nil {
		return err
	}
	if err := syscall.Setgid(user); err != nil {
		return err
	}
	if err := syscall.Setuid(user); err != nil {
		return err
	}
	if err := os.WriteFile("/tmp/written", nil, 0o600); err == nil {
		return errors.New("the root can be written to")
	}
	return syscall.Exec(args[0], args, []string{"PATH=/", "HOME=" + home, "TMPDIR=" + home})
}

// runUnpacked runs the demo of an image as its user in a read-only root with one volume.
func runUnpacked(t *testing.T, img v1.Image) {
	if os.Getuid() != 0 {
		t.Skip("needs root for a mount namespace and a chroot")
	}
	root := t.TempDir()
	// The temporary folder and its parent are closed to other users.
	for dir := root; strings.HasPrefix(dir, os.TempDir()+"/"); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	extracted(t, img, func(h *tar.Header, content io.Reader) {
		path := filepath.Join(root, h.Name)
		if h.Typeflag == tar.TypeDir {
			if err := os.MkdirAll(path, os.FileMode(h.Mode)); err != nil {
				t.Fatal(err)
			}
			return
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, os.FileMode(h.Mode))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(file, content); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	})
	budget := "20s"
	if testing.Short() {
		budget = "2s"
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", jail, root, "/wavemill", "demo", "--budget", budget, "--progress", "off", "--log", "text", "--out", home+"/demo")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the demo in the image: %v\n%s", err, said)
	}
	if !strings.Contains(string(said), "report.html") {
		t.Errorf("the demo says nothing of its report:\n%s", said)
	}
	cmd = exec.CommandContext(t.Context(), "/proc/self/exe", jail, root, "/wavemill", "health", "--http", "127.0.0.1:1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if said, err := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("health without a pipeline: %v\n%s", err, said)
	}
}
