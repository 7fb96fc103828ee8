package bus

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"wavemill/audio"
	"wavemill/audio/codec"
	"wavemill/audio/wav"
	"wavemill/models/frontend"
	"wavemill/operators/studio/web"
	"wavemill/pipeline/deadletter"
	"wavemill/pipeline/header"
	"wavemill/pipeline/objectstore"
	"wavemill/pipeline/quarantine"
)

// mostListed is how many letters or messages in quarantine one answer has.
const mostListed = 1000

// numberOf reads the number of an address.
func numberOf(r *http.Request) (uint64, error) {
	n, err := strconv.ParseUint(r.PathValue("n"), 10, 64)
	if err != nil || n == 0 {
		return 0, web.Errorf(http.StatusNotFound, "there is no message of this number")
	}
	return n, nil
}

func (v *View) letters(w http.ResponseWriter, r *http.Request) error {
	all, more := []deadletter.Letter{}, false
	for l, err := range v.bus.DeadLetters().List(r.Context(), deadletter.Filter{}) {
		if errors.Is(err, deadletter.ErrNotLetter) {
			continue
		}
		if err != nil {
			return away(err)
		}
		if more = len(all) == mostListed; more {
			break
		}
		all = append(all, l)
	}
	return web.JSON(w, map[string]any{"letters": all, "more": more})
}

// letter returns the letter of an address.
func (v *View) letter(r *http.Request) (deadletter.Letter, error) {
	n, err := numberOf(r)
	if err != nil {
		return deadletter.Letter{}, err
	}
	l, err := v.bus.DeadLetters().Get(r.Context(), n)
	if err != nil {
		return l, away(err)
	}
	return l, nil
}

// letterSound answers with the sound of a dead letter as a WAV file. A body that cannot be decoded is an error that says why,
// which often is the reason of the letter.
func (v *View) letterSound(w http.ResponseWriter, r *http.Request) error {
	l, err := v.letter(r)
	if err != nil {
		return err
	}
	body, err := v.bus.DeadLetters().Body(r.Context(), l)
	if errors.Is(err, objectstore.ErrGone) {
		return web.Errorf(http.StatusGone, "the body of the letter has expired")
	}
	if err != nil {
		return away(err)
	}
	get := func(name string) string { return header.DecodeValue(l.Header.Get(name)) }
	return answer(r.Context(), w, body, get)
}

// answer sends the sound of a body: of an audio file, or of a spectrogram. It is decoded and written anew, so that a browser
// gets nothing but samples.
func answer(ctx context.Context, w http.ResponseWriter, body []byte, header func(string) string) error {
	clip, err := sound(ctx, body, header)
	if err != nil {
		return web.Errorf(http.StatusUnprocessableEntity, "the body is no sound that can be decoded: %v", err)
	}
	content, err := wav.Encode(clip, wav.Options{})
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	web.Audio(w, "audio/wav", "message.wav", content)
	return nil
}

func sound(ctx context.Context, body []byte, get func(string) string) (audio.Clip, error) {
	whole, transform := get(header.FrontEnd), get(header.Spectrogram)
	if whole == "" && transform == "" {
		clip, _, err := codec.Decode(ctx, "body", body)
		return clip, err
	}
	config, array, err := frontend.DecodeArray(body, whole, transform)
	if err != nil {
		return audio.Clip{}, err
	}
	front, err := frontend.New(config)
	if err != nil {
		return audio.Clip{}, err
	}
	if frames, bins := front.Shape(); array.Frames != frames || array.Bins != bins {
		config.Frames = array.Frames
		if front, err = frontend.New(config); err != nil {
			return audio.Clip{}, err
		}
	}
	batch, err := front.Batch(specs(array), []int{0})
	if err != nil {
		return audio.Clip{}, err
	}
	return front.Synthesize(batch, 0, 1)
}

// replay puts the message of a letter where it failed.
func (v *View) replay(w http.ResponseWriter, r *http.Request) error {
	l, err := v.letter(r)
	if err != nil {
		return err
	}
	ack, err := v.bus.DeadLetters().Replay(r.Context(), l)
	if errors.Is(err, objectstore.ErrGone) {
		return web.Errorf(http.StatusGone, "the body of the letter has expired: it cannot be replayed")
	}
	if err != nil {
		return away(err)
	}
	return web.JSON(w, map[string]any{"number": l.Number, "stream": ack.Stream, "sequence": ack.Sequence})
}

// purge removes a letter.
func (v *View) purge(w http.ResponseWriter, r *http.Request) error {
	l, err := v.letter(r)
	if err != nil {
		return err
	}
	if err := v.bus.DeadLetters().PurgeOne(r.Context(), l); err != nil {
		return away(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (v *View) quarantined(w http.ResponseWriter, r *http.Request) error {
	all, more := []quarantine.Message{}, false
	for m, err := range quarantine.Of(v.bus).List(r.Context(), quarantine.Filter{}) {
		if err != nil && m.Number > 0 {
			v.log.Warn("a message in quarantine cannot be read", "number", m.Number, "error", err)
			continue
		}
		if err != nil {
			return away(err)
		}
		if more = len(all) == mostListed; more {
			break
		}
		all = append(all, m)
	}
	return web.JSON(w, map[string]any{"messages": all, "more": more})
}

// message returns the message in quarantine of an address.
func (v *View) message(r *http.Request) (*quarantine.Store, quarantine.Message, error) {
	store := quarantine.Of(v.bus)
	n, err := numberOf(r)
	if err != nil {
		return store, quarantine.Message{}, err
	}
	m, err := store.Get(r.Context(), n)
	if err != nil {
		return store, m, away(err)
	}
	return store, m, nil
}

func (v *View) quarantineSound(w http.ResponseWriter, r *http.Request) error {
	store, m, err := v.message(r)
	if err != nil {
		return err
	}
	body, err := store.Content(r.Context(), v.bus, m)
	if errors.Is(err, objectstore.ErrGone) {
		return web.Errorf(http.StatusGone, "the body of the message has expired")
	}
	if err != nil {
		return away(err)
	}
	return answer(r.Context(), w, body, m.Header)
}

// accept lets a message pass, under another label where one is given.
func (v *View) accept(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Label string `json:"label"`
	}
	if err := web.Read(w, r, &body); err != nil {
		return err
	}
	store, m, err := v.message(r)
	if err != nil {
		return err
	}
	placed, err := store.Accept(r.Context(), m, body.Label)
	if err != nil {
		return away(err)
	}
	return web.JSON(w, placed)
}

// drop removes a message from quarantine.
func (v *View) drop(w http.ResponseWriter, r *http.Request) error {
	store, m, err := v.message(r)
	if err != nil {
		return err
	}
	if err := store.Remove(r.Context(), m.Number); err != nil {
		return away(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
