package segment_test

import (
	"context"
	"path/filepath"
	"testing"

	natsserver "github.com/nats-io/nats-server/v2/server"

	"wavemill/operators/segment"
	"wavemill/pipeline"
)

// The rights that docs/nats.conf gives suffice.
func TestDocumentedPermissionsSuffice(t *testing.T) {
	o, err := natsserver.ProcessConfigFile(filepath.Join("..", "..", "docs", "nats.conf"))
	if err != nil {
		t.Fatal(err)
	}
	o.Users = append(o.Users, &natsserver.User{Username: "admin", Password: "admin-secret"})
	o.Host, o.Port, o.StoreDir, o.NoSigs, o.NoLog = "127.0.0.1", natsserver.RANDOM_PORT, t.TempDir(), true, true
	s, err := natsserver.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	go s.Start()
	if !s.ReadyForConnections(patience) {
		t.Fatal("the server does not start")
	}
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	open := func(user string) *pipeline.Bus {
		sp := spec(s.ClientURL(), quick)
		sp.Auth = pipeline.Auth{User: user, Password: user + "-secret"}
		bus, err := pipeline.Open(t.Context(), sp, pipeline.BusOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = bus.Close(context.WithoutCancel(t.Context())) })
		return bus
	}
	bus, admin := open("segment"), open("admin")
	x := audio(t, 2, 6)
	for range 2 { // The second time it finds a state, and reads the stream.
		p, stop := start(t, bus)
		eventually(t, "it is active", func() bool {
			d, _ := p.Snapshot()[0].Details.(segment.Details)
			return d.Role == segment.RoleActive
		})
		if acked, _ := progress(t, admin); acked == 0 {
			for n := range 50 {
				publish(t, admin, "mic", n, pcm(x[n*800:(n+1)*800]), nil)
			}
		} else {
			publish(t, admin, "mic", 50, pcm(x[40000:]), last)
		}
		settled(t, admin)
		stop()
	}
	if got, want := len(clips(t, admin)), len(wanted(t, x)); got != want {
		t.Errorf("%d clips, want %d", got, want)
	}
}
