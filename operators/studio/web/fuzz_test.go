package web

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"wavemill/internal/allocation"
)

// FuzzRead shows anything in the place of the JSON of a request.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"name":"x","n":[1,2],"more":{"a":null}}`))
	f.Add([]byte(`{"other":1}`))
	f.Add(bytes.Repeat([]byte("["), 9000))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", bytes.NewReader(body))
		var v struct {
			Name string         `json:"name"`
			N    []int          `json:"n"`
			More map[string]any `json:"more"`
		}
		allocation.Check(t, len(body), 500, func() { _ = Read(httptest.NewRecorder(), r, &v) }) // an error is as good as none
	})
}

// FuzzCleanPath shows anything in the place of the path of an upload: what is accepted lies below the folder.
func FuzzCleanPath(f *testing.F) {
	for _, name := range []string{"a/b.wav", `..\x`, "/etc", "a//b", "C:x", "a/./b", "\x00"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		var path string
		var err error
		allocation.Check(t, len(name), 100, func() { path, err = CleanPath(name) })
		if err == nil && !filepath.IsLocal(filepath.FromSlash(path)) {
			t.Errorf("%q became %q", name, path)
		}
	})
}
