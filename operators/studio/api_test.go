package studio_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wavemill/audio"
	"wavemill/audio/dataset"
	"wavemill/audio/wav"
	"wavemill/models/sampling"
	"wavemill/operators/studio"
	"wavemill/operators/studio/sounds"
	"wavemill/operators/studio/trainings"
	"wavemill/operators/studio/web"
)

// checkpoint is a small model of the labels 1, 3 and others.
const checkpoint = "../../cmd/wavemill/testdata/compat/vae.safetensors"

// A client asks a studio as the page does.
type client struct {
	t    *testing.T
	url  string
	dir  string
	lib  *sounds.Library
	stop func()
}

// newClient serves a studio with the checkpoint and some recordings, whose files it keeps in dir.
func newClient(t *testing.T, dir string) *client {
	t.Helper()
	lib := sounds.New(sounds.Options{Dir: dir, Log: quiet, Recordings: func(context.Context) ([]dataset.Recording, error) { return recordings(), nil }})
	if err := lib.AddFile(checkpoint); err != nil {
		t.Fatal(err)
	}
	manager, err := trainings.Open(t.Context(), trainings.Options{Dir: dir, Add: lib.Add, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := studio.Handler(studio.Options{Parts: []studio.Part{lib, manager}, Models: lib.State, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	c := &client{t: t, url: server.URL, dir: dir, lib: lib, stop: func() { server.Close(); manager.Close() }}
	t.Cleanup(func() { c.stop() })
	return c
}

// recordings are tones of two labels, and one of a label that the model does not know.
func recordings() []dataset.Recording {
	var all []dataset.Recording
	for i, label := range []string{"1", "3", "1", "3", "unknown"} {
		r := dataset.Recording{Item: dataset.Item{Name: label + "/" + string(rune('a'+i)) + ".wav", Label: label}, Clip: tone(200 * float64(i+1))}
		r.Digest = r.Name
		all = append(all, r)
	}
	return all
}

func tone(frequency float64) audio.Clip {
	c := audio.Clip{Samples: make([]float32, 4000), Channels: 1, Rate: 8000}
	phase := 0.0
	for i := range c.Samples {
		phase += frequency / 8000
		c.Samples[i] = float32(0.5 * (2*(phase-float64(int(phase))) - 1))
	}
	return c
}

// do sends a request and returns status, headers and body.
func (c *client) do(method, path string, body []byte) (int, http.Header, []byte) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set(web.Header, "1")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if strings.Contains(string(content), c.dir) {
		c.t.Errorf("%s %s: the answer has a path of the server: %s", method, path, content)
	}
	return answer.StatusCode, answer.Header, content
}

// get is do for an answer that must be fine, into v where it is JSON.
func (c *client) want(status int, method, path string, body []byte, v any) []byte {
	c.t.Helper()
	got, _, content := c.do(method, path, body)
	if got != status {
		c.t.Fatalf("%s %s: status %d, want %d: %s", method, path, got, status, content)
	}
	if v != nil {
		if err := json.Unmarshal(content, v); err != nil {
			c.t.Fatalf("%s %s: %v: %s", method, path, err, content)
		}
	}
	return content
}

func TestClip(t *testing.T) {
	c := newClient(t, t.TempDir())
	var list struct {
		Models []struct {
			ID     string   `json:"id"`
			Labels []string `json:"labels"`
		} `json:"models"`
	}
	c.want(200, "GET", "/api/models", nil, &list)
	id := list.Models[0].ID
	clip := c.want(200, "GET", "/api/clip?label=1&seed=7&model="+id, nil, nil)
	// The clip is the one that the library of the commands makes.
	p, _, err := sampling.ReadProvenance(clip)
	if err != nil || p.Label != "1" || p.Seed != 7 || p.Model != id {
		t.Errorf("provenance %+v, %v", p, err)
	}
	for _, other := range []string{"label=1&seed=8", "label=3&seed=7", "label=1&seed=7&temperature=0.2", "label=1&seed=7&other=3&weight=0.4", "label=1&seed=7&x=0.1&y=0.1"} {
		first := c.want(200, "GET", "/api/clip?"+other, nil, nil)
		if bytes.Equal(first, clip) {
			t.Errorf("%s gives the same clip as label=1&seed=7", other)
		}
		if again := c.want(200, "GET", "/api/clip?"+other, nil, nil); !bytes.Equal(first, again) {
			t.Errorf("%s gives other bytes the second time", other)
		}
	}
	for _, bad := range []string{
		"label=nothing", "", "label=1&seed=-1", "label=1&seed=x", "label=1&temperature=99", "label=1&temperature=NaN", "label=1&label=3", "label=1&sed=1", "label=1&x=1",
		"label=1&x=Inf&y=0", "label=1&x=1e9&y=0", "label=1&other=nothing&weight=0.5", "label=1&other=3&weight=2", "label=1&given=../../etc/passwd", "label=1&given=" + strings.Repeat("0", 32),
		"label=1&given=" + strings.Repeat("0", 32) + "&other=3", "label=1&model=ffffffffffff", "label=1&model=" + id[:4],
	} {
		if status, _, text := c.do("GET", "/api/clip?"+bad, nil); status != 400 && status != 404 {
			t.Errorf("%s: status %d: %.80s", bad, status, text)
		}
	}
}

func TestGivenClipSurvivesTheServer(t *testing.T) {
	dir := t.TempDir()
	c := newClient(t, dir)
	file, err := wav.Encode(tone(300), wav.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var given struct {
		ID    string `json:"id"`
		Label string `json:"label"`
	}
	c.want(200, "POST", "/api/given?name="+url.QueryEscape("3_<b>.wav"), file, &given)
	if given.Label != "3" {
		t.Errorf("label %q by the name of the file, want 3", given.Label)
	}
	query := "/api/clip?label=3&seed=2&strength=0.5&given=" + given.ID
	before := c.want(200, "GET", query, nil, nil)
	c.stop()
	c = newClient(t, dir)
	if after := c.want(200, "GET", query, nil, nil); !bytes.Equal(before, after) {
		t.Error("after a restart the link gives other bytes")
	}
	if back := c.want(200, "GET", "/api/given/"+given.ID, nil, nil); !bytes.Equal(back, file) {
		t.Error("the given clip is not as it was given")
	}
	for name, bad := range map[string][]byte{"noise.wav": []byte("no sound"), "empty.wav": nil, "../up.wav": file, "a\x00.wav": file} {
		c.want(400, "POST", "/api/given?name="+url.QueryEscape(name), bad, nil)
	}
	c.want(413, "POST", "/api/given?name=large.wav", make([]byte, 25<<20), nil)
}

func TestStars(t *testing.T) {
	c := newClient(t, t.TempDir())
	name := `<script>alert(1)</script>/../x`
	body, _ := json.Marshal(map[string]string{"query": "label=1&seed=5", "name": name})
	var star struct{ ID, Name, Query string }
	c.want(200, "POST", "/api/stars", body, &star)
	if star.Name != name {
		t.Errorf("the name became %q", star.Name)
	}
	if !strings.Contains(star.Query, "model=") {
		t.Errorf("the query of the star does not name the model: %s", star.Query)
	}
	clip := c.want(200, "GET", "/api/clip?"+star.Query, nil, nil)
	if kept := c.want(200, "GET", "/api/stars/"+star.ID, nil, nil); !bytes.Equal(kept, clip) {
		t.Error("the star has other bytes than the clip")
	}
	c.want(200, "POST", "/api/stars", []byte(`{"query": "label=3&seed=1", "name": ""}`), nil)
	c.want(200, "PUT", "/api/stars/"+star.ID, []byte(`{"name": "good"}`), nil)
	archive := c.want(200, "GET", "/api/stars.zip", nil, nil)
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range z.File {
		names = append(names, f.Name)
	}
	if len(names) != 3 || names[0] != "good.wav" || names[2] != "manifest.jsonl" {
		t.Errorf("the archive has %v", names)
	}
	manifest, err := z.Open("manifest.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var line struct {
		File, Label, Name string
		Seed              uint64
	}
	if err := json.NewDecoder(manifest).Decode(&line); err != nil || line.File != "good.wav" || line.Label != "1" || line.Seed != 5 || line.Name != "good" {
		t.Errorf("the manifest begins with %+v, %v", line, err)
	}
	c.want(204, "DELETE", "/api/stars/"+star.ID, nil, nil)
	c.want(404, "GET", "/api/stars/"+star.ID, nil, nil)
	c.want(404, "DELETE", "/api/stars/..%2f..%2fstars.json", nil, nil)
	c.want(400, "POST", "/api/stars", []byte(`{"query": "label=1", "other": 1}`), nil)
	c.want(413, "POST", "/api/stars", append([]byte(`{"name": "`), bytes.Repeat([]byte("a"), 2<<20)...), nil)
}

func TestNearest(t *testing.T) {
	c := newClient(t, t.TempDir())
	var answer struct {
		Compared int
		Nearest  []struct {
			N        int
			Distance float64
		}
	}
	c.want(200, "GET", "/api/nearest?label=1&seed=1&n=3", nil, &answer)
	if answer.Compared != 5 || len(answer.Nearest) != 3 || !(answer.Nearest[0].Distance <= answer.Nearest[1].Distance) || answer.Nearest[0].Distance <= 0 {
		t.Errorf("nearest: %+v", answer)
	}
	c.want(200, "GET", "/api/recordings/4", nil, nil)
	for _, n := range []string{"5", "-1", "x"} {
		c.want(404, "GET", "/api/recordings/"+n, nil, nil)
	}
	c.want(400, "GET", "/api/nearest?label=1&n=1000", nil, nil)
}

func TestBlindTest(t *testing.T) {
	dir := t.TempDir()
	c := newClient(t, dir)
	var begun struct {
		ID     string
		Labels []string
	}
	c.want(200, "POST", "/api/blind", []byte(`{"model": "", "listener": "Ann", "seed": 3}`), &begun)
	if len(begun.Labels) != 20 || slices.Contains(begun.Labels, "unknown") {
		t.Fatalf("labels: %v", begun.Labels)
	}
	a := c.want(200, "GET", "/api/blind/"+begun.ID+"/0/a", nil, nil)
	b := c.want(200, "GET", "/api/blind/"+begun.ID+"/0/b", nil, nil)
	if bytes.Equal(a, b) || bytes.Contains(a, []byte("ICMT")) || bytes.Contains(b, []byte("ICMT")) {
		t.Error("the two sounds are the same, or one of them says what it is")
	}
	c.want(404, "GET", "/api/blind/"+begun.ID+"/0/c", nil, nil)
	c.want(404, "GET", "/api/blind/"+begun.ID+"/20/a", nil, nil)
	var last struct {
		Done  bool
		Score struct {
			Pairs, Correct   int
			Share, Low, High float64
		}
	}
	for i := range 20 {
		path := "/api/blind/" + begun.ID + "/" + string([]byte{byte('0' + i/10), byte('0' + i%10)})
		text := c.want(200, "POST", path, []byte(`{"recording": "a"}`), &last)
		if i < 19 && strings.Contains(string(text), "correct") {
			t.Error("an answer before the last tells the score")
		}
		if i == 0 {
			c.want(409, "POST", path, []byte(`{"recording": "b"}`), nil)
		}
	}
	s := last.Score
	if !last.Done || s.Pairs != 20 || s.Low >= s.Share && s.Share > 0 || s.High <= s.Share || s.Low < 0 || s.High > 1 {
		t.Errorf("the score is %+v", last)
	}
	text, err := os.ReadFile(filepath.Join(dir, "blind.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var line struct {
		Listener string
		Correct  int
		Answers  []struct {
			Correct bool
		}
	}
	if err := json.Unmarshal(text, &line); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte(`"label":"1"`)) || !bytes.Contains(text, []byte(`"recording_first":`)) {
		t.Errorf("blind.jsonl does not say what was heard: %s", text)
	}
	right := 0
	for _, a := range line.Answers {
		if a.Correct {
			right++
		}
	}
	if line.Listener != "Ann" || right != line.Correct || line.Correct != s.Correct || len(line.Answers) != 20 {
		t.Errorf("blind.jsonl has %+v", line)
	}
}

func zipOf(t *testing.T, entries map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range entries {
		f, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		f.Write(content)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestUpload(t *testing.T) {
	dir := t.TempDir()
	c := newClient(t, filepath.Join(dir, "studio"))
	var upload struct {
		ID    string
		Files int
	}
	c.want(200, "POST", "/api/uploads", nil, &upload)
	put := func(status int, name string, content []byte) {
		t.Helper()
		c.want(status, "PUT", "/api/uploads/"+upload.ID+"/files?path="+url.QueryEscape(name), content, nil)
	}
	sound, err := wav.Encode(tone(300), wav.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i, label := range []string{"<img src=x onerror=alert(1)>", "two"} {
		for j := range 6 {
			sound, err := wav.Encode(tone(100*float64(i+1)+17*float64(j)), wav.Options{})
			if err != nil {
				t.Fatal(err)
			}
			put(200, label+"/"+string(rune('a'+j))+".wav", sound)
		}
	}
	for _, name := range []string{"../out.wav", "a/../../../out.wav", "/tmp/out.wav", `..\out.wav`, "C:\\out.wav", ""} {
		put(400, name, sound)
	}
	for _, name := range []string{"../out.wav", "x/../../out.wav", "/out.wav"} {
		put(400, "set.zip", zipOf(t, map[string][]byte{"two/fine.wav": sound, name: sound}))
	}
	put(400, "set.zip", []byte("no zip"))
	put(200, "set.zip", zipOf(t, map[string][]byte{"two/in_zip.wav": sound, "two/readme.txt": []byte("x"), "__MACOSX/two/x.wav": sound, ".git/a.wav": sound}))
	put(200, "notes.txt", []byte("passed over"))
	put(200, "broken/x.wav", []byte("no sound"))
	if left, _ := filepath.Glob(filepath.Join(dir, "*.wav")); len(left) > 0 {
		t.Errorf("files outside: %v", left)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "studio", "zip-*")); len(left) > 0 {
		t.Errorf("temporary files are left: %v", left)
	}
	var plan struct {
		Files, Used int
		Labels      []struct {
			Label string
			Files int
		}
		Findings []string
		Plan     *struct {
			Ceiling *struct{ Clips int }
		}
	}
	text := c.want(200, "GET", "/api/sources/"+upload.ID+"/plan", nil, &plan)
	if plan.Files != 14 || plan.Used < 12 || len(plan.Labels) != 2 || plan.Labels[0].Label != "<img src=x onerror=alert(1)>" || plan.Plan == nil || plan.Plan.Ceiling == nil {
		t.Errorf("the plan is %s", text)
	}
	if !strings.Contains(strings.Join(plan.Findings, "\n"), "x.wav") {
		t.Errorf("the broken file is not reported: %v", plan.Findings)
	}
	for _, name := range []string{"labels.csv", "labels.TSV", "labels.jsonl", "labels.ndjson", "{label}.csv"} {
		table := filepath.Join(t.TempDir(), name) // a file of the server
		if err := os.WriteFile(table, []byte("file,label\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if text := c.want(400, "GET", "/api/sources/"+upload.ID+"/plan?labels="+url.QueryEscape(table), nil, nil); !strings.Contains(string(text), "use folder, prefix, or a pattern") {
			t.Errorf("%s: %s", name, text)
		}
	}
	c.want(404, "GET", "/api/sources/data/plan", nil, nil)
	c.want(404, "GET", "/api/sources/..%2f../plan", nil, nil)
	for body, status := range map[string]int{
		`{"name": "", "source": "ID", "arch": "vae", "minutes": 1}`:                            400,
		`{"name": "a", "source": "ID", "arch": "nothing", "minutes": 1}`:                       400,
		`{"name": "a", "source": "ID", "arch": "vae", "minutes": 0}`:                           400,
		`{"name": "a", "source": "nowhere", "arch": "vae", "minutes": 1}`:                      404,
		`{"name": "a", "source": "ID", "arch": "vae", "minutes": 1, "labels": "/etc/x.jsonl"}`: 400,
	} {
		c.want(status, "POST", "/api/trainings", []byte(strings.ReplaceAll(body, "ID", upload.ID)), nil)
	}
	c.want(204, "DELETE", "/api/uploads/"+upload.ID, nil, nil)
	put(404, "a.wav", sound)
}

func TestUnknownAddresses(t *testing.T) {
	c := newClient(t, t.TempDir())
	for _, path := range []string{"/nothing", "/static/index.html", "/../go.mod", "/%2e%2e/go.mod", "/api/", "/api/trainings/x/previews/..%2f..%2ftraining.json", "/index.html"} {
		if status, _, _ := c.do("GET", path, nil); status != 404 {
			t.Errorf("GET %s: status %d", path, status)
		}
	}
	status, header, _ := c.do("GET", "/", nil)
	if status != 200 || !strings.HasPrefix(header.Get("Content-Type"), "text/html") {
		t.Errorf("GET /: status %d, %s", status, header.Get("Content-Type"))
	}
	status, _, _ = c.do("POST", "/api/models", nil)
	if status != 405 && status != 404 {
		t.Errorf("POST /api/models: status %d", status)
	}
}
