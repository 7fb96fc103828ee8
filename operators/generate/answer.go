package generate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// publishWait is how long a clip may wait for room in its stream: somebody waits for the answer.
const publishWait = 5 * time.Second

// made is a published clip.
type made struct {
	listed Listed
	body   []byte
	header map[string]string
}

// make makes one clip and publishes it. It is called what [Provenance.Name] says: a listener for threes shall not get
// what is half a seven.
func (o *operator) make(ctx context.Context, t task, p Provenance) (made, error) {
	clip, err := t.maker.Compose(ctx, p)
	if err != nil {
		return made{}, err
	}
	body, err := clip.WAV(t.encoding)
	if err != nil {
		return made{}, err
	}
	p = clip.Provenance
	out := made{body: body, header: map[string]string{
		header.ContentType: ContentType, header.Model: t.maker.Digest, header.Seed: strconv.FormatUint(p.Seed, 10), header.Source: clip.Audio.Source,
	}}
	out.listed = Listed{Label: p.Name(), Seed: p.Seed, ID: o.id(t, p)}
	if p.Mix != nil {
		out.listed.Mix = &ListedMix{From: p.Label, To: p.Mix.Label, Weight: p.Mix.Weight}
	}
	if o.hooks.Judge != nil && p.Name() == p.Label {
		if confidence, ok := o.hooks.Judge(ctx, clip.Audio, p.Label); ok {
			out.listed.Confidence = &confidence
			out.header[header.Confidence] = strconv.FormatFloat(confidence, 'f', 4, 64)
		}
	}
	spec := o.env.Bus.Spec()
	out.listed.Subject = spec.Subject(o.env.To, p.Name())
	ctx, cancel := context.WithTimeout(ctx, publishWait)
	defer cancel()
	ack, err := o.env.Bus.PublishTo(ctx, o.env.To, &pipeline.Message{
		ID: out.listed.ID, Type: pipeline.TypeClip, Label: p.Name(), Header: maps.Clone(out.header), Body: body,
	})
	if err != nil {
		return made{}, err
	}
	out.listed.Stream, out.listed.Sequence, out.listed.Duplicate = ack.Stream, ack.Sequence, ack.Duplicate
	return out, nil
}

// id names a clip by everything that it is made of, so that the same clip has the same id.
func (o *operator) id(t task, p Provenance) string {
	share := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	id := fmt.Sprintf("%s/%s@%s/%s/%d", o.env.Pipeline, o.env.Operator, t.maker.Digest[:16], pipeline.Slug(p.Label), p.Seed)
	if p.Temperature != 0 {
		id += "/t" + share(p.Temperature)
	}
	if p.Like != nil {
		id += "/like-" + p.Like.SHA256[:16] + "-" + share(p.Strength)
	}
	if p.Mix != nil {
		id += "/mix-" + pipeline.Slug(p.Mix.Label) + "-" + share(p.Mix.Weight)
		if p.Mix.Like != nil {
			id += "-like-" + p.Mix.Like.SHA256[:16]
		}
	}
	if t.Format != "wav" {
		id += "/" + t.Format
	}
	return id
}

// headers are the answer's: the clip's own.
func (m made) headers() nats.Header {
	h := nats.Header{header.Label: {header.EncodeValue(m.listed.Label)}, "Nats-Msg-Id": {m.listed.ID}}
	for name, value := range m.header {
		h[name] = []string{header.EncodeValue(value)}
	}
	return h
}

// errStopping: the request came while the operator let go.
var errStopping = errors.New("stopping; ask again, another replica or the restarted operator will answer")

// errNoModel: nothing has been trained yet.
var errNoModel = errors.New("no model yet: it is still being trained, or nothing has been published to learn from; ask again later")

// refuse answers a request from its handler.
func (o *operator) refuse(r micro.Request, err error) {
	m := errorMessage(err)
	if err := r.Error(m.Header.Get(micro.ErrorCodeHeader), m.Header.Get(micro.ErrorHeader), m.Data); err != nil {
		o.log.Warn("answer a request", "error", err)
	}
}

// errorMessage is the answer to a request that is not fulfilled.
func errorMessage(err error) *nats.Msg {
	code := "500"
	body := struct {
		Error  string   `json:"error"`
		Labels []string `json:"labels,omitempty"`
	}{Error: err.Error()}
	if l, ok := errors.AsType[*LabelError](err); ok {
		code, body.Labels = "404", l.Labels
	}
	switch {
	case errors.Is(err, errUsage):
		code = "400"
	case errors.Is(err, errNoModel), errors.Is(err, errStopping), errors.Is(err, context.DeadlineExceeded):
		code = "503"
	}
	data, jsonErr := json.Marshal(body)
	if jsonErr != nil { // Impossible: strings only.
		data = nil
	}
	return &nats.Msg{Header: nats.Header{micro.ErrorCodeHeader: {code}, micro.ErrorHeader: {headerText(err.Error())}}, Data: data}
}

// headerText makes an error fit a header: one line, not too long, encoded where it is not ASCII.
func headerText(s string) string {
	const most = 1000
	line := []rune(s)
	for i, r := range line {
		if r == '\n' || r == '\r' {
			line[i] = ' '
		}
	}
	return header.EncodeValue(string(line[:min(len(line), most)]))
}
