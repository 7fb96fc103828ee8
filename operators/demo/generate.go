package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"golang.org/x/sync/errgroup"

	"wavemill/audio"
	"wavemill/audio/wav"
	"wavemill/models/sampling"
	"wavemill/operators/generate"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// A Clip is a generated clip on disk, a line of ClipsFile.
type Clip struct {
	File       string   `json:"file"` // relative to the folder
	Label      string   `json:"label"`
	Seed       uint64   `json:"seed"`
	Confidence *float64 `json:"confidence"`      // of the classifier in the label, 0 to 1; null without one
	Heard      string   `json:"heard,omitempty"` // label that the classifier assigns
	Model      string   `json:"model,omitempty"` // digest of the checkpoint
}

// generated is a generated clip, saved and in memory.
type generated struct {
	Clip
	sound audio.Clip
}

const (
	requestTimeout = time.Minute // for one clip, which takes much less
	requestsAtOnce = 4           // clips requested at the same time
	spareSeeds     = 5           // further seeds for a clip that the model generates as silence
)

// generateAll requests the clips of all labels, one request each, as any client of the bus would.
func (r *run) generateAll(ctx context.Context, bus *pipeline.Bus) error {
	clips := make([]generated, len(r.labels)*r.o.PerLabel)
	task := r.o.Progress.Start("generate", int64(len(clips)), "clips")
	defer task.Done()
	var mu sync.Mutex
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(requestsAtOnce)
	for i := range clips {
		if working.Err() != nil {
			break
		}
		group.Go(func() error {
			label, at := r.labels[i/r.o.PerLabel], uint64(i%r.o.PerLabel)
			clip, err := r.requestClip(working, bus, label, at)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			clips[i] = clip
			task.Add(1)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	r.clips = clips
	return ctx.Err()
}

// requestClip requests clip number at of a label, and saves it. Where the operator refuses a seed, because the model
// generates silence, further seeds are tried, none of which another clip of the label uses. sampling.Sampler.Accept has no
// place here: it needs the model in this process, and its clips take seeds in order, so that clips could not be requested
// at the same time.
func (r *run) requestClip(ctx context.Context, bus *pipeline.Bus, label string, at uint64) (generated, error) {
	seed := r.o.Seed + at
	for spare := range spareSeeds + 1 {
		if spare > 0 {
			seed = r.o.Seed + at + uint64(spare*r.o.PerLabel)
		}
		clip, err := r.requestSeed(ctx, bus, label, seed)
		if err == nil || ctx.Err() != nil || spare == spareSeeds || !errors.Is(err, errRefused) {
			return clip, err
		}
		r.o.log().Debug("no clip for a seed", "label", label, "seed", seed, "error", err)
	}
	return generated{}, ctx.Err() // Not reached.
}

// errRefused is returned, wrapped, where the operator answers with an error.
var errRefused = errors.New("the generate operator refused")

// requestSeed requests the clip of one seed, and saves it.
func (r *run) requestSeed(ctx context.Context, bus *pipeline.Bus, label string, seed uint64) (generated, error) {
	request, err := json.Marshal(generate.Request{Label: label, N: 1, Seed: &seed})
	if err != nil {
		return generated{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	answer, err := bus.Conn().RequestMsgWithContext(ctx, &nats.Msg{Subject: r.spec.Name + ".generate", Data: request})
	if err != nil {
		return generated{}, fmt.Errorf("request a clip of %q: %w", label, err)
	}
	if text := answer.Header.Get(micro.ErrorHeader); text != "" {
		return generated{}, fmt.Errorf("%w a clip of %q with seed %d: %s", errRefused, label, seed, header.DecodeValue(text))
	}
	sound, _, err := wav.Decode(answer.Data)
	if err != nil {
		return generated{}, fmt.Errorf("clip of %q with seed %d: %w", label, seed, err)
	}
	path := filepath.Join(r.o.Out, sampling.FileName(label, seed))
	if err := write(path, answer.Data); err != nil {
		return generated{}, err
	}
	saved := Clip{File: filepath.Base(path), Label: label, Seed: seed, Model: answer.Header.Get(header.Model)}
	if c, err := strconv.ParseFloat(answer.Header.Get(header.Confidence), 64); err == nil {
		saved.Confidence = &c
	}
	sound.Label, sound.Source = label, saved.File
	return generated{saved, sound}, nil
}
