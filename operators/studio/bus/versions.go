package bus

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wavemill/audio/spectrogram"
	"wavemill/models"
	"wavemill/operators/studio/web"
	"wavemill/operators/versions"
	"wavemill/pipeline/modelstore"
)

// specs is a list of one spectrogram.
func specs(s *spectrogram.Spectrogram) []*spectrogram.Spectrogram {
	return []*spectrogram.Spectrogram{s}
}

// entries are the models of the store; none where the trainer has stored none yet.
func entries(ctx context.Context, s *modelstore.Store) ([]modelstore.Entry, error) {
	names, err := s.Names(ctx)
	if errors.Is(err, jetstream.ErrBucketNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []modelstore.Entry
	for _, name := range names {
		e, err := s.Get(ctx, name)
		if errors.Is(err, modelstore.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

func (v *View) versions(w http.ResponseWriter, r *http.Request) error {
	all, err := entries(r.Context(), v.bus.Models())
	if err != nil {
		return away(err)
	}
	list := []versions.Version{}
	for _, e := range all {
		list = append(list, versions.List(e)...)
	}
	return web.JSON(w, map[string]any{"versions": list})
}

// changeVersion changes which version of a model is served.
func (v *View) changeVersion(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Do      string `json:"do"` // rollback, serve, pin, unpin
		Version uint64 `json:"version"`
		Reason  string `json:"reason"`
	}
	if err := web.Read(w, r, &body); err != nil {
		return err
	}
	if body.Do == "rollback" && body.Reason == "" {
		body.Reason = "rolled back in the studio"
	}
	ctx, store := r.Context(), v.bus.Models()
	e, err := store.Get(ctx, r.PathValue("name"))
	if err != nil {
		return away(err)
	}
	switch body.Do {
	case "rollback":
		e, err = store.Rollback(ctx, e, body.Reason)
	case "serve":
		e, err = store.Serve(ctx, e, body.Version, body.Reason)
	case "pin":
		e, err = store.Pin(ctx, e, true)
	case "unpin":
		e, err = store.Pin(ctx, e, false)
	default:
		return web.Errorf(http.StatusBadRequest, "do is rollback, serve, pin or unpin")
	}
	if err != nil {
		return away(err)
	}
	return web.JSON(w, map[string]any{"versions": versions.List(e)})
}

// followEvery is how often the model store is asked for new versions.
const followEvery = 3 * time.Second

// Follow gives add every version that is served, until ctx is done.
func (v *View) Follow(ctx context.Context, add func(name string, c models.Checkpoint) error) {
	known := map[string]string{}
	ticks := time.NewTicker(followEvery)
	defer ticks.Stop()
	for {
		if err := v.add(ctx, known, add); err != nil && ctx.Err() == nil {
			v.log.Debug("the served models cannot be read", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
	}
}

func (v *View) add(ctx context.Context, known map[string]string, add func(string, models.Checkpoint) error) error {
	ctx, cancel := context.WithTimeout(ctx, 10*followEvery)
	defer cancel()
	all, err := entries(ctx, v.bus.Models())
	if err != nil {
		return err
	}
	for _, e := range all {
		if known[e.Name] == e.Digest {
			continue
		}
		content, err := v.bus.Models().Load(ctx, e)
		if err != nil {
			return err
		}
		c, err := models.Decode(content)
		if err == nil {
			err = add(e.Name, c)
		}
		if err != nil {
			v.log.Warn("a served model cannot be played", "model", e.Name, "version", e.Version, "error", err)
		}
		known[e.Name] = e.Digest
	}
	return nil
}
