package web

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// Events is a stream of server-sent events (the WHATWG HTML standard, section 9.2). It is not safe for concurrent use.
type Events struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

// Stream begins to answer a request with events. The stream ends when the handler returns; a browser then connects again
// after a second.
func Stream(w http.ResponseWriter) (*Events, error) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	e := &Events{w: w, control: http.NewResponseController(w)}
	if _, err := fmt.Fprint(w, "retry: 1000\n\n"); err != nil {
		return nil, err
	}
	return e, e.control.Flush()
}

// Send sends v as JSON under a name.
func (e *Events) Send(name string, v any) error {
	data, err := json.Marshal(v) // One line: Marshal escapes line breaks.
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(e.w, "event: %s\ndata: %s\n\n", name, data); err != nil {
		return err
	}
	return e.control.Flush()
}
