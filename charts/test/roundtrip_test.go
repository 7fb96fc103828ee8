//go:build linux

package charttest

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// withoutGenerator takes the generator out of the pipeline of `helm test`.
func (c *cluster) withoutGenerator() {
	c.t.Helper()
	data := c.objects["ConfigMap/mill-wavemill-test"].(*corev1.ConfigMap).Data
	text, found := strings.CutSuffix(strings.TrimSpace(data["test.yaml"]), "- operator: generate")
	if !found {
		c.t.Fatalf("the pipeline of the test does not end with its generator:\n%s", data["test.yaml"])
	}
	data["test.yaml"] = text
}

// roundTrip runs the pod of `helm test` of a release that runs: it must receive a clip, and fail in its last container where no
// generator answers.
func (c *cluster) roundTrip(values string) {
	c.t.Helper()
	clip := c.hook("mill-wavemill-test", "test")
	if !strings.Contains(clip, ".wav") || !strings.Contains(clip, `"kick"`) {
		c.t.Errorf("helm test printed %q", clip)
	}
	c.apply(values + "\ntests: {timeout: 3s}")
	c.withoutGenerator()
	k := c.attempt("mill-wavemill-test-red", "test")
	if code := k.cmd.ProcessState.ExitCode(); code == 0 || k.spec.Name != "request" || !strings.Contains(k.log(), "generate") {
		c.t.Errorf("without a generator, %s ends with %d:\n%s", k.spec.Name, code, k.log())
	}
}

// TestHelmTest runs the pod of `helm test` in the mode external; TestContainersRun and TestEmbeddedRuns do in the others. Where the
// server is away, the pod fails in its first container.
func TestHelmTest(t *testing.T) {
	c := newCluster(t, map[string]map[string]string{"bus": {"user": "ann", "password": "x"}})
	bus, host := c.bus("bus", server+"authorization { users: [{user: ann, password: 'x'}] }", nil)
	values := "nats: {url: 'nats://" + host + ":4222', login: {existingSecret: bus, userKey: user}}"
	c.apply(values)
	c.hook("mill-wavemill-provision", "provision")
	c.roundTrip(values)
	bus.stop()
	if k := c.attempt("mill-wavemill-test-away", "test"); k.cmd.ProcessState.ExitCode() == 0 || k.spec.Name != "verify" {
		t.Errorf("without a server, %s ends with %d:\n%s", k.spec.Name, k.cmd.ProcessState.ExitCode(), k.log())
	}
}
