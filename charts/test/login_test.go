//go:build linux

package charttest

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// server is what every configuration of a server in these tests has.
const server = `
server_name: $POD_NAME
listen: "0.0.0.0:4222"
http: "0.0.0.0:8222"
jetstream { store_dir: /data }
`

// refusal is what a container says whose login is refused.
const refusal = "the server refuses the login: check user and password, token, nkey, .creds file or certificates"

// A login is one way to log in to a server of the user's own.
type login struct {
	name   string
	scheme string            // Of the URL; empty: nats.
	config string            // What the server asks for.
	files  map[string]string // Files beside the configuration.
	values string            // The chart's values below nats.
	right  map[string]string // The Secret "bus".
	wrong  map[string]string // The same, of somebody else.
}

// TestLogins starts rendered containers in the mode external against servers that enforce a login: with the right Secret they log
// in and become ready, with a wrong one they end with an error that says so and are never ready, and no secret is in an argument.
func TestLogins(t *testing.T) {
	c := newCluster(t, map[string]map[string]string{})
	host := func(name string) string { return name + ".mill-wavemill-nats-headless" }
	for _, l := range []login{
		{
			name:   "user",
			config: `authorization { users: [{user: ann, password: 'right-s3cret'}] }`,
			values: "login: {existingSecret: bus, userKey: user}",
			right:  map[string]string{"user": "ann", "password": "right-s3cret"},
			wrong:  map[string]string{"user": "ann", "password": "wrong-s3cret"},
		},
		{
			name:   "token",
			config: `authorization { token: 'right-s3cret' }`,
			values: "login: {existingSecret: bus, tokenKey: token}",
			right:  map[string]string{"token": "right-s3cret"},
			wrong:  map[string]string{"token": "wrong-s3cret"},
		},
		{
			name:   "url",
			config: `authorization { users: [{user: ann, password: 'right-s3cret'}] }`,
			right:  map[string]string{"url": "nats://ann:right-s3cret@" + host("bus-url") + ":4222"},
			wrong:  map[string]string{"url": "nats://ann:wrong-s3cret@" + host("bus-url") + ":4222"},
		},
		nkeyLogin(t), credsLogin(t), certificateLogin(t, host("bus-certificate")),
	} {
		t.Run(l.name, func(t *testing.T) {
			c.t = t
			c.login(l)
		})
	}
	c.t = t
}

// login starts a server that enforces a login, and containers with the right and with the wrong Secret.
func (c *cluster) login(l login) {
	t := c.t
	t.Helper()
	bus, host := c.bus("bus-"+l.name, server+l.config, l.files)
	defer bus.stop()
	if l.scheme == "" {
		l.scheme = "nats"
	}
	address := fmt.Sprintf("url: %s://%s:4222", l.scheme, host)
	if l.values == "" {
		address, l.values = "existingSecret: bus", "mode: external"
	}
	c.apply(fmt.Sprintf("nats: {%s, %s}\nprovision: {wait: 1s}", address, l.values))
	if ca, ok := l.files["ca.crt"]; ok {
		c.objects["ConfigMap/nats-ca"] = &corev1.ConfigMap{Data: map[string]string{"ca.crt": ca}}
	}

	c.secrets["bus"] = l.right
	c.hook(l.name+"-provision", "provision")
	good := c.run(l.name+"-spectrogram", "spectrogram").ready()
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", good.containers[0].cmd.Process.Pid))
	if err != nil || !strings.Contains(string(line), "spectrogram") {
		t.Fatalf("command line %q, %v", line, err)
	}
	good.stop()
	secret := func(text string) (found string) {
		for _, s := range []map[string]string{l.right, l.wrong} {
			for key, value := range s {
				if key != "user" && key != "url" && strings.Contains(text, value) || strings.Contains(text, "s3cret") {
					found = key
				}
			}
		}
		return found
	}
	if key := secret(string(line)); key != "" {
		t.Errorf("the arguments have the Secret's %s: %q", key, line)
	}

	c.secrets["bus"] = l.wrong
	refused := []*container{c.attempt(l.name+"-refused", "provision")}
	bad := c.run(l.name+"-wrong", "spectrogram").containers[0]
	if err := c.neverReady(bad); err != nil {
		t.Error(err)
	}
	for _, k := range append(refused, bad) {
		text := k.log()
		if code := k.cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(text, refusal) || !strings.Contains(text, host) {
			t.Errorf("%s ends with %d, and its log lacks %q or %q:\n%s", k.spec.Name, code, refusal, host, text)
		}
		if key := secret(text); key != "" {
			t.Errorf("%s logs the Secret's %s:\n%s", k.spec.Name, key, text)
		}
	}
}

// neverReady waits until a container has ended, and asks its readiness probe meanwhile, which must fail.
func (c *cluster) neverReady(k *container) error {
	for deadline := time.Now().Add(patience); ; {
		if err := k.probe(readiness(k.spec)); err == nil {
			return fmt.Errorf("%s/%s is ready", k.pod.name, k.spec.Name)
		}
		select {
		case <-k.done:
			return nil
		case <-time.After(100 * time.Millisecond): // A poll, not a guess.
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s/%s goes on:\n%s", k.pod.name, k.spec.Name, k.log())
		}
	}
}

// TestLoginIsWithdrawn: a container that runs, and whose login the server no longer takes, is not ready but alive, and ready again
// once the login is back.
func TestLoginIsWithdrawn(t *testing.T) {
	c := newCluster(t, map[string]map[string]string{"bus": {"user": "ann", "password": "right-s3cret"}})
	config := server + "authorization { users: [{user: ann, password: '%s'}] }"
	bus, host := c.bus("bus", fmt.Sprintf(config, "right-s3cret"), nil)
	c.apply("nats: {url: 'nats://" + host + ":4222', login: {existingSecret: bus, userKey: user}}")
	p := c.run("spectrogram-a", "spectrogram").ready()
	bus.stop()
	bus, _ = c.bus("bus", fmt.Sprintf(config, "another"), nil)
	k := p.containers[0]
	c.polls("the container is ready without a login", func() bool {
		return k.probe(readiness(k.spec)) != nil && strings.Contains(strings.ToLower(k.log()), "authorization violation")
	})
	if err := k.probe(liveness(k.spec)); err != nil {
		t.Errorf("it is not alive: %v", err)
	}
	bus.stop()
	c.bus("bus", fmt.Sprintf(config, "right-s3cret"), nil)
	p.ready()
}

// polls waits until a condition holds; fault is what is wrong if it never does.
func (c *cluster) polls(fault string, holds func() bool) {
	c.t.Helper()
	for deadline := time.Now().Add(patience); !holds(); {
		if time.Now().After(deadline) {
			c.t.Fatal(fault)
		}
		time.Sleep(100 * time.Millisecond) // A poll, not a guess.
	}
}
