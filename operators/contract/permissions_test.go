package contract_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

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

// A stranger with a client's rights sees the messages that the server delivers to operators, and answers all of them. That
// acknowledges none.
func TestStrangersCannotAcknowledge(t *testing.T) {
	url := guardedServer(t)
	login := func(user string) string {
		return strings.Replace(url, "nats://", "nats://"+user+":"+strings.TrimSuffix(user, "-bound")+"-secret@", 1)
	}
	s := spec(t, "mill", 12)
	s.NATS = login("train")
	bus, err := pipeline.Open(t.Context(), s, pipeline.BusOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bus.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	answered, refused := make(chan string, 100), make(chan string, 100)
	stranger, err := nats.Connect(login("client"), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err.Error() }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stranger.Close)
	for _, subject := range []string{"_INBOX.>", "mill.spectrogram.>"} {
		_, err := stranger.Subscribe(subject, func(m *nats.Msg) {
			if strings.HasPrefix(m.Reply, "$JS.ACK") {
				if err := stranger.Publish(m.Reply, nil); err != nil {
					t.Error(err)
				}
				if err := stranger.Flush(); err != nil {
					t.Error(err)
				}
				answered <- m.Reply
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := stranger.Flush(); err != nil {
		t.Fatal(err)
	}
	consumer, err := bus.JetStream().CreateConsumer(t.Context(), "MILL_SPECTROGRAM", jetstream.ConsumerConfig{Durable: "mill-train", AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		t.Fatal(err)
	}
	writer, err := nats.Connect(login("spectrogram"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(writer.Close)
	if _, err := writer.Request("mill.spectrogram.x", []byte("x"), patience); err != nil {
		t.Fatal(err)
	}
	batch, err := consumer.Fetch(1, jetstream.FetchMaxWait(patience))
	if err != nil {
		t.Fatal(err)
	}
	msg := <-batch.Messages()
	if msg == nil {
		t.Fatalf("nothing is delivered: %v", batch.Error())
	}
	<-answered
	info, err := consumer.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.NumAckPending != 1 || info.AckFloor.Stream != 0 {
		t.Fatalf("a stranger has acknowledged the message: %+v", info)
	}
	if text := <-refused; !strings.Contains(text, "$JS.ACK.MILL_SPECTROGRAM.mill-train.") {
		t.Errorf("refused: %s", text)
	}
	if err := msg.DoubleAck(t.Context()); err != nil {
		t.Errorf("its receiver cannot acknowledge it: %v", err)
	}
}
