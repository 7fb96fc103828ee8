package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"path/filepath"
)

// A Route is one line of the studio's API.
type Route struct {
	Method, Path string // Path is a pattern of http.ServeMux.
	Do           func(http.ResponseWriter, *http.Request) error
}

// An Error is an error whose text the client may see.
type Error struct {
	Status int
	Text   string
}

// Error is the text.
func (e *Error) Error() string { return e.Text }

// Errorf returns an Error.
func Errorf(status int, format string, args ...any) *Error {
	return &Error{Status: status, Text: fmt.Sprintf(format, args...)}
}

// Refused makes an Error of an error that is about the request. Of an error of the file system, the text keeps the base name
// of the file only.
func Refused(err error) *Error {
	if known, ok := errors.AsType[*Error](err); ok {
		return known
	}
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return Errorf(http.StatusBadRequest, "%s %s: %v", p.Op, filepath.Base(p.Path), p.Err)
	}
	return Errorf(http.StatusBadRequest, "%v", err)
}

// Handle adds routes to a mux. Errors become a JSON object {"error": TEXT}; those that are no [Error] are logged.
func Handle(mux *http.ServeMux, log *slog.Logger, routes ...Route) {
	for _, route := range routes {
		mux.HandleFunc(route.Method+" "+route.Path, func(w http.ResponseWriter, r *http.Request) {
			if err := route.Do(w, r); err != nil {
				Fail(w, r, log, err)
			}
		})
	}
}

// Fail answers a request with an error.
func Fail(w http.ResponseWriter, r *http.Request, log *slog.Logger, err error) {
	if r.Context().Err() != nil {
		return // The client has gone, or the server stops.
	}
	known, ok := errors.AsType[*Error](err)
	if large, is := errors.AsType[*http.MaxBytesError](err); is {
		known, ok = Errorf(http.StatusRequestEntityTooLarge, "the request is larger than %d bytes", large.Limit), true
	}
	if !ok {
		log.Error("a request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		known = Errorf(http.StatusInternalServerError, "the server failed; its log says why")
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(known.Status)
	// It fails only where the client has disconnected.
	_ = json.NewEncoder(w).Encode(map[string]string{"error": known.Text})
}

// JSON answers with v.
func JSON(w http.ResponseWriter, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(body) // It fails only where the client has disconnected.
	return nil
}

// bodyLimit is the most bytes of a request in JSON.
const bodyLimit = 1 << 20

// Read reads the JSON body of a request, strictly, into v.
func Read(w http.ResponseWriter, r *http.Request, v any) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, bodyLimit))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return err
		}
		return Errorf(http.StatusBadRequest, "the body is not the JSON that is expected: %v", err)
	}
	return nil
}

// Bytes reads the whole body of a request, at most limit bytes.
func Bytes(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	return io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
}

// Audio answers with the content of an audio file, to be saved under a name. The content of a file decides nothing about how
// a browser treats it: the media type is given and may not be guessed.
func Audio(w http.ResponseWriter, mediaType, name string, content []byte) {
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Content-Disposition", Attachment(name))
	_, _ = w.Write(content) // It fails only where the client has disconnected.
}
