package pipeline_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"wavemill/pipeline"
	"wavemill/pipeline/server"
)

func TestOverride(t *testing.T) {
	file := pipeline.Spec{Name: "drums", DataDir: "data", Listen: "127.0.0.1:4222", Auth: pipeline.Auth{Creds: "a.creds"}}
	external := pipeline.Spec{Name: "drums", NATS: "nats://a"}
	for name, c := range map[string]struct {
		spec pipeline.Spec
		o    pipeline.Overrides
		want pipeline.Spec
		err  error
	}{
		"nothing":           {file, pipeline.Overrides{}, file, nil},
		"server":            {file, pipeline.Overrides{NATS: "nats://b"}, pipeline.Spec{Name: "drums", NATS: "nats://b", Auth: file.Auth}, nil},
		"name and login":    {external, pipeline.Overrides{Name: "n", Creds: "b.creds"}, pipeline.Spec{Name: "n", NATS: "nats://a", Auth: pipeline.Auth{Creds: "b.creds"}}, nil},
		"embedded server":   {file, pipeline.Overrides{DataDir: "d", Listen: ":1"}, pipeline.Spec{Name: "drums", DataDir: "d", Listen: ":1", Auth: file.Auth}, nil},
		"both servers":      {file, pipeline.Overrides{NATS: "nats://b", DataDir: "d"}, pipeline.Spec{}, pipeline.ErrExternalServer},
		"listen externally": {external, pipeline.Overrides{Listen: ":1"}, pipeline.Spec{}, pipeline.ErrExternalServer},
	} {
		got, err := c.spec.Override(c.o)
		if !errors.Is(err, c.err) || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v; want %+v, %v", name, got, err, c.want, c.err)
		}
	}
}

func TestClientSpec(t *testing.T) {
	spec := pipeline.Spec{Name: "drums", DataDir: "data", Listen: ":1", Operators: []pipeline.OperatorSpec{{Operator: "a"}}}
	if got, want := spec.Client("nats://default"), (pipeline.Spec{Name: "drums", NATS: "nats://default"}); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := (pipeline.Spec{NATS: "nats://own"}).Client("nats://default"); got.NATS != "nats://own" {
		t.Errorf("%+v", got)
	}
}

// TestOpenClient: a client creates streams that are missing, and leaves those that exist as they are.
func TestOpenClient(t *testing.T) {
	s, err := server.Start(within(t), server.Config{DataDir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Shutdown()
	maxAge := func(spec pipeline.Spec) time.Duration {
		t.Helper()
		bus, err := pipeline.OpenClient(within(t), spec, pipeline.BusOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := bus.Close(within(t)); err != nil {
				t.Error(err)
			}
		}()
		stream, err := bus.JetStream().Stream(within(t), bus.Spec().StreamName(pipeline.TypeAudio))
		if err != nil {
			t.Fatal(err)
		}
		return stream.CachedInfo().Config.MaxAge
	}
	spec := pipeline.Spec{Name: "t", NATS: s.URL(), Streams: pipeline.StreamSpec{MaxAge: 2 * time.Hour}}
	if got := maxAge(spec); got != 2*time.Hour {
		t.Errorf("a new stream has max age %v", got)
	}
	spec.Streams.MaxAge = 3 * time.Hour
	if got := maxAge(spec); got != 2*time.Hour {
		t.Errorf("the client has changed the max age to %v", got)
	}
	bind := pipeline.Spec{Name: "absent", NATS: s.URL(), Streams: pipeline.StreamSpec{Bind: true}}
	if bus, err := pipeline.OpenClient(within(t), bind, pipeline.BusOptions{}); err == nil {
		t.Error("streams that must exist do not")
		_ = bus.Close(within(t))
	}
}
