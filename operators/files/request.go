package files

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"golang.org/x/sync/errgroup"

	"wavemill/audio/dataset"
	"wavemill/audio/wav"
	"wavemill/internal/atomicfile"
	"wavemill/pipeline/header"
)

// requestsAtOnce is how many requests are made at once: enough for the replicas of an operator to have work.
const requestsAtOnce = 8

// RequestOptions say what is asked for. The fields of the request itself are those of docs/bus.md.
type RequestOptions struct {
	Dir         string        // Dir is created if it does not exist.
	Subject     string        // Subject is <pipeline>.generate.
	Label       string        // Label is one of the model's labels.
	N           int           // N is the number of clips, each a request of its own.
	Seed        uint64        // Seed is that of the first clip; clip i has Seed + i.
	Temperature *float64      // Temperature; nil: the model's own.
	Steps       int           // Steps of a flow; 0: the model's own.
	Format      string        // Format is wav, wav24 or wav32f; empty: wav.
	Wait        time.Duration // Wait is how long an operator that is not there, or has no model, is waited for.
	Timeout     time.Duration // Timeout is how long one clip may take.
}

// ErrNoGenerator means that no operator answers requests.
var ErrNoGenerator = errors.New("no operator answers: it does not run, or has no model yet; `wavemill up` runs one, and `wavemill publish` gives it recordings to learn from")

// A RequestError is an operator's answer to a request that it cannot serve.
type RequestError struct {
	Code   int      // Code is 400 (a wrong request), 404 (no such label), 503 (not now) or 500 (the model failed).
	Text   string   // Text is the reason.
	Labels []string // Labels are those of the model, with 404.
}

func (e *RequestError) Error() string {
	if len(e.Labels) > 0 {
		return fmt.Sprintf("%s (%d); the model has: %s", e.Text, e.Code, strings.Join(e.Labels, ", "))
	}
	return fmt.Sprintf("%s (%d)", e.Text, e.Code)
}

// temporary reports whether the same request may succeed later.
func temporary(err error) bool {
	var e *RequestError
	return errors.Is(err, ErrNoGenerator) || errors.As(err, &e) && e.Code == 503
}

// Request asks a running pipeline for clips, as any client can, and saves each as <label>_<seed>.wav. It calls onClip with each, in
// any order; calls do not overlap. It stops at the first clip that cannot be had.
func Request(ctx context.Context, conn *nats.Conn, o RequestOptions, onClip func(Clip) error) error {
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return fmt.Errorf("request: %w", err)
	}
	var mu sync.Mutex
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(requestsAtOnce)
	for i := range o.N {
		if working.Err() != nil {
			break
		}
		group.Go(func() error {
			clip, err := requestOne(working, conn, o, o.Seed+uint64(i))
			if err != nil {
				return fmt.Errorf("clip of %q with seed %d: %w", o.Label, o.Seed+uint64(i), err)
			}
			mu.Lock()
			defer mu.Unlock()
			return onClip(clip)
		})
	}
	return errors.Join(group.Wait(), ctx.Err())
}

// requestOne asks for one clip, again and again while it may help, and saves it.
func requestOne(ctx context.Context, conn *nats.Conn, o RequestOptions, seed uint64) (Clip, error) {
	body, err := json.Marshal(struct {
		Label       string   `json:"label"`
		Seed        uint64   `json:"seed"`
		Temperature *float64 `json:"temperature,omitempty"`
		Steps       int      `json:"steps,omitempty"`
		Format      string   `json:"format,omitempty"`
	}{o.Label, seed, o.Temperature, o.Steps, o.Format})
	if err != nil {
		return Clip{}, err
	}
	for deadline := time.Now().Add(o.Wait); ; {
		reply, err := ask(ctx, conn, o, body)
		if err == nil {
			return saveReply(o.Dir, reply, seed)
		}
		if !temporary(err) || time.Now().After(deadline) {
			return Clip{}, err
		}
		select {
		case <-time.After(250 * time.Millisecond):
		case <-ctx.Done():
			return Clip{}, ctx.Err()
		}
	}
}

// ask makes one request.
func ask(ctx context.Context, conn *nats.Conn, o RequestOptions, body []byte) (*nats.Msg, error) {
	limited, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	reply, err := conn.RequestWithContext(limited, o.Subject, body)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return nil, fmt.Errorf("%s: %w", o.Subject, ErrNoGenerator)
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		return nil, fmt.Errorf("%s: no answer within %v: the operator is busy, or was killed at work", o.Subject, o.Timeout)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", o.Subject, err)
	}
	if code := reply.Header.Get(micro.ErrorCodeHeader); code != "" {
		refused := &RequestError{Text: header.DecodeValue(reply.Header.Get(micro.ErrorHeader))}
		refused.Code, _ = strconv.Atoi(code) // An operator of another kind may have codes of its own.
		var more struct{ Labels []string }
		if json.Unmarshal(reply.Data, &more) == nil {
			refused.Labels = more.Labels
		}
		return nil, refused
	}
	return reply, nil
}

// saveReply writes the clip of an answer.
func saveReply(dir string, reply *nats.Msg, seed uint64) (Clip, error) {
	if _, _, err := wav.Decode(reply.Data); err != nil {
		return Clip{}, fmt.Errorf("the answer is %w: %w", ErrNotWAV, err)
	}
	label := header.DecodeValue(reply.Header.Get(header.Label))
	clip := Clip{File: filepath.Join(dir, fmt.Sprintf("%s_%d.wav", dataset.FileSlug(label), seed)), Label: label, Seed: seed, Model: reply.Header.Get(header.Model)}
	if c, err := strconv.ParseFloat(reply.Header.Get(header.Confidence), 64); err == nil {
		clip.Confidence = &c
	}
	return clip, atomicfile.Write(clip.File, reply.Data, atomicfile.Options{NoSync: true}) // It can be requested again.
}
