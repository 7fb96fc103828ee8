package pipeline_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline"
)

// provisioned opens a pipeline without touching its streams.
func provisioned(t *testing.T, file string) *pipeline.Bus {
	t.Helper()
	s, err := pipeline.ParseSpec([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	s.DataDir = t.TempDir()
	bus, err := pipeline.Open(within(t), s, pipeline.BusOptions{Streams: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bus.Close(within(t)) })
	return bus
}

// TestProvision: everything that the operators use is there before they run, and a running operator finds its consumer as it
// would have made it.
func TestProvision(t *testing.T) {
	bus := provisioned(t, "name: mill\ninputs: [takes]\noperators: [{operator: work, workers: 2, replicas: 3}, {name: second, operator: work, from: takes, to: more}]")
	done, err := bus.Provision(within(t), on(shout), "audio/mill", false)
	if err != nil {
		t.Fatal(err)
	}
	want := []pipeline.ProvisionedConsumer{
		{Operator: "work", Stream: "MILL_AUDIO", Consumer: "mill-work", MaxAckPending: 16 * 2 * 3},
		{Operator: "second", Stream: "MILL_TAKES", Consumer: "mill-second", MaxAckPending: 16},
	}
	if !reflect.DeepEqual(done.Consumers, want) {
		t.Errorf("consumers %+v", done.Consumers)
	}
	js := bus.JetStream()
	for _, stream := range append(done.Streams, "KV_MILL_MODEL", "OBJ_MILL_MODEL", "OBJ_MILL_OBJECT", "KV_MILL_CONTRACT") {
		if _, err := js.Stream(within(t), stream); err != nil {
			t.Errorf("%s: %v", stream, err)
		}
	}
	before, err := js.Consumer(within(t), "MILL_AUDIO", "mill-work")
	if err != nil {
		t.Fatal(err)
	}
	running, err := pipeline.Start(within(t), bus, on(shout), pipeline.Options{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "ready", func() bool { return running.Snapshot()[0].Ready && running.Snapshot()[1].Ready })
	if err := running.Stop(within(t)); err != nil {
		t.Fatal(err)
	}
	after, err := js.Consumer(within(t), "MILL_AUDIO", "mill-work")
	if err != nil {
		t.Fatal(err)
	}
	if a, b := before.CachedInfo(), after.CachedInfo(); !a.Created.Equal(b.Created) || !reflect.DeepEqual(a.Config, b.Config) {
		t.Errorf("the operator has changed its consumer from\n%+v to\n%+v", a.Config, b.Config)
	}
	if _, err := bus.Provision(within(t), on(shout), "audio/mill", false); err != nil {
		t.Errorf("again: %v", err)
	}
}

// Two installations of one name are refused, whoever they are, until one takes over or removes the pipeline.
func TestProvisionHasOneOwner(t *testing.T) {
	bus := provisioned(t, "name: mill\noperators: [{operator: work}]")
	provision := func(owner string, take bool) error {
		_, err := bus.Provision(within(t), on(shout), owner, take)
		return err
	}
	if err := errors.Join(provision("", false), provision("a/one", false), provision("a/one", false), provision("", false)); err != nil {
		t.Fatal(err)
	}
	if err := provision("a/two", false); !errors.Is(err, pipeline.ErrOwned) || !strings.Contains(err.Error(), "belongs to a/one") {
		t.Errorf("a second owner: %v", err)
	}
	if err := provision("a/two", true); err != nil {
		t.Fatal(err)
	}
	if err := provision("a/one", false); !errors.Is(err, pipeline.ErrOwned) {
		t.Errorf("the first owner: %v", err)
	}
	if err := bus.RemoveStreams(within(t)); err != nil {
		t.Fatal(err)
	}
	for stream := range bus.JetStream().StreamNames(within(t)).Name() {
		t.Errorf("%s is left", stream)
	}
	if err := provision("a/one", false); err != nil {
		t.Errorf("after the removal: %v", err)
	}
}

// TestProvisionAfterALoss: a consumer that was deleted is created again, and says up to where its messages may have been worked
// on, so that an operator looks for what it has published.
func TestProvisionAfterALoss(t *testing.T) {
	bus := provisioned(t, "name: mill\noperators: [{operator: work}]")
	provision := func() jetstream.ConsumerConfig {
		if _, err := bus.Provision(within(t), on(shout), "", false); err != nil {
			t.Fatal(err)
		}
		c, err := bus.JetStream().Consumer(within(t), "MILL_AUDIO", "mill-work")
		if err != nil {
			t.Fatal(err)
		}
		return c.CachedInfo().Config
	}
	if text, found := provision().Metadata["wavemill-repeated"]; found {
		t.Errorf("an empty stream: repeated up to %s", text)
	}
	for _, body := range []string{"a", "b", "c"} {
		if _, err := bus.Publish(within(t), &pipeline.Message{Type: pipeline.TypeAudio, Label: "x", Body: []byte(body)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := bus.JetStream().DeleteConsumer(within(t), "MILL_AUDIO", "mill-work"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if text := provision().Metadata["wavemill-repeated"]; text != "3" {
			t.Errorf("repeated up to %q, want 3", text)
		}
	}
}

// TestLoginOfTheEnvironment: the login comes from the environment where the file has none, and only there.
func TestLoginOfTheEnvironment(t *testing.T) {
	t.Setenv(pipeline.EnvUser, "ann")
	t.Setenv(pipeline.EnvPassword, "a secret: #1$@/")
	s, err := pipeline.Spec{}.Override(pipeline.Overrides{})
	if err != nil || s.Auth.User != "ann" || s.Auth.Password != "a secret: #1$@/" {
		t.Errorf("%+v, %v", s.Auth, err)
	}
	for _, given := range []pipeline.Auth{{Token: "t"}, {NKey: "file"}, {User: "ben", Password: "p"}} {
		if s, err := (pipeline.Spec{Auth: given}).Override(pipeline.Overrides{}); err != nil || s.Auth != given {
			t.Errorf("%+v became %+v, %v", given, s.Auth, err)
		}
	}
	if s, _ := (pipeline.Spec{}).Override(pipeline.Overrides{Creds: "x.creds"}); s.Auth != (pipeline.Auth{Creds: "x.creds"}) {
		t.Errorf("with --creds: %+v", s.Auth)
	}
}
