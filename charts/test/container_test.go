//go:build linux

package charttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// A container is a process that runs.
type container struct {
	pod    *pod
	spec   corev1.Container
	cmd    *exec.Cmd
	done   chan struct{}
	mu     sync.Mutex
	said   bytes.Buffer // Standard output and error.
	result bytes.Buffer // Standard output.
}

// command is what a container runs: the entry point of our image, or the container's own.
func command(spec corev1.Container) []string {
	if len(spec.Command) > 0 {
		return slices.Concat(spec.Command, spec.Args)
	}
	return append([]string{"/wavemill"}, spec.Args...)
}

// expand replaces references to variables in arguments, as the kubelet does.
func expand(args, env []string) []string {
	var pairs []string
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		pairs = append(pairs, "$("+name+")", value)
	}
	out := slices.Clone(args)
	for i := range out {
		out[i] = strings.NewReplacer(pairs...).Replace(out[i])
	}
	return out
}

// start starts a process of a container.
func (p *pod) start(spec corev1.Container, args []string) *container {
	t := p.c.t
	t.Helper()
	text, err := json.Marshal(p.jail(spec, args))
	if err != nil {
		t.Fatal(err)
	}
	k := &container{pod: p, spec: spec, done: make(chan struct{})}
	k.cmd = exec.Command("/proc/self/exe", jailArg, string(text))
	k.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	k.cmd.Stdout, k.cmd.Stderr = io.MultiWriter(&k.result, locked{k}), locked{k}
	// A process dies with the thread that made it, so that none is left behind; this goroutine keeps the thread.
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := k.cmd.Start()
		started <- err
		if err == nil {
			_ = k.cmd.Wait() // ProcessState has the outcome.
			close(k.done)
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	p.containers = append(p.containers, k)
	return k
}

// locked writes what a container says.
type locked struct{ k *container }

func (l locked) Write(b []byte) (int, error) {
	l.k.mu.Lock()
	defer l.k.mu.Unlock()
	return l.k.said.Write(b)
}

// log is what the container has said.
func (k *container) log() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	text := k.said.String()
	return text[max(0, len(text)-4000):]
}

// run runs the pod of a component: one container that goes on.
func (c *cluster) run(name, component string) *pod {
	c.t.Helper()
	c.t.Logf("%s: run %s", time.Since(c.began).Round(time.Second), name)
	p := c.make(name, component)
	spec := p.spec.Containers[0]
	p.start(spec, command(spec))
	return p
}

// end waits until a container has ended and returns its exit code.
func (k *container) end() int {
	k.pod.c.t.Helper()
	select {
	case <-k.done:
	case <-time.After(2 * patience):
		k.pod.c.t.Fatalf("%s/%s does not end:\n%s", k.pod.name, k.spec.Name, k.log())
	}
	return k.cmd.ProcessState.ExitCode()
}

// finish waits until a container has ended well and returns what it has printed.
func (k *container) finish() string {
	k.pod.c.t.Helper()
	if code := k.end(); code != 0 {
		k.pod.c.t.Fatalf("%s/%s ended with %d:\n%s", k.pod.name, k.spec.Name, code, k.log())
	}
	return k.result.String()
}

// probe asks a probe once, and returns why it fails, or nil.
func (k *container) probe(p *corev1.Probe) error {
	port := p.HTTPGet.Port.IntValue()
	for _, named := range k.spec.Ports {
		if named.Name == p.HTTPGet.Port.StrVal {
			port = int(named.ContainerPort)
		}
	}
	answer, err := k.pod.c.client.Get(fmt.Sprintf("http://%s:%d%s", k.pod.place.address, port, p.HTTPGet.Path))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", answer.Status, bytes.TrimSpace(text))
	}
	return err
}

// await waits until a probe of the pod's container succeeds.
func (p *pod) await(what string, of func(corev1.Container) *corev1.Probe) {
	p.c.t.Helper()
	k := p.containers[len(p.containers)-1]
	probe := of(k.spec)
	if probe == nil {
		return // As the kubelet takes it. TestProbes wants every probe of the chart.
	}
	deadline := time.Now().Add(patience)
	for err := k.probe(probe); err != nil; err = k.probe(probe) {
		select {
		case <-k.done:
			p.c.t.Fatalf("%s ended before it was %s:\n%s", p.name, what, k.log())
		case <-time.After(100 * time.Millisecond): // A poll, not a guess.
		}
		if time.Now().After(deadline) {
			p.c.t.Fatalf("%s is not %s: %v\n%s", p.name, what, err, k.log())
		}
	}
}

func startup(k corev1.Container) *corev1.Probe   { return k.StartupProbe }
func liveness(k corev1.Container) *corev1.Probe  { return k.LivenessProbe }
func readiness(k corev1.Container) *corev1.Probe { return k.ReadinessProbe }

// up waits until the pod is started and alive.
func (p *pod) up() *pod {
	p.c.t.Helper()
	p.await("started", startup)
	p.await("alive", liveness)
	return p
}

// ready waits until the pod is ready.
func (p *pod) ready() *pod {
	p.c.t.Helper()
	p.up().await("ready", readiness)
	return p
}

// stop ends a pod as the kubelet does: the hook, SIGTERM, and no SIGKILL, because the pod ends within its grace period.
func (p *pod) stop() {
	t := p.c.t
	t.Helper()
	k := p.containers[0]
	if h := k.spec.Lifecycle; h != nil && h.PreStop != nil {
		p.start(k.spec, h.PreStop.Exec.Command).finish()
	}
	_ = k.cmd.Process.Signal(syscall.SIGTERM) // It may have ended.
	select {
	case <-k.done:
	case <-time.After(time.Duration(*p.spec.TerminationGracePeriodSeconds) * time.Second):
		t.Fatalf("%s does not end within its grace period:\n%s", p.name, k.log())
	}
}

// kill ends what is left of the pod.
func (p *pod) kill() {
	for _, k := range p.containers {
		_ = k.cmd.Process.Kill() // It may have ended.
		<-k.done
	}
}

// hook runs the pod of a hook to its end, and returns what its last container prints.
func (c *cluster) hook(name, component string) string {
	c.t.Helper()
	k := c.attempt(name, component)
	if code := k.cmd.ProcessState.ExitCode(); code != 0 {
		c.t.Fatalf("%s/%s ended with %d:\n%s", name, k.spec.Name, code, k.log())
	}
	return k.result.String()
}

// attempt runs the pod of a hook as the kubelet does: init containers one after the other, those that restart always beside the
// others, and the last container. It returns the container that failed, or the last one.
func (c *cluster) attempt(name, component string) *container {
	c.t.Helper()
	p := c.make(name, component)
	defer p.kill()
	for _, spec := range p.spec.InitContainers {
		c.t.Logf("%s: run %s/%s", time.Since(c.began).Round(time.Second), name, spec.Name)
		k := p.start(spec, command(spec))
		if spec.RestartPolicy != nil && *spec.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			p.await("started", startup)
			continue
		}
		if k.end() != 0 {
			return k
		}
	}
	spec := p.spec.Containers[0]
	k := p.start(spec, command(spec))
	k.end()
	return k
}
