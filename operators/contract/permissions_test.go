package contract_test

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	natsserver "github.com/nats-io/nats-server/v2/server"

	"wavemill/pipeline"
)

// guardedServer runs nats-server with docs/nats.conf, which is for the pipeline "mill".
func guardedServer(t *testing.T) (url string) {
	t.Helper()
	o, err := natsserver.ProcessConfigFile(filepath.Join("..", "..", "docs", "nats.conf"))
	if err != nil {
		t.Fatalf("docs/nats.conf: %v", err)
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
	return s.ClientURL()
}

// warnings collects what is logged at warning and above.
type warnings struct {
	mu    sync.Mutex
	lines []string
}

func (w *warnings) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines, string(b))
	return len(b), nil
}

// TestDocumentedPermissionsSuffice runs every operator as its own user, with the rights that docs/nats.conf gives it.
func TestDocumentedPermissionsSuffice(t *testing.T) {
	url := guardedServer(t)
	var warned warnings
	whole := spec(t, "mill", 12)
	for _, bind := range []bool{false, true} {
		t.Run(fmt.Sprintf("bind=%v", bind), func(t *testing.T) {
			log := slog.New(slog.NewTextHandler(&warned, &slog.HandlerOptions{Level: slog.LevelWarn}))
			for _, o := range whole.Operators {
				one, err := whole.Only(o.Name)
				if err != nil {
					t.Fatal(err)
				}
				one.NATS, one.Streams.Bind = url, bind
				one.Auth = pipeline.Auth{User: o.Name, Password: o.Name + "-secret"}
				if bind {
					one.Auth = pipeline.Auth{User: o.Name + "-bound", Password: o.Name + "-secret"}
				}
				runLogged(t, one, registry(), log)
			}
			contract(t, strings.Replace(url, "nats://", "nats://client:client-secret@", 1), "mill")
		})
	}
	for _, line := range warned.lines {
		if strings.Contains(strings.ToLower(line), "permission") {
			t.Error(line)
		}
	}
}
