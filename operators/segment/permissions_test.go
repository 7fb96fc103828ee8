package segment_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	natsserver "github.com/nats-io/nats-server/v2/server"

	"wavemill/operators/segment"
	"wavemill/pipeline"
)

// rights are those of spectrogram in docs/nats.conf, for the streams of segment, and those that its page adds.
func rights(t *testing.T) (publish []string) {
	t.Helper()
	conf, err := os.ReadFile("../../docs/nats.conf")
	if err != nil {
		t.Fatal(err)
	}
	_, user, _ := strings.Cut(string(conf), `user: "spectrogram",`)
	user, _, _ = strings.Cut(user, "subscribe:")
	user = strings.NewReplacer("MILL_AUDIO", "MILL_TAKE", "MILL_SPECTROGRAM", "MILL_AUDIO", "mill.spectrogram.>", "mill.audio.>", "mill-spectrogram", "mill-segment", "dlq.spectrogram", "dlq.segment").Replace(user)
	publish = append(publish, regexp.MustCompile(`"[^"]+"`).FindAllString(user, -1)...)
	page, err := os.ReadFile("../../docs/operators/segment.md")
	if err != nil {
		t.Fatal(err)
	}
	_, added, _ := strings.Cut(string(page), "```text\n")
	added, _, _ = strings.Cut(added, "```")
	for subject := range strings.FieldsSeq(added) {
		publish = append(publish, `"`+subject+`"`)
	}
	return publish
}

// The rights that the page names suffice.
func TestDocumentedPermissionsSuffice(t *testing.T) {
	conf := fmt.Sprintf(`jetstream: enabled
authorization { users: [
  { user: admin, password: x }
  { user: segment, password: x, permissions: { publish: [%s], subscribe: ["_INBOX.>", "$SRV.>", "mill.status.segment"], allow_responses: true } }
] }`, strings.Join(rights(t), ", "))
	file := filepath.Join(t.TempDir(), "nats.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := natsserver.ProcessConfigFile(file)
	if err != nil {
		t.Fatal(err)
	}
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
		sp.Auth = pipeline.Auth{User: user, Password: "x"}
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
