package studio

import (
	"crypto/rand"
	"net/http"
	"time"

	"wavemill/operators/studio/web"
)

// Own are the addresses that every studio answers: which parts it has, and the events of the server.
func Own(o Options) []web.Route {
	id := rand.Text() // A page that sees another one knows that the server began anew.
	return []web.Route{
		{Method: http.MethodGet, Path: "/api/parts", Do: parts(o.Parts)},
		{Method: http.MethodGet, Path: "/api/server", Do: func(w http.ResponseWriter, r *http.Request) error { return events(w, r, id, o.Models) }},
	}
}

// parts answers which views the page can show.
func parts(all []Part) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, _ *http.Request) error {
		has := map[string]bool{}
		for _, p := range all {
			for _, r := range p.Routes() {
				has[r.Path] = true
			}
		}
		return web.JSON(w, map[string]bool{"train": has["/api/trainings"], "run": has["/api/bus"]})
	}
}

// Times of the server's events.
const (
	modelsEvery = time.Second
	aliveEvery  = 15 * time.Second // A connection that has died without a word is noticed when this is sent.
)

// events tells a page which server it talks to, and when other models can be played.
func events(w http.ResponseWriter, r *http.Request, id string, models func() string) error {
	stream, err := web.Stream(w)
	if err != nil {
		return err
	}
	if models == nil {
		models = func() string { return "" }
	}
	known, sent := models(), time.Time{}
	ticks := time.NewTicker(modelsEvery)
	defer ticks.Stop()
	for {
		if time.Since(sent) >= aliveEvery {
			if err := stream.Send("server", map[string]string{"id": id}); err != nil {
				return nil // The page has gone.
			}
			sent = time.Now()
		}
		select {
		case <-r.Context().Done():
			return nil
		case <-ticks.C:
		}
		if now := models(); now != known {
			known = now
			if err := stream.Send("models", map[string]string{"newest": now}); err != nil {
				return nil // The page has gone.
			}
		}
	}
}
