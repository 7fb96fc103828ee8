package trainings

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"wavemill/audio/synth"
	"wavemill/models"
	"wavemill/operators/studio/web"
)

const patience = 5 * time.Minute

// A room is a manager behind a server.
type room struct {
	t      *testing.T
	m      *Manager
	server *httptest.Server
	added  atomic.Int64 // checkpoints that became playable
}

func open(t *testing.T, dir, data string) *room {
	t.Helper()
	r := &room{t: t}
	add := func(string, models.Checkpoint) error { r.added.Add(1); return nil }
	var err error
	r.m, err = Open(t.Context(), Options{Dir: dir, Data: []string{data}, Add: add, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	web.Handle(mux, slog.New(slog.DiscardHandler), r.m.Routes()...)
	r.server = httptest.NewServer(mux)
	return r
}

func (r *room) close() {
	r.m.Close()
	r.server.Close()
}

func (r *room) ask(method, path, body string) (int, string) {
	r.t.Helper()
	q, err := http.NewRequestWithContext(r.t.Context(), method, r.server.URL+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		r.t.Fatal(err)
	}
	defer answer.Body.Close()
	var b bytes.Buffer
	b.ReadFrom(answer.Body)
	return answer.StatusCode, b.String()
}

// await follows the events of a training until f accepts its state. It returns the last step that a row of the curves had.
func (r *room) await(id string, f func(view) bool) (last view, curves int64) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, r.server.URL+"/api/trainings/"+id+"/events", http.NoBody)
	if err != nil {
		r.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		r.t.Fatal(err)
	}
	defer answer.Body.Close()
	event := ""
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			event = name
		}
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		switch {
		case !ok:
		case event == "curves":
			var c struct{ Rows []struct{ Step int64 } }
			if err := json.Unmarshal([]byte(data), &c); err != nil {
				r.t.Fatal(err)
			}
			if len(c.Rows) > 0 {
				curves = c.Rows[len(c.Rows)-1].Step
			}
		default:
			last = view{}
			if err := json.Unmarshal([]byte(data), &last); err != nil {
				r.t.Fatal(err)
			}
			if f(last) {
				return last, curves
			}
			if last.State == failed {
				r.t.Fatalf("the training failed: %s", last.Error)
			}
		}
	}
	r.t.Fatalf("the events ended in state %s: %v", last.State, lines.Err())
	return last, curves
}

func is(state string) func(view) bool { return func(v view) bool { return v.State == state } }

func TestTraining(t *testing.T) {
	if testing.Short() {
		t.Skip("it trains for some seconds")
	}
	dir, data := t.TempDir(), filepath.Join(t.TempDir(), "data")
	if err := os.MkdirAll(data, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := (synth.Set{PerClass: 8, Seed: 1, Rate: 8000}).Write(t.Context(), data, func() {}); err != nil {
		t.Fatal(err)
	}
	r := open(t, dir, data)
	status, text := r.ask("POST", "/api/trainings", `{"name": "first", "source": "data", "arch": "auto", "minutes": 0.2, "seed": 3}`)
	var v view
	if err := json.Unmarshal([]byte(text), &v); status != 200 || err != nil {
		t.Fatalf("status %d, %v: %s", status, err, text)
	}
	if status, text := r.ask("POST", "/api/trainings", `{"name": "second", "source": "data", "arch": "vae", "minutes": 1}`); status != 409 {
		t.Errorf("a second training beside the first: status %d: %s", status, text)
	}
	if status, _ := r.ask("DELETE", "/api/trainings/"+v.ID, ""); status != 409 {
		t.Errorf("a training that runs was removed: status %d", status)
	}
	learns := func(v view) bool { return v.State == running && v.Step > 2 }
	r.await(v.ID, learns)
	if status, text := r.ask("POST", "/api/trainings/"+v.ID+"/pause", ""); status != 200 {
		t.Fatalf("pause: status %d: %s", status, text)
	}
	stopped, _ := r.await(v.ID, is(paused))
	if r.added.Load() == 0 || stopped.Model == "" {
		t.Error("the paused training cannot be played")
	}
	if stopped.Arch != "vaegan" {
		t.Errorf("the training says that it is a %s, not a vaegan", stopped.Arch)
	}
	if status, _ := r.ask("POST", "/api/trainings/"+v.ID+"/pause", ""); status != 409 {
		t.Errorf("paused twice: status %d", status)
	}
	if status, text := r.ask("POST", "/api/trainings/"+v.ID+"/resume", `{"more": 0.1}`); status != 200 {
		t.Fatalf("resume: status %d: %s", status, text)
	}
	resumed, _ := r.await(v.ID, func(now view) bool { return now.State == running && now.Step > stopped.Step })
	r.close() // The server ends while it trains.

	r = open(t, dir, data)
	defer r.close()
	if r.added.Load() == 0 {
		t.Error("after a restart the training cannot be played")
	}
	ended, curves := r.await(v.ID, is(done))
	if ended.Step <= resumed.Step || curves != ended.Step {
		t.Errorf("the training ended at step %d, its curves at %d; before the restart it was at %d", ended.Step, curves, resumed.Step)
	}
	status, text = r.ask("GET", "/api/trainings/"+v.ID+"/previews", "")
	var list struct{ Previews []previewView }
	if err := json.Unmarshal([]byte(text), &list); status != 200 || err != nil || len(list.Previews) == 0 || len(list.Previews[0].Sounds) == 0 {
		t.Fatalf("previews: status %d, %v: %s", status, err, text)
	}
	if status, text := r.ask("GET", "/api/trainings/"+v.ID+"/previews/"+list.Previews[0].Sounds[0].File, ""); status != 200 || !strings.HasPrefix(text, "RIFF") {
		t.Errorf("a preview: status %d, %.10q", status, text)
	}
	for _, name := range []string{"..%2ftraining.json", "step-00000001_..%2f_1.wav", "training.json", "step-99999999.png"} {
		if status, text := r.ask("GET", "/api/trainings/"+v.ID+"/previews/"+name, ""); status != 404 {
			t.Errorf("preview %s: status %d: %.40s", name, status, text)
		}
	}
	if status, _ := r.ask("DELETE", "/api/trainings/"+v.ID, ""); status != 204 {
		t.Errorf("remove: status %d", status)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "trainings")); len(left) > 0 {
		t.Errorf("%d folders are left", len(left))
	}
}

func TestFailureIsShown(t *testing.T) {
	data := t.TempDir()
	if err := os.WriteFile(filepath.Join(data, "a_1.wav"), []byte("no sound"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := open(t, t.TempDir(), data)
	defer r.close()
	_, text := r.ask("POST", "/api/trainings", `{"name": "x", "source": "data", "arch": "vae", "minutes": 0.1}`)
	var v view
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err, text)
	}
	last, _ := r.await(v.ID, is(failed))
	if last.Error == "" || strings.Contains(last.Error, data) {
		t.Errorf("the error is %q", last.Error)
	}
}
