package sounds

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"wavemill/audio/dataset"
	"wavemill/models"
	"wavemill/models/latentmap"
	"wavemill/models/sampling"
	"wavemill/models/training"
	"wavemill/operators/studio/web"
)

// Options say what a library works with.
type Options struct {
	// Dir is the folder for given clips, stars and the answers of blind tests. It is made when the first of them is stored.
	Dir string
	// Recordings reads the recordings that clips are compared with; nil: there are none. It is called once, when they are
	// first asked for.
	Recordings func(context.Context) ([]dataset.Recording, error)
	Log        *slog.Logger
}

// A Library is the models, clips and stars of a studio. It is safe for concurrent use.
type Library struct {
	o          Options
	slots      chan struct{} // one for each clip that is being made
	recordings recordings
	blind      blindTests
	stars      sync.Mutex

	mu     sync.RWMutex
	models []*model
	likes  map[string]*sampling.Source // by model, label and clip
}

// New returns a library without models.
func New(o Options) *Library {
	return &Library{o: o, slots: make(chan struct{}, runtime.GOMAXPROCS(0)), likes: map[string]*sampling.Source{}, blind: blindTests{running: map[string]*blindTest{}}}
}

// A model is an opened checkpoint.
type model struct {
	name    string
	old     bool // another model of the name has taken its place; links still find it
	sampler *sampling.Sampler
	facts   training.Facts
	atlas   func() (*atlas, error) // made once, when the map is first asked for
	near    sync.Mutex
	spectra [][]float32 // of the recordings; nil until they are asked for
}

// Add opens a checkpoint under a name and makes it the newest. One with the same content as an earlier one renames that; one
// with the name of an earlier one takes its place in the list, and links still find the earlier one.
func (l *Library) Add(name string, c models.Checkpoint) error {
	sampler, err := sampling.Open(c)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	facts, err := training.Describe(name, c)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	c = c.WithoutOptimizer()
	m := &model{name: name, sampler: sampler, facts: facts}
	m.atlas = sync.OnceValues(func() (*atlas, error) { return newAtlas(c) })
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.IndexFunc(l.models, func(known *model) bool { return known.sampler.Digest == sampler.Digest }); i >= 0 {
		m = l.models[i]
		m.name, m.old = name, false
		l.models = slices.Delete(l.models, i, i+1)
	}
	for _, other := range l.models {
		other.old = other.old || other.name == name
	}
	l.models = append(l.models, m)
	if extra := len(l.models) - mostModels; extra > 0 {
		l.models = slices.Delete(l.models, 0, extra)
	}
	return nil
}

// mostModels bounds the memory of a studio beside a pipeline that trains for weeks: a checkpoint of the default size takes
// some 16 MiB.
const mostModels = 24

// AddFile is Add of a checkpoint file, named after it without its extension.
func (l *Library) AddFile(path string) error {
	c, err := models.Read(path)
	if err != nil {
		return err
	}
	return l.Add(strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)), c)
}

// find returns the model whose digest begins with id; "" is the newest.
func (l *Library) find(id string) (*model, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if len(l.models) == 0 {
		return nil, web.Errorf(http.StatusNotFound, "no model is loaded; train one, or name a checkpoint on the command line")
	}
	if id == "" {
		return l.models[len(l.models)-1], nil
	}
	if len(id) >= shortest {
		for _, m := range l.models {
			if strings.HasPrefix(m.sampler.Digest, id) {
				return m, nil
			}
		}
	}
	return nil, web.Errorf(http.StatusNotFound, "the model %.12s is not loaded; name its checkpoint on the command line", id)
}

// shortest is the fewest digits of a digest that name a model.
const shortest = 8

// modelView is a model as the page sees it.
type modelView struct {
	ID         string             `json:"id"`
	Name       string             `json:"name"`
	Arch       string             `json:"arch"`
	Labels     []string           `json:"labels"`
	Step       int64              `json:"step"`
	Parameters int64              `json:"parameters"`
	Rate       int                `json:"rate"`
	Channels   int                `json:"channels"`
	Blends     bool               `json:"blends"`
	Encodes    bool               `json:"encodes"`
	Recordings int                `json:"recordings"`
	Metrics    map[string]float64 `json:"metrics"`
	Warnings   []models.Warning   `json:"warnings"`
}

func (m *model) view() modelView {
	f := m.facts
	v := modelView{
		ID: m.sampler.Digest, Name: m.name, Arch: f.Model, Labels: f.Labels, Step: f.WeightsStep, Parameters: f.Parameters, Rate: f.FrontEnd.Spectrogram.SampleRate,
		Channels: f.Channels, Blends: m.sampler.CanBlend(), Encodes: m.sampler.CanEncode(), Metrics: f.Metrics, Warnings: f.Warnings,
	}
	if f.Data != nil {
		v.Recordings = f.Data.Train
	}
	if v.Warnings == nil {
		v.Warnings = []models.Warning{}
	}
	return v
}

// list answers with the models, the newest first.
func (l *Library) list(w http.ResponseWriter, _ *http.Request) error {
	l.mu.RLock()
	views := make([]modelView, 0, len(l.models))
	for _, m := range slices.Backward(l.models) {
		if !m.old {
			views = append(views, m.view())
		}
	}
	l.mu.RUnlock()
	return web.JSON(w, map[string]any{"models": views, "recordings": l.o.Recordings != nil})
}

// State changes whenever a model is added.
func (l *Library) State() string {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if len(l.models) == 0 {
		return ""
	}
	return l.models[len(l.models)-1].sampler.Digest
}

// Routes are the addresses of the library.
func (l *Library) Routes() []web.Route {
	return []web.Route{
		{Method: "GET", Path: "/api/models", Do: l.list},
		{Method: "GET", Path: "/api/clip", Do: l.clip},
		{Method: "GET", Path: "/api/map", Do: l.showMap},
		{Method: "POST", Path: "/api/given", Do: l.give},
		{Method: "GET", Path: "/api/given/{id}", Do: l.given},
		{Method: "GET", Path: "/api/stars", Do: l.listStars},
		{Method: "POST", Path: "/api/stars", Do: l.addStar},
		{Method: "GET", Path: "/api/stars.zip", Do: l.archive},
		{Method: "GET", Path: "/api/stars/{id}", Do: l.starred},
		{Method: "PUT", Path: "/api/stars/{id}", Do: l.renameStar},
		{Method: "DELETE", Path: "/api/stars/{id}", Do: l.removeStar},
		{Method: "GET", Path: "/api/recordings", Do: l.listRecordings},
		{Method: "GET", Path: "/api/recordings/{n}", Do: l.recording},
		{Method: "GET", Path: "/api/nearest", Do: l.nearest},
		{Method: "POST", Path: "/api/blind", Do: l.beginBlind},
		{Method: "GET", Path: "/api/blind/{id}/{pair}/{side}", Do: l.blindSound},
		{Method: "POST", Path: "/api/blind/{id}/{pair}", Do: l.answerBlind},
	}
}

// folder makes a folder below that of the library and returns its path.
func (l *Library) folder(name string) (string, error) {
	if l.o.Dir == "" {
		return "", web.Errorf(http.StatusConflict, "this studio has no folder to store anything in")
	}
	path := filepath.Join(l.o.Dir, name)
	return path, os.MkdirAll(path, 0o755)
}

// isID reports whether a text is an id that the library gives, which is then also a safe file name.
func isID(text string) bool {
	return len(text) == idLength && !strings.ContainsFunc(text, func(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'f') })
}

// idLength is the hexadecimal digits of an id: enough of a SHA-256 that two clips do not meet.
const idLength = 32

// missing reports whether an error is that of a file that is not there.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// atlas is the map of a model's latents and the region of each label on it.
type atlas struct {
	plane   *latentmap.Map
	regions []latentmap.Region
}
