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
	"github.com/spf13/pflag"

	"wavemill/audio/dataset"
	"wavemill/operators/studio"
	"wavemill/operators/studio/bus"
	"wavemill/operators/studio/sounds"
	"wavemill/operators/studio/trainings"
	"wavemill/operators/studio/web"
	"wavemill/pipeline"
)

// defaultStudioDir is where the studio keeps what people make with it.
const defaultStudioDir = "wavemill-studio"

// studioFlags are the flags of `wavemill studio`.
type studioFlags struct {
	busFlags
	accessFlags
	data                []string
	labels, listen, dir string
}

// accessFlags say who may use a studio.
type accessFlags struct {
	token  string
	tls    web.TLSFiles
	access studio.Access // set by resolve
}

func (f *accessFlags) add(set *pflag.FlagSet) {
	set.StringVar(&f.token, "token", "", "what a client of the studio must know (default: none on this machine or with --tls-client-ca, else a random one)")
	set.StringVar(&f.tls.Cert, "tls-cert", "", "PEM file with the certificate of the server, which then serves https instead of http")
	set.StringVar(&f.tls.Key, "tls-key", "", "PEM file with the key of --tls-cert")
	set.StringVar(&f.tls.ClientCA, "tls-client-ca", "", "PEM file with authorities: a client certificate of theirs is a login, as the token is")
}

// resolve makes the access to an address, host:port, of the flags.
func (f *accessFlags) resolve(address string) (err error) {
	if address == "" && f.tls != (web.TLSFiles{}) {
		return usagef("--tls-cert, --tls-key and --tls-client-ca are for the pages of --http, which is missing")
	}
	if f.access, err = studio.NewAccess(address, f.token, f.tls); errors.Is(err, web.ErrTLSFiles) {
		return usagef("--tls-cert, --tls-key, --tls-client-ca: %w", err)
	}
	return err
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
unless --token gives one. --tls-cert and --tls-key encrypt the connection; with
--tls-client-ca a client certificate takes the place of the token.`,
		Example: `  wavemill studio model.safetensors
  wavemill studio model.safetensors --data recordings/
  wavemill studio --nats nats://127.0.0.1:4222
  wavemill studio model.safetensors --listen 0.0.0.0:8642
  wavemill studio model.safetensors --listen :8642 --tls-cert cert.pem --tls-key key.pem`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return a.studio(cmd.Context(), s, args) },
	}
	f := cmd.Flags()
	s.busFlags.add(f)
	s.accessFlags.add(f)
	f.Lookup("nats").Usage = "URL of the NATS server of a pipeline to watch (default: none)"
	f.StringArrayVar(&s.data, "data", nil, "folder or file with recordings to compare with and to train on; may be repeated")
	addLabels(cmd, &s.labels)
	f.StringVar(&s.listen, "listen", "127.0.0.1:8642", "host:port of the page")
	f.StringVar(&s.dir, "dir", defaultStudioDir, "folder for uploads, trainings, stars and answers of blind tests")
	return cmd
}

// studio serves the page until ctx is done.
func (a *app) studio(ctx context.Context, s studioFlags, models []string) (err error) {
	if err := s.resolve(s.listen); err != nil {
		return err
	}
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
	handler, err := room.handler(s.access, nil)
	if err != nil {
		return err
	}
	server, err := studio.Listen(ctx, s.access, handler, a.log)
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
func (r *studioRoom) handler(access studio.Access, also http.Handler) (http.Handler, error) {
	o := studio.Options{Parts: r.parts, Models: r.sounds.State, Access: access, Log: r.log}
	if also != nil {
		o.Also, o.Open = also, []string{"/livez", "/readyz", "/status", "/metrics"}
	}
	return studio.Handler(o)
}

// pipelineStudio adds the studio of a running pipeline to its other pages. The link to log in is logged.
func (a *app) pipelineStudio(ctx context.Context, running *pipeline.Pipeline, access studio.Access, also http.Handler) (http.Handler, func(), error) {
	room, err := a.openRoom(ctx, filepath.Join(running.Bus().Spec().DataDir, defaultStudioDir), nil, "")
	if err != nil {
		return nil, nil, err
	}
	room.watch(ctx, bus.New(running.Bus(), running, a.log))
	handler, err := room.handler(access, also)
	if err != nil {
		return nil, nil, err
	}
	a.log.Info("the studio is served", "link", access.Link())
	return handler, func() { room.stop(); room.close() }, nil
}
