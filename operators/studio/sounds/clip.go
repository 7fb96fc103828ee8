package sounds

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"wavemill/audio/wav"
	"wavemill/models/sampling"
	"wavemill/operators/studio/web"
)

// An Ask is a clip as the query of an address describes it. Values that are left out are the defaults of the model.
type Ask struct {
	Model       string // digest, or its first digits
	Label       string
	Seed        uint64
	Temperature *float64
	Steps       int
	Other       string  // second label of a mixture
	Weight      float64 // 0: Label, 1: Other
	Given       string  // id of a given clip to vary
	Strength    *float64
	At          *[2]float64 // place on the map of the latents
}

// mostDigits bounds a number in a query.
const mostDigits = 32

// ParseAsk reads the query of an address. An unknown name is an error, so that a misspelt setting is not a clip of other
// settings.
func ParseAsk(query url.Values) (a Ask, err error) {
	var x, y *float64
	for name, values := range query {
		value := values[0]
		if len(values) > 1 {
			return a, web.Errorf(http.StatusBadRequest, "%s is given twice", name)
		}
		switch name {
		case "model":
			a.Model = value
		case "label":
			a.Label = value
		case "other":
			a.Other = value
		case "given":
			a.Given = value
		case "seed":
			a.Seed, err = strconv.ParseUint(value, 10, 64)
		case "steps":
			a.Steps, err = strconv.Atoi(value)
		case "weight":
			err = number(value, &a.Weight)
		case "temperature":
			a.Temperature = new(float64)
			err = number(value, a.Temperature)
		case "strength":
			a.Strength = new(float64)
			err = number(value, a.Strength)
		case "x":
			x = new(float64)
			err = number(value, x)
		case "y":
			y = new(float64)
			err = number(value, y)
		default:
			return a, web.Errorf(http.StatusBadRequest, "there is no setting %q", name)
		}
		if err != nil {
			return a, web.Errorf(http.StatusBadRequest, "%s: %q is not such a number", name, value)
		}
	}
	if x != nil && y != nil {
		a.At = &[2]float64{*x, *y}
	}
	return a, a.check(x != nil || y != nil)
}

// check reports settings that exclude each other.
func (a Ask) check(placed bool) error {
	switch {
	case a.Given != "" && !isID(a.Given):
		return web.Errorf(http.StatusBadRequest, "given: this is not the id of a given clip")
	case placed && a.At == nil:
		return web.Errorf(http.StatusBadRequest, "a place on the map has an x and a y")
	case placed && (a.Given != "" || a.Other != ""), a.Given != "" && a.Other != "":
		return web.Errorf(http.StatusBadRequest, "given, other and a place on the map exclude each other")
	}
	return nil
}

func number(text string, into *float64) error {
	if len(text) > mostDigits {
		return errors.New("too long")
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Errorf("%q is no finite number", text)
	}
	*into = v
	return nil
}

// provenance completes an ask to what the sampler of a model is asked for.
func (l *Library) provenance(ctx context.Context, m *model, a Ask) (p sampling.Provenance, err error) {
	p = sampling.Provenance{Label: a.Label, Seed: a.Seed, Steps: a.Steps}
	if p.Temperature, err = sampling.Temperature(a.Temperature); err != nil {
		return p, err
	}
	label, err := m.sampler.Label(a.Label)
	if err != nil {
		return p, err
	}
	switch {
	case a.Other != "":
		if _, err := m.sampler.Label(a.Other); err != nil {
			return p, err
		}
		p.Mix = &sampling.Mix{Label: a.Other, Weight: a.Weight}
	case a.Given != "":
		p.Strength = sampling.DefaultStrength
		if a.Strength != nil {
			p.Strength = *a.Strength
		}
		p.Like, err = l.source(ctx, m, a.Given, a.Label)
	case a.At != nil:
		p.Like, err = m.place(label, *a.At)
	}
	if err != nil {
		return p, err
	}
	return p, p.Validate()
}

// make makes the clip of an ask.
func (l *Library) make(ctx context.Context, a Ask) (sampling.Clip, error) {
	m, err := l.find(a.Model)
	if err != nil {
		return sampling.Clip{}, err
	}
	select {
	case l.slots <- struct{}{}:
		defer func() { <-l.slots }()
	case <-ctx.Done():
		return sampling.Clip{}, ctx.Err()
	}
	p, err := l.provenance(ctx, m, a)
	if err != nil {
		return sampling.Clip{}, web.Refused(err)
	}
	clip, err := m.sampler.Generate(ctx, p)
	if err != nil && ctx.Err() == nil {
		return clip, web.Refused(err)
	}
	return clip, err
}

// clip answers with a clip as a 16-bit WAV file: the bytes that `wavemill generate` writes.
func (l *Library) clip(w http.ResponseWriter, r *http.Request) error {
	a, err := ParseAsk(r.URL.Query())
	if err != nil {
		return err
	}
	began := time.Now()
	clip, err := l.make(r.Context(), a)
	if err != nil {
		return err
	}
	content, err := clip.WAV(wav.PCM16)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Wavemill-Label", url.PathEscape(clip.Name()))
	h.Set("Wavemill-Seed", strconv.FormatUint(clip.Seed, 10))
	h.Set("Wavemill-Model", clip.Model)
	h.Set("Server-Timing", fmt.Sprintf("make;dur=%.1f", float64(time.Since(began).Microseconds())/1000))
	if a.Model == clip.Model { // A full digest: the answer never changes.
		sum := sha256.Sum256(content)
		h.Set("ETag", `"`+hex.EncodeToString(sum[:16])+`"`)
		h.Set("Cache-Control", "private, max-age=3600, immutable")
	} else {
		h.Set("Cache-Control", "no-store")
	}
	web.Audio(w, "audio/wav", sampling.FileName(clip.Name(), clip.Seed), content)
	return nil
}
