package bus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"wavemill/audio"
	"wavemill/audio/wav"
	"wavemill/models"
	"wavemill/operators/studio/web"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
	"wavemill/pipeline/modelstore"
)

const patience = time.Minute

// serve runs a pipeline whose one operator refuses everything while broken is set, and its view behind a server.
func serve(t *testing.T, broken *atomic.Bool) (*pipeline.Bus, *View, string) {
	t.Helper()
	spec, err := pipeline.ParseSpec([]byte("{name: mill, inputs: [quarantine, guarded], operators: [{operator: picky, from: audio}]}"))
	if err != nil {
		t.Fatal(err)
	}
	spec.DataDir = t.TempDir()
	b, err := pipeline.Open(t.Context(), spec, pipeline.BusOptions{})
	if err != nil {
		t.Fatal(err)
	}
	picky := pipeline.Typed(struct{}{}, func(struct{}, pipeline.Env) (pipeline.Operator, error) {
		return pipeline.OperatorFunc(func(context.Context, *pipeline.Message, pipeline.Emit) error {
			if broken.Load() {
				return &pipeline.Error{Kind: pipeline.Invalid, Err: errors.New("<b>not this</b>")}
			}
			return nil
		}), nil
	})
	running, err := pipeline.Start(t.Context(), b, pipeline.Registry{"picky": picky}, pipeline.Options{})
	if err != nil {
		t.Fatal(err)
	}
	v := New(b, running, slog.New(slog.DiscardHandler))
	mux := http.NewServeMux()
	web.Handle(mux, slog.New(slog.DiscardHandler), v.Routes()...)
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		server.Close()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := errors.Join(running.Stop(ctx), b.Close(ctx)); err != nil {
			t.Error(err)
		}
	})
	return b, v, server.URL
}

func ask(t *testing.T, method, url, body string, v any) (int, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var b bytes.Buffer
	b.ReadFrom(answer.Body)
	if v != nil && answer.StatusCode == http.StatusOK {
		if err := json.Unmarshal(b.Bytes(), v); err != nil {
			t.Fatal(err, b.String())
		}
	}
	return answer.StatusCode, b.Bytes()
}

// until looks at the pipeline until f accepts its state; every look is a request to the server.
func until(t *testing.T, v *View, what string, f func(state) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for ctx.Err() == nil {
		s, err := v.look(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if f(s) {
			return
		}
	}
	t.Fatal("not seen in time: " + what)
}

func sounding(t *testing.T) []byte {
	t.Helper()
	c := audio.Clip{Samples: make([]float32, 800), Channels: 1, Rate: 8000}
	for i := range c.Samples {
		c.Samples[i] = float32(i%20)/20 - 0.5
	}
	b, err := wav.Encode(c, wav.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestLetters(t *testing.T) {
	var broken atomic.Bool
	broken.Store(true)
	b, v, url := serve(t, &broken)
	for _, body := range [][]byte{sounding(t), []byte("<script>")} {
		if _, err := b.Publish(t.Context(), &pipeline.Message{Type: pipeline.TypeAudio, Label: "<i>", Body: body, Header: map[string]string{header.Source: "a.wav"}}); err != nil {
			t.Fatal(err)
		}
	}
	until(t, v, "two letters", func(s state) bool { return s.Letters == 2 })
	var list struct {
		Letters []struct {
			Number        uint64
			Reason, Label string
		}
	}
	if status, text := ask(t, "GET", url+"/api/bus/letters", "", &list); status != 200 || len(list.Letters) != 2 || !strings.Contains(list.Letters[0].Reason, "<b>not this</b>") || list.Letters[0].Label != "<i>" {
		t.Fatalf("letters: status %d: %s", status, text)
	}
	number := func(i int) string { return strconv.FormatUint(list.Letters[i].Number, 10) }
	if status, text := ask(t, "GET", url+"/api/bus/letters/"+number(0)+"/sound", "", nil); status != 200 || !bytes.HasPrefix(text, []byte("RIFF")) {
		t.Errorf("the sound of a letter: status %d", status)
	}
	if status, text := ask(t, "GET", url+"/api/bus/letters/"+number(1)+"/sound", "", nil); status != 422 {
		t.Errorf("a letter without sound: status %d: %s", status, text)
	}
	broken.Store(false)
	if status, text := ask(t, "POST", url+"/api/bus/letters/"+number(0)+"/replay", "", nil); status != 200 {
		t.Fatalf("replay: status %d: %s", status, text)
	}
	if status, text := ask(t, "DELETE", url+"/api/bus/letters/"+number(1), "", nil); status != 204 {
		t.Fatalf("remove: status %d: %s", status, text)
	}
	until(t, v, "the message is done", func(s state) bool {
		return len(s.Stages) == 1 && s.Stages[0].Done == 3 && s.Stages[0].Dead == 2 && s.Stages[0].Ready
	})
	if status, _ := ask(t, "GET", url+"/api/bus/letters", "", &list); status != 200 || len(list.Letters) != 0 {
		t.Errorf("letters are left: %v", list.Letters)
	}
	for _, n := range []string{"0", "x", "-1", "999"} {
		if status, _ := ask(t, "POST", url+"/api/bus/letters/"+n+"/replay", "", nil); status != 404 && status != 409 {
			t.Errorf("replay of letter %s: status %d", n, status)
		}
	}
}

func TestQuarantine(t *testing.T) {
	var broken atomic.Bool
	b, v, url := serve(t, &broken)
	for i := range 2 {
		_, err := b.Publish(t.Context(), &pipeline.Message{
			ID: "refused/" + strconv.Itoa(i), Type: pipeline.TypeQuarantine, Label: "three", Body: sounding(t),
			Header: map[string]string{
				header.Guard: header.Refused, header.GuardRules: "label", header.GuardReason: "it is a seven", header.QuarantineOperator: "guard", header.QuarantineType: "audio",
				header.QuarantineTo: "guarded", header.QuarantineStream: "MILL_AUDIO", header.QuarantineSequence: strconv.Itoa(10 + i), header.QuarantineMessageID: "id" + strconv.Itoa(i),
			},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var list struct{ Messages []struct{ Number uint64 } }
	if status, text := ask(t, "GET", url+"/api/bus/quarantine", "", &list); status != 200 || len(list.Messages) != 2 {
		t.Fatalf("quarantine: status %d: %s", status, text)
	}
	at := func(i int) string {
		return url + "/api/bus/quarantine/" + strconv.FormatUint(list.Messages[i].Number, 10)
	}
	if status, text := ask(t, "GET", at(0)+"/sound", "", nil); status != 200 || !bytes.HasPrefix(text, []byte("RIFF")) {
		t.Errorf("sound: status %d", status)
	}
	var placed struct{ Subject string }
	if status, text := ask(t, "POST", at(0)+"/accept", `{"label": "seven"}`, &placed); status != 200 || placed.Subject != "mill.guarded.seven" {
		t.Errorf("accept: status %d: %s", status, text)
	}
	if status, _ := ask(t, "DELETE", at(1), "", nil); status != 204 {
		t.Errorf("drop: status %d", status)
	}
	until(t, v, "an empty quarantine", func(s state) bool { return s.Quarantine == 0 })
	if status, _ := ask(t, "POST", at(0)+"/accept", `{}`, nil); status != 409 {
		t.Errorf("accept again: status %d", status)
	}
}

func TestVersions(t *testing.T) {
	var broken atomic.Bool
	b, v, url := serve(t, &broken)
	var list struct {
		Versions []struct {
			Version uint64
			State   string
		}
	}
	if status, text := ask(t, "GET", url+"/api/bus/versions", "", &list); status != 200 || len(list.Versions) != 0 {
		t.Fatalf("before the first model: status %d: %s", status, text)
	}
	c, err := models.Read("../../../cmd/wavemill/testdata/compat/vae.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	store := b.Models()
	first, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	e, err := store.Put(t.Context(), "vae", "one", first, nil, modelstore.Entry{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Put(t.Context(), "vae", "two", first, nil, e); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		body  string
		state string // of the newest version afterwards
		want  int
	}{
		{`{"do": "pin"}`, "pinned", 200},
		{`{"do": "rollback"}`, "pinned", 409},
		{`{"do": "unpin"}`, "served", 200},
		{`{"do": "rollback", "reason": "it hums"}`, "withdrawn", 200},
		{`{"do": "serve", "version": 2}`, "served", 200},
		{`{"do": "serve", "version": 9}`, "served", 409},
		{`{"do": "nothing"}`, "served", 400},
	} {
		if status, text := ask(t, "POST", url+"/api/bus/versions/vae", step.body, nil); status != step.want {
			t.Errorf("%s: status %d, want %d: %s", step.body, status, step.want, text)
		}
		ask(t, "GET", url+"/api/bus/versions", "", &list)
		if len(list.Versions) != 2 || list.Versions[0].State != step.state {
			t.Errorf("%s: the versions are %v, want the newest %s", step.body, list.Versions, step.state)
		}
	}
	added := make(chan string, 4)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		v.Follow(ctx, func(name string, _ models.Checkpoint) error { added <- name; return nil })
	}()
	if name := <-added; name != "vae" {
		t.Errorf("the model %q became playable", name)
	}
	cancel()
	<-done
}
