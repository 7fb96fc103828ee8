package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"sync"

	"github.com/spf13/cobra"

	"wavemill/audio/dataset"
	"wavemill/operators/studio"
	"wavemill/operators/studio/bus"
	"wavemill/operators/studio/sounds"
	"wavemill/operators/studio/trainings"
	"wavemill/pipeline"
)

// defaultStudioDir is where the studio keeps what people make with it.
const defaultStudioDir = "wavemill-studio"

// studioFlags are the flags of `wavemill studio`.
type studioFlags struct {
	busFlags
	data                       []string
	labels, listen, token, dir string
}

func newStudio(a *app) *cobra.Command {
	var s studioFlags
	cmd := &cobra.Command{
		Use:   "studio [MODEL...]",
		Short: "Serve a page to play models, compare, train and watch a pipeline",
		Long: `Studio serves a page on this machine: play the models, look at clips and at the
recordings nearest to them (--data), train new models, and watch a pipeline (--nats or
-f). The page comes from this binary; it needs no other host.

Everybody who reaches --listen and knows the token can use the studio. On this machine
no token is needed; on another address one is made and printed as a link to log in,
unless --token gives one. The connection is not encrypted: put a proxy with TLS in front
of a studio that others reach over a network that you do not trust.`,
		Example: `  wavemill studio model.safetensors
  wavemill studio model.safetensors --data recordings/
  wavemill studio --nats nats://127.0.0.1:4222
  wavemill studio model.safetensors --listen 0.0.0.0:8642`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return a.studio(cmd.Context(), s, args) },
	}
	f := cmd.Flags()
	s.add(f)
	f.Lookup("nats").Usage = "URL of the NATS server of a pipeline to watch (default: none)"
	f.StringArrayVar(&s.data, "data", nil, "folder or file with recordings to compare with and to train on; may be repeated")
	addLabels(cmd, &s.labels)
	f.StringVar(&s.listen, "listen", "127.0.0.1:8642", "host:port of the page")
	f.StringVar(&s.token, "token", "", "what a client must know (default: none on this machine, else a random one)")
	f.StringVar(&s.dir, "dir", defaultStudioDir, "folder for uploads, trainings, stars and answers of blind tests")
	return cmd
}

// studio serves the page until ctx is done.
func (a *app) studio(ctx context.Context, s studioFlags, models []string) (err error) {
	room, err := a.openRoom(ctx, s.dir, s.data, s.labels)
	if err != nil {
		return err
	}
	defer room.close()
	for _, path := range slices.Backward(models) { // the first is the newest, which the page shows
		if err := room.sounds.AddFile(path); err != nil {
			return err
		}
	}
	if s.url != "" || s.file != "" {
		client, err := openClient(ctx, a, &s.busFlags, []string{}...)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, closeBus(ctx, client)) }()
		room.watch(ctx, bus.New(client, nil, a.log))
		defer room.stop()
	}
	token := studio.Token(s.listen, s.token)
	handler, err := room.handler(token, nil)
	if err != nil {
		return err
	}
	server, err := studio.Listen(ctx, s.listen, token, handler, a.log)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	if err := a.say("studio: %s", server.Link()); err != nil {
		return err
	}
	return server.Serve(ctx)
}

// studioRoom is the parts of a studio.
type studioRoom struct {
	sounds    *sounds.Library
	trainings *trainings.Manager
	parts     []studio.Part
	log       *slog.Logger
	stop      func() // of watch
}

// openRoom opens a studio that keeps its files in dir.
func (a *app) openRoom(ctx context.Context, dir string, data []string, labels string) (*studioRoom, error) {
	options := sounds.Options{Dir: dir, Log: a.log}
	if len(data) > 0 {
		options.Recordings = func(ctx context.Context) ([]dataset.Recording, error) {
			return a.load(ctx, data, labels, holdoutFlags{})
		}
	}
	r := &studioRoom{sounds: sounds.New(options), log: a.log, stop: func() {}}
	var err error
	r.trainings, err = trainings.Open(ctx, trainings.Options{Dir: dir, Data: data, Labels: labels, Add: r.sounds.Add, Log: a.log})
	if err != nil {
		return nil, fmt.Errorf("--dir: %w", err)
	}
	r.parts = []studio.Part{r.sounds, r.trainings}
	return r, nil
}

// watch adds a pipeline, whose served models can be played.
func (r *studioRoom) watch(ctx context.Context, view *bus.View) {
	ctx, cancel := context.WithCancel(ctx)
	var follower sync.WaitGroup
	follower.Go(func() { view.Follow(ctx, r.sounds.Add) })
	r.parts = append(r.parts, view)
	r.stop = func() { cancel(); follower.Wait() }
}

func (r *studioRoom) close() { r.trainings.Close() }

// handler are the pages; also has others of the same address.
func (r *studioRoom) handler(token string, also http.Handler) (http.Handler, error) {
	o := studio.Options{Parts: r.parts, Models: r.sounds.State, Token: token, Log: r.log}
	if also != nil {
		o.Also, o.Open = also, []string{"/livez", "/readyz", "/status", "/metrics"}
	}
	return studio.Handler(o)
}

// pipelineStudio adds the studio of a running pipeline to its other pages. The link to log in is logged.
func (a *app) pipelineStudio(ctx context.Context, running *pipeline.Pipeline, flags runFlags, also http.Handler) (http.Handler, func(), error) {
	room, err := a.openRoom(ctx, filepath.Join(running.Bus().Spec().DataDir, defaultStudioDir), nil, "")
	if err != nil {
		return nil, nil, err
	}
	room.watch(ctx, bus.New(running.Bus(), running, a.log))
	token := studio.Token(flags.http, flags.token)
	handler, err := room.handler(token, also)
	if err != nil {
		return nil, nil, err
	}
	a.log.Info("the studio is served", "link", studio.Link(flags.http, token))
	return handler, func() { room.stop(); room.close() }, nil
}
