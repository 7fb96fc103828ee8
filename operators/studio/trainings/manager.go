package trainings

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"wavemill/internal/atomicfile"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/training"
	"wavemill/operators/studio/web"
)

// dataSource is the source of the recordings that the server was begun with.
const dataSource = "data"

// Options say where a manager keeps its trainings.
type Options struct {
	Dir    string   // folder of uploads and trainings
	Data   []string // folders of recordings that the server was begun with
	Labels string   // how their labels are found, see dataset.Options
	// Add makes a checkpoint playable. It is called whenever a training saves one, and for those that Open finds.
	Add func(name string, c models.Checkpoint) error
	Log *slog.Logger
}

// States of a training.
const (
	preparing = "preparing" // recordings are read and analysed
	running   = "running"
	paused    = "paused"
	done      = "done"
	failed    = "failed"
)

// A record is what is kept of a training in training.json.
type record struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Source  string    `json:"source"`
	Labels  string    `json:"labels,omitempty"` // how they are found
	Arch    string    `json:"arch"`             // one of choices; once the training has begun, what is trained
	Minutes float64   `json:"minutes"`          // budget in all
	Spent   float64   `json:"spent"`            // seconds of it
	Seed    uint64    `json:"seed"`
	State   string    `json:"state"`
	Error   string    `json:"error,omitempty"`
	Created time.Time `json:"created"`
}

// A trainingRun is a training: what is kept, and what is known while it runs. Manager.mu guards it.
type trainingRun struct {
	record
	progress progress
	lines    []string // notes for a person, the newest last
	stop     context.CancelFunc
	model    string // digest of the newest checkpoint
}

// A Manager takes uploads and runs trainings. It is safe for concurrent use. Close it.
type Manager struct {
	o    Options
	ctx  context.Context // ends with Close
	end  context.CancelFunc
	work sync.WaitGroup

	mu        sync.Mutex
	uploads   map[string]*upload
	trainings []*trainingRun // oldest first
}

// Open returns a manager with the uploads and trainings that its folder has. A training that ran when the server ended goes on
// from its last checkpoint.
func Open(ctx context.Context, o Options) (*Manager, error) {
	m := &Manager{o: o, uploads: map[string]*upload{}}
	m.ctx, m.end = context.WithCancel(ctx)
	if err := m.readUploads(); err != nil {
		return nil, err
	}
	if err := m.readTrainings(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.trainings {
		if t.State == running || t.State == preparing {
			m.launch(t)
		}
	}
	return m, nil
}

// Close saves the training that runs, which goes on with the next Open.
func (m *Manager) Close() {
	m.end()
	m.work.Wait()
}

// folders lists the folders of uploads or trainings by their ids; there are none where nothing was stored yet.
func (m *Manager) folders(kind string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(m.o.Dir, kind))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var ids []string
	for _, e := range entries {
		if e.IsDir() && isID(e.Name()) {
			ids = append(ids, e.Name())
		}
	}
	return ids, nil
}

// readUploads counts the files of earlier uploads.
func (m *Manager) readUploads() error {
	ids, err := m.folders("uploads")
	if err != nil {
		return err
	}
	for _, id := range ids {
		u := &upload{ID: id}
		err := filepath.WalkDir(m.uploadDir(u.ID), func(_ string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			info, err := d.Info()
			if err == nil {
				u.Files++
				u.Bytes += info.Size()
			}
			return err
		})
		if err != nil {
			return err
		}
		m.uploads[u.ID] = u
	}
	return nil
}

// readTrainings reads the trainings of the folder and makes their checkpoints playable. One that cannot be read is logged.
func (m *Manager) readTrainings() error {
	ids, err := m.folders("trainings")
	if err != nil {
		return err
	}
	for _, id := range ids {
		t := &trainingRun{}
		text, err := os.ReadFile(filepath.Join(m.o.Dir, "trainings", id, "training.json"))
		if err == nil {
			err = json.Unmarshal(text, &t.record)
		}
		if err != nil || t.ID != id {
			m.o.Log.Warn("a training cannot be read and is left out", "folder", id, "error", err)
			continue
		}
		m.trainings = append(m.trainings, t)
	}
	slices.SortFunc(m.trainings, func(a, b *trainingRun) int { return a.Created.Compare(b.Created) })
	for _, t := range m.trainings {
		if c, _, err := m.rotation(t).Read(); err == nil {
			m.playable(t, c)
		}
	}
	return nil
}

func (m *Manager) dir(t *trainingRun) string { return filepath.Join(m.o.Dir, "trainings", t.ID) }

// rotation is where the checkpoints of a training are.
func (m *Manager) rotation(t *trainingRun) models.Rotation {
	return models.Rotation{Path: m.checkpoint(t), Keep: 1}
}

func (m *Manager) checkpoint(t *trainingRun) string {
	return filepath.Join(m.dir(t), "model.safetensors")
}

// playable adds a checkpoint to the models that can be played.
func (m *Manager) playable(t *trainingRun, c models.Checkpoint) {
	digest, err := c.Digest()
	if err == nil {
		err = m.o.Add(t.Name, c)
	}
	if err != nil {
		m.o.Log.Warn("the checkpoint of a training cannot be played", "training", t.Name, "error", err)
		return
	}
	m.mu.Lock()
	t.model = digest
	m.mu.Unlock()
}

// keep writes what is kept of a training. The caller holds the lock.
func (m *Manager) keep(t *trainingRun) error {
	text, err := json.MarshalIndent(t.record, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(m.dir(t), "training.json"), append(text, '\n'), atomicfile.Options{})
}

// find returns a training by its id. The caller holds the lock.
func (m *Manager) find(id string) (*trainingRun, error) {
	for _, t := range m.trainings {
		if t.ID == id {
			return t, nil
		}
	}
	return nil, web.Errorf(http.StatusNotFound, "there is no such training")
}

// start begins a new training.
func (m *Manager) start(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Name    string  `json:"name"`
		Source  string  `json:"source"`
		Labels  string  `json:"labels"`
		Arch    string  `json:"arch"`
		Minutes float64 `json:"minutes"`
		Seed    uint64  `json:"seed"`
	}
	if err := web.Read(w, r, &body); err != nil {
		return err
	}
	name := strings.TrimSpace(body.Name)
	switch {
	case name == "" || len(name) > longestName:
		return web.Errorf(http.StatusBadRequest, "name: a training has a name of at most %d bytes", longestName)
	case !slices.Contains(choices(), body.Arch):
		return web.Errorf(http.StatusBadRequest, "arch: there are %s", strings.Join(choices(), ", "))
	case !(body.Minutes >= leastMinutes && body.Minutes <= mostMinutes):
		return web.Errorf(http.StatusBadRequest, "minutes: the budget is %g to %g minutes", leastMinutes, float64(mostMinutes))
	}
	if err := checkLabels(body.Labels); err != nil {
		return err
	}
	if _, _, err := m.source(body.Source, body.Labels); err != nil {
		return err
	}
	t := &trainingRun{record: record{
		ID: newID(), Name: name, Source: body.Source, Labels: body.Labels, Arch: body.Arch, Minutes: body.Minutes, Seed: body.Seed,
		State: preparing, Created: time.Now().UTC(),
	}}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.free(); err != nil {
		return err
	}
	if err := os.MkdirAll(m.dir(t), 0o755); err != nil {
		return err
	}
	if err := m.keep(t); err != nil {
		return err
	}
	m.trainings = append(m.trainings, t)
	m.launch(t)
	return web.JSON(w, t.view())
}

// choices are what can be trained: the default first, what suits the recordings.
func choices() []string { return append([]string{training.ArchAuto}, architectures.Names()...) }

// Limits of a training.
const (
	longestName  = 200 // bytes
	leastMinutes = 0.05
	mostMinutes  = 7 * 24 * 60
)

// free returns an error while a training runs: two at once would take twice as long each. The caller holds the lock.
func (m *Manager) free() error {
	for _, t := range m.trainings {
		if t.State == running || t.State == preparing {
			return web.Errorf(http.StatusConflict, "the training %q runs; pause it first", t.Name)
		}
	}
	return nil
}

// pause stops a training after the step at hand. It is saved and can go on.
func (m *Manager) pause(w http.ResponseWriter, r *http.Request) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, err := m.find(r.PathValue("id"))
	if err != nil {
		return err
	}
	if t.stop == nil {
		return web.Errorf(http.StatusConflict, "the training does not run")
	}
	t.stop()
	return web.JSON(w, t.view())
}

// resume goes on with a training that was paused or that has failed, or adds to the budget of one that is done.
func (m *Manager) resume(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		More float64 `json:"more"` // minutes beyond the budget
	}
	if err := web.Read(w, r, &body); err != nil {
		return err
	}
	if !(body.More >= 0 && body.More <= mostMinutes) {
		return web.Errorf(http.StatusBadRequest, "more: minutes, 0 or more")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	t, err := m.find(r.PathValue("id"))
	if err != nil {
		return err
	}
	if t.stop != nil {
		return web.Errorf(http.StatusConflict, "the training runs already")
	}
	if t.Minutes+body.More-t.Spent/60 < leastMinutes {
		return web.Errorf(http.StatusConflict, "the budget is used up; add to it")
	}
	if err := m.free(); err != nil {
		return err
	}
	t.Minutes += body.More
	t.State, t.Error = preparing, ""
	if err := m.keep(t); err != nil {
		return err
	}
	m.launch(t)
	return web.JSON(w, t.view())
}

// remove deletes a training that does not run, with its checkpoint.
func (m *Manager) remove(w http.ResponseWriter, r *http.Request) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, err := m.find(r.PathValue("id"))
	if err != nil {
		return err
	}
	if t.stop != nil {
		return web.Errorf(http.StatusConflict, "the training runs; pause it first")
	}
	if err := os.RemoveAll(m.dir(t)); err != nil {
		return err
	}
	m.trainings = slices.DeleteFunc(m.trainings, func(other *trainingRun) bool { return other == t })
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// Routes are the addresses of the trainings.
func (m *Manager) Routes() []web.Route {
	return []web.Route{
		{Method: "POST", Path: "/api/uploads", Do: m.beginUpload},
		{Method: "PUT", Path: "/api/uploads/{id}/files", Do: m.takeFile},
		{Method: "DELETE", Path: "/api/uploads/{id}", Do: m.removeUpload},
		{Method: "GET", Path: "/api/sources/{id}/plan", Do: m.plan},
		{Method: "GET", Path: "/api/trainings", Do: m.list},
		{Method: "POST", Path: "/api/trainings", Do: m.start},
		{Method: "DELETE", Path: "/api/trainings/{id}", Do: m.remove},
		{Method: "POST", Path: "/api/trainings/{id}/pause", Do: m.pause},
		{Method: "POST", Path: "/api/trainings/{id}/resume", Do: m.resume},
		{Method: "GET", Path: "/api/trainings/{id}/events", Do: m.events},
		{Method: "GET", Path: "/api/trainings/{id}/previews", Do: m.previews},
		{Method: "GET", Path: "/api/trainings/{id}/previews/{file}", Do: m.preview},
	}
}
