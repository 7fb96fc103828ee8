package generate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"wavemill/models/sampling"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// publishWait is how long a clip may wait for room in its stream. It is short, because a client waits for the answer, or the end of
// the process does. A clip that was answered first waits for Config.Timeout.
const publishWait = 5 * time.Second

// published is a clip after it has been published.
type published struct {
	listed Listed
	body   []byte
	header map[string]string
}

// publish encodes a clip and stores it.
func (o *operator) publish(ctx context.Context, t task, clip sampling.Clip) (published, error) {
	out, err := o.encoded(ctx, t, clip)
	if err == nil {
		err = o.store(ctx, &out, publishWait)
	}
	if err != nil {
		return published{}, err
	}
	return out, nil
}

// encoded is a clip that is ready to be stored under its name, see [sampling.Provenance.Name]: a mixed clip is stored under a
// combined label.
func (o *operator) encoded(ctx context.Context, t task, clip sampling.Clip) (published, error) {
	body, err := clip.WAV(t.encoding)
	if err != nil {
		return published{}, err
	}
	p := clip.Provenance
	out := published{body: body, header: map[string]string{
		header.ContentType: ContentType, header.Model: t.sampler.Digest, header.Seed: strconv.FormatUint(p.Seed, 10), header.Source: clip.Audio.Source,
	}}
	out.listed = Listed{Label: p.Name(), Seed: p.Seed, ID: o.id(t, p)}
	if t.trace != "" {
		out.header[header.Traceparent] = t.trace
	}
	if p.Mix != nil {
		out.listed.Mix = &ListedMix{From: p.Label, To: p.Mix.Label, Weight: p.Mix.Weight}
	}
	if o.hooks.Judge != nil && p.Name() == p.Label {
		delivered, err := clip.Decoded()
		if err != nil {
			return published{}, err
		}
		if confidence, ok := o.hooks.Judge(ctx, delivered, p.Label); ok {
			out.listed.Confidence = &confidence
			out.header[header.Confidence] = strconv.FormatFloat(confidence, 'f', 4, 64)
		}
	}
	out.listed.Subject = o.env.Bus.Spec().Subject(o.env.To, p.Name())
	return out, nil
}

// store publishes an encoded clip, and waits until its stream has it, for at most so long.
func (o *operator) store(ctx context.Context, p *published, most time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	ack, err := o.env.Bus.PublishTo(ctx, o.env.To, &pipeline.Message{
		ID: p.listed.ID, Type: pipeline.TypeClip, Label: p.listed.Label, Header: maps.Clone(p.header), Body: p.body,
	})
	if err != nil {
		return err
	}
	p.listed.Stream, p.listed.Sequence, p.listed.Duplicate = ack.Stream, ack.Sequence, ack.Duplicate
	return nil
}

// id is the message ID of a clip: a function of everything that the clip depends on, so that the same clip has the same
// ID.
func (o *operator) id(t task, p sampling.Provenance) string {
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	id := fmt.Sprintf("%s/%s@%s/%s/%d", o.env.Pipeline, o.env.Operator, t.sampler.Digest[:16], pipeline.Slug(p.Label), p.Seed)
	if p.Temperature != 0 {
		id += "/t" + number(p.Temperature)
	}
	if p.Steps != 0 {
		id += "/steps" + strconv.Itoa(p.Steps)
	}
	if p.Duration != 0 {
		id += "/duration" + number(p.Duration)
	}
	if p.Loop {
		id += "/loop"
	}
	if p.Pitch != 0 {
		id += "/pitch" + number(p.Pitch)
	}
	if p.Like != nil {
		id += "/like-" + p.Like.SHA256[:16] + "-" + number(p.Strength)
	}
	if p.Mix != nil {
		id += "/mix-" + pipeline.Slug(p.Mix.Label) + "-" + number(p.Mix.Weight)
		if p.Mix.Like != nil {
			id += "-like-" + p.Mix.Like.SHA256[:16]
		}
	}
	if t.Format != "wav" {
		id += "/" + t.Format
	}
	return id
}

// headers are those of an answer with one clip.
func (p published) headers() nats.Header {
	h := nats.Header{header.Label: {header.EncodeValue(p.listed.Label)}, "Nats-Msg-Id": {p.listed.ID}}
	for name, value := range p.header {
		h[name] = []string{header.EncodeValue(value)}
	}
	return h
}

// errStopping answers requests that arrive while the operator stops.
var errStopping = errors.New("stopping; ask again, another replica or the restarted operator will answer")

// errNoModel answers requests before the first model is stored.
var errNoModel = errors.New("no model yet: it is still being trained, or nothing has been published to train on; ask again later")

// traceOf is the trace context of a request. NATS header names are case-sensitive, and some libraries write it in capitals.
func traceOf(r micro.Request) string {
	for name, values := range r.Headers() {
		if strings.EqualFold(name, header.Traceparent) && len(values) > 0 {
			return values[0]
		}
	}
	return ""
}

// refuse answers a request with an error, from its handler.
func (o *operator) refuse(r micro.Request, err error, began time.Time) {
	m := errorMessage(err)
	o.answered(began, 0, m.Header.Get(micro.ErrorCodeHeader))
	if err := r.Error(m.Header.Get(micro.ErrorCodeHeader), m.Header.Get(micro.ErrorHeader), m.Data); err != nil {
		o.log.Warn("answer a request", "error", err)
	}
}

// errorMessage is the answer to a failed request.
func errorMessage(err error) *nats.Msg {
	code := "500"
	body := struct {
		Error  string   `json:"error"`
		Labels []string `json:"labels,omitempty"`
	}{Error: clipped(err.Error())}
	if l, ok := errors.AsType[*sampling.LabelError](err); ok {
		code, body.Labels = "404", l.Labels
	}
	switch {
	case errors.Is(err, errUsage), errors.Is(err, sampling.ErrUnreachable):
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

// clipped returns at most 1000 characters of an error: it may quote what the client has sent.
func clipped(s string) string {
	const most = 1000
	if len(s) <= most {
		return s
	}
	short := []rune(s[:min(len(s), 4*most)])
	return string(short[:min(len(short), most)])
}

// headerText returns an error as one header line, encoded where it is not ASCII.
func headerText(s string) string {
	line := []rune(clipped(s))
	for i, r := range line {
		if r == '\n' || r == '\r' {
			line[i] = ' '
		}
	}
	return header.EncodeValue(string(line))
}
