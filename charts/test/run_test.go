//go:build linux

package charttest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	appsv1 "k8s.io/api/apps/v1"

	"wavemill/charts/test/rendered"
)

// password has what a configuration file, a URL or a shell would take for syntax.
const password = `12e3 #x$y{z}"/:@%20`

// logins are the Secrets of the tests.
func logins() map[string]map[string]string {
	return map[string]map[string]string{"nats-login": {"user": "ann", "password": password, "token": password}}
}

// small makes trainings short and few.
const small = "\n  train: {config: {steps: 20, idle: 1s, wait_for: 12, min_clips: 6, again: 0, gate: false, seed: 1}}\n"

// connect connects the test to the server of a pod.
func (c *cluster) connect(server string, login ...nats.Option) jetstream.JetStream {
	c.t.Helper()
	conn, err := nats.Connect("nats://"+c.places[server].address+":4222", append(login, nats.SetCustomDialer(c.net), nats.MaxReconnects(-1))...)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		c.t.Fatal(err)
	}
	return js
}

// provisioned is what `wavemill provision` prints.
type provisioned struct {
	Consumers []struct {
		Operator, Stream, Consumer string
		MaxAckPending              int `json:"max_ack_pending"`
	}
}

// TestContainersRun starts every container of a render with a bundled server: the server, the hook that provisions, all
// operators, and the pod of `helm test`. The consumers that the binary makes are those that the ScaledObjects name. Then it
// upgrades the release under load, pod by pod, the server included, and no recording may be lost or doubled.
func TestContainersRun(t *testing.T) {
	base := readFile(t, chartDir, "ci", "bundled-values.yaml") + small + "  embed: {kind: embed, config: {features: mel-statistics}, keda: {enabled: true}}\n"
	c := newCluster(t, logins())
	c.apply(base)
	server := c.run("mill-wavemill-nats-0", "nats").ready()

	var made provisioned
	if err := json.Unmarshal([]byte(c.hook("mill-wavemill-provision", "provision")), &made); err != nil {
		t.Fatal(err)
	}
	c.checkScaledObjects(made)

	spectrogram, train := c.run("spectrogram-a", "spectrogram"), c.run("mill-wavemill-train-0", "train")
	generate, embed := c.run("generate-a", "generate"), c.run("embed-a", "embed")
	spectrogram.ready()
	train.ready()
	embed.ready()
	generate.up()
	if err := generate.containers[0].probe(readiness(generate.containers[0].spec)); err == nil || !strings.Contains(err.Error(), "model") {
		t.Errorf("generate without a model is ready: %v", err)
	}

	c.roundTrip(base)
	c.apply(base)

	js := c.connect("mill-wavemill-nats-0", nats.UserInfo("ann", password))
	if _, err := nats.Connect("nats://"+server.place.address+":4222", nats.SetCustomDialer(c.net)); err == nil {
		t.Error("the server lets in clients without a login")
	}
	load := c.publish(js)
	load.wait(20)
	generate.ready()
	old := []*pod{spectrogram, train, generate, embed}

	// The upgrade: another size of message rolls the server, other workers roll the operators, in the order of a cluster: hooks
	// after the server's stateful set, new pods of deployments before the old ones.
	c.apply(strings.NewReplacer("workers: 1", "workers: 2", "  mode: bundled", "  mode: bundled\n  bundled: {maxPayload: 4194304}").Replace(base))
	server.stop()
	c.run("mill-wavemill-nats-0", "nats").ready()
	c.hook("mill-wavemill-provision", "provision")
	load.wait(20)
	c.run("spectrogram-b", "spectrogram").ready()
	old[0].stop()
	c.run("embed-b", "embed").ready()
	old[3].stop()
	old[1].stop()
	c.run("mill-wavemill-train-0", "train").ready()
	load.wait(20)
	c.run("generate-b", "generate").ready()
	old[2].stop()
	load.wait(20)
	sent := load.stop()

	c.settled(js, "WAVEMILL_AUDIO", "wavemill-spectrogram")
	c.settled(js, "WAVEMILL_SPECTROGRAM", "wavemill-embed")
	for stream, want := range map[string]int{"WAVEMILL_AUDIO": sent, "WAVEMILL_SPECTROGRAM": sent, "WAVEMILL_EMBEDDING": sent, "WAVEMILL_DLQ": 0} {
		s, err := js.Stream(t.Context(), stream)
		if err != nil {
			t.Fatal(err)
		}
		if got := int(s.CachedInfo().State.Msgs); got != want {
			t.Errorf("%s has %d messages of %d recordings", stream, got, want)
		}
	}
	t.Logf("%d recordings published during the upgrade, none lost or doubled", sent)
}

// checkScaledObjects compares the ScaledObjects with the consumers that the binary has made.
func (c *cluster) checkScaledObjects(made provisioned) {
	c.t.Helper()
	n := 0
	for key, o := range c.objects {
		s, ok := o.(*rendered.ScaledObject)
		if !ok {
			continue
		}
		n++
		for _, consumer := range made.Consumers {
			if key != "ScaledObject/mill-wavemill-"+consumer.Operator {
				continue
			}
			n--
			m := s.Spec.Triggers[0].Metadata
			if m["stream"] != consumer.Stream || m["consumer"] != consumer.Consumer {
				c.t.Errorf("%s watches %s of %s, and the binary makes %s of %s", key, m["consumer"], m["stream"], consumer.Consumer, consumer.Stream)
			}
			if perReplica := strconv.Itoa(consumer.MaxAckPending / int(s.Spec.MaxReplicaCount)); m["lagThreshold"] != perReplica {
				c.t.Errorf("%s: the threshold is %s, and a replica may have %s in hand", key, m["lagThreshold"], perReplica)
			}
		}
	}
	if n != 0 || len(made.Consumers) < 2 {
		c.t.Errorf("%d ScaledObjects without a consumer of %+v", n, made)
	}
}

// settled waits until a consumer has nothing left to do.
func (c *cluster) settled(js jetstream.JetStream, stream, durable string) {
	c.t.Helper()
	for deadline := time.Now().Add(patience); ; {
		state := ""
		consumer, err := js.Consumer(c.t.Context(), stream, durable)
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			state = "no answer" // A cluster that has lost its leader gives none until it has another.
		case err != nil:
			c.t.Fatal(err)
		default:
			i := consumer.CachedInfo()
			if i.NumPending == 0 && i.NumAckPending == 0 {
				return
			}
			state = fmt.Sprintf("%d pending, %d in hand", i.NumPending, i.NumAckPending)
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("%s: %s", durable, state)
		}
		time.Sleep(100 * time.Millisecond) // A poll, not a guess.
	}
}

// load publishes recordings, one after the other, until it is stopped.
type load struct {
	t      *testing.T
	stored chan int
	quit   chan struct{}
	last   int
}

// publish begins to publish.
func (c *cluster) publish(js jetstream.JetStream) *load {
	c.t.Helper()
	dir := c.t.TempDir()
	wavemill(c.t, "synth", "--out", dir, "--n", "4", "--seed", "3", "--log-level", "error", "--progress", "off")
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.wav"))
	if err != nil || len(files) == 0 {
		c.t.Fatal(files, err)
	}
	var bodies [][]byte
	for _, file := range files {
		bodies = append(bodies, []byte(readFile(c.t, file)))
	}
	l := &load{t: c.t, stored: make(chan int, 1), quit: make(chan struct{})}
	go func() {
		defer close(l.stored)
		for i := 0; ; {
			select {
			case <-l.quit:
				return
			case <-time.After(40 * time.Millisecond): // The rate of the load.
			}
			// The same message until it is confirmed, as the contract says; the server may be away.
			m := &nats.Msg{Subject: "wavemill.audio.kick", Data: bodies[i%len(bodies)], Header: nats.Header{"Wavemill-Source": {fmt.Sprintf("%d.wav", i)}}}
			if _, err := js.PublishMsg(c.t.Context(), m, jetstream.WithMsgID(fmt.Sprintf("load-%d", i))); err != nil {
				continue
			}
			i++
			select {
			case <-l.stored:
			default:
			}
			l.stored <- i
		}
	}()
	return l
}

// wait waits for n more recordings.
func (l *load) wait(n int) {
	l.t.Helper()
	for want := l.last + n; l.last < want; {
		select {
		case l.last = <-l.stored:
		case <-time.After(patience):
			l.t.Fatalf("no recording is stored after %d", l.last)
		}
	}
}

// stop ends the load and returns how many recordings are stored.
func (l *load) stop() int {
	close(l.quit)
	for n := range l.stored {
		l.last = n
	}
	return l.last
}

// TestEmbeddedRuns starts the pod of the mode embedded, twice on the same volume: it asks for the login, passes `helm test`, and keeps
// its streams.
func TestEmbeddedRuns(t *testing.T) {
	c := newCluster(t, logins())
	values := readFile(t, chartDir, "ci", "embedded-values.yaml") + "operators:" + small
	c.apply(values)
	name := "mill-wavemill-pipeline-0"
	p := c.run(name, "pipeline").up()
	c.roundTrip(values)
	c.apply(values)
	if _, err := nats.Connect("nats://"+p.place.address+":4222", nats.SetCustomDialer(c.net)); err == nil {
		t.Error("the server lets in clients without a login")
	}
	load := c.publish(c.connect(name, nats.Token(password)))
	load.wait(5)
	sent := load.stop()
	p.stop()
	c.run(name, "pipeline").up()
	js := c.connect(name, nats.Token(password))
	c.settled(js, "WAVEMILL_AUDIO", "wavemill-spectrogram")
	s, err := js.Stream(t.Context(), "WAVEMILL_SPECTROGRAM")
	if err != nil {
		t.Fatal(err)
	}
	if got := int(s.CachedInfo().State.Msgs); got != sent {
		t.Errorf("%d spectrograms of %d recordings", got, sent)
	}
}

// TestClusterRuns starts three servers from their rendered configuration; streams have three copies, and the loss of a server
// stops nothing.
func TestClusterRuns(t *testing.T) {
	c := newCluster(t, logins())
	c.apply(readFile(t, chartDir, "ci", "cluster-values.yaml"))
	var servers []*pod
	set := c.objects["StatefulSet/mill-wavemill-nats"].(*appsv1.StatefulSet)
	for i := range int(*set.Spec.Replicas) {
		c.place(fmt.Sprintf("mill-wavemill-nats-%d", i), "nats")
	}
	for i := range int(*set.Spec.Replicas) {
		servers = append(servers, c.run(fmt.Sprintf("mill-wavemill-nats-%d", i), "nats"))
	}
	for _, s := range servers {
		s.ready()
	}
	var made provisioned
	if err := json.Unmarshal([]byte(c.hook("mill-wavemill-provision", "provision")), &made); err != nil {
		t.Fatal(err)
	}
	c.checkScaledObjects(made)
	c.run("spectrogram-a", "spectrogram").ready()
	js := c.connect("mill-wavemill-nats-1")
	s, err := js.Stream(t.Context(), "DRUMS_AUDIO")
	if err != nil {
		t.Fatal(err)
	}
	if info := s.CachedInfo(); info.Config.Replicas != 3 || len(info.Cluster.Replicas) != 2 || !strings.HasPrefix(info.Cluster.Leader, "mill-wavemill-nats-") {
		t.Errorf("%+v %+v", info.Config, info.Cluster)
	}
	// Another pipeline on it as on a server of the user's own, whose address is in a Secret.
	c.secrets["nats-url"] = map[string]string{"url": "nats://" + c.places["mill-wavemill-nats-1"].address + ":4222"}
	c.apply("nats: {existingSecret: nats-url}")
	c.hook("external-provision", "provision")
	c.run("external-spectrogram", "spectrogram").ready()
	servers[0].kill()
	c.settled(js, "DRUMS_AUDIO", "drums-spectrogram")
}
