//go:build linux

package charttest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A network joins the network namespaces of pods by a bridge in a namespace of its own, which nothing else reaches.
type network struct {
	t    *testing.T
	name string
	pods int
}

// newNetwork makes a network. It needs root and iproute2, without which the test is skipped, or fails in the gate.
func newNetwork(t *testing.T) *network {
	t.Helper()
	if reason := lacking(); reason != "" {
		if os.Getenv("WAVEMILL_ORACLES_REQUIRED") != "" {
			t.Fatal(reason)
		}
		t.Skip(reason)
	}
	n := &network{t: t, name: fmt.Sprintf("wmchart%d", os.Getpid())}
	for i := 0; ; i++ {
		n.name = fmt.Sprintf("wmchart%d-%d", os.Getpid(), i)
		if _, err := os.Stat(n.file(n.name)); err != nil {
			break
		}
	}
	n.add(n.name)
	n.ip("-n", n.name, "link", "add", "br0", "type", "bridge")
	n.ip("-n", n.name, "addr", "add", "10.77.0.1/16", "dev", "br0")
	n.ip("-n", n.name, "link", "set", "br0", "up")
	return n
}

// lacking says why containers cannot be run here, or nothing.
func lacking() string {
	if os.Getuid() != 0 {
		return "containers need root, for namespaces and another user"
	}
	if _, err := exec.LookPath("ip"); err != nil {
		return "containers need the command ip of iproute2"
	}
	return ""
}

func (n *network) file(name string) string { return filepath.Join("/run/netns", name) }

func (n *network) ip(args ...string) {
	n.t.Helper()
	if text, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		n.t.Fatalf("ip %s: %v\n%s", strings.Join(args, " "), err, text)
	}
}

// add makes a namespace that ends with the test.
func (n *network) add(name string) {
	n.t.Helper()
	n.ip("netns", "add", name)
	n.t.Cleanup(func() { _ = exec.Command("ip", "netns", "delete", name).Run() })
	n.ip("-n", name, "link", "set", "lo", "up")
}

// join makes the namespace of a pod and returns its file and address.
func (n *network) join() (file, address string) {
	n.t.Helper()
	n.pods++
	pod, outside := fmt.Sprintf("%s-p%d", n.name, n.pods), fmt.Sprintf("v%d", n.pods)
	address = fmt.Sprintf("10.77.%d.%d", 1+n.pods/250, 1+n.pods%250)
	n.add(pod)
	n.ip("-n", n.name, "link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", pod)
	n.ip("-n", n.name, "link", "set", outside, "master", "br0", "up")
	n.ip("-n", pod, "addr", "add", address+"/16", "dev", "eth0")
	n.ip("-n", pod, "link", "set", "eth0", "up")
	return n.file(pod), address
}

// Dial connects from inside the network, for the test itself.
func (n *network) Dial(kind, address string) (net.Conn, error) {
	return n.DialContext(n.t.Context(), kind, address)
}

// DialContext is Dial with a context. The address is one of numbers.
func (n *network) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result, 1)
	go func() {
		runtime.LockOSThread() // And never unlocked: the thread ends with the goroutine.
		var r result
		defer func() { done <- r }()
		f, err := os.Open(n.file(n.name))
		if err != nil {
			r.err = err
			return
		}
		defer f.Close()
		if r.err = unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); r.err != nil {
			return
		}
		r.conn, r.err = new(net.Dialer).DialContext(ctx, "tcp4", address)
	}()
	r := <-done
	return r.conn, r.err
}
