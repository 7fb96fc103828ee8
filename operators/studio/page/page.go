// Package page is what a browser loads of the studio: one HTML file, style sheets, JavaScript modules, the table of messages
// in every language, and the description of the API. There is no build step: what is in the folder static is what is sent,
// compressed. A browser runs the modules as they are, so no tool has to be pinned and users need none.
package page

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"

	"wavemill/operators/studio/web"
)

//go:embed static
var static embed.FS

// Files are the files of the page, by their names.
func Files() fs.FS {
	sub, err := fs.Sub(static, "static")
	if err != nil {
		panic(err) // The folder is embedded above.
	}
	return sub
}

// A file is one of the page, ready to be sent.
type file struct {
	mediaType, tag  string
	plain, squeezed []byte
}

// Routes are the addresses of the page: / and every file.
func Routes() ([]web.Route, error) {
	var routes []web.Route
	err := fs.WalkDir(Files(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := read(name)
		if err != nil {
			return err
		}
		address := "/" + name
		if name == "index.html" {
			address = "/{$}"
		}
		routes = append(routes, web.Route{Method: http.MethodGet, Path: address, Do: f.serve})
		return nil
	})
	return routes, err
}

// mediaType is the type of a file by its extension; the table of the operating system is not asked, because it differs.
func mediaType(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".yaml":
		return "application/yaml"
	case ".svg":
		return "image/svg+xml"
	case ".webmanifest":
		return "application/manifest+json"
	}
	return mime.TypeByExtension(path.Ext(name))
}

func read(name string) (*file, error) {
	plain, err := fs.ReadFile(Files(), name)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(plain)
	f := &file{mediaType: mediaType(name), tag: `"` + hex.EncodeToString(sum[:8]) + `"`, plain: plain}
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(plain); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	f.squeezed = b.Bytes()
	return f, nil
}

func (f *file) serve(w http.ResponseWriter, r *http.Request) error {
	h := w.Header()
	h.Set("Content-Type", f.mediaType)
	h.Set("Cache-Control", "no-cache") // Asked again every time, and not sent again while the tag is the same.
	h.Set("ETag", f.tag)
	h.Set("Vary", "Accept-Encoding")
	if r.Header.Get("If-None-Match") == f.tag {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	content := f.plain
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		content = f.squeezed
	}
	_, _ = w.Write(content) // It fails only where the client has disconnected.
	return nil
}
