package trainings

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"

	"wavemill/audio/dataset"
	"wavemill/models"
	"wavemill/models/metricslog"
	"wavemill/models/training"
	"wavemill/operators/studio/web"
)

// progress is what is known of a training while it runs.
type progress struct {
	Step      int64              `json:"step"`
	Steps     int64              `json:"steps"`     // planned; 0: not known yet
	Remaining float64            `json:"remaining"` // seconds
	StepTime  float64            `json:"step_ms"`
	Status    string             `json:"status"`
	Metrics   map[string]float64 `json:"metrics"`
	Warnings  []models.Warning   `json:"warnings"`
	BestStep  int64              `json:"best_step"`
}

// view is a training as the page sees it.
type view struct {
	record
	progress
	Model string   `json:"model"`
	Lines []string `json:"lines"`
}

// view is what the page shows. The caller holds the lock.
func (t *trainingRun) view() view {
	v := view{record: t.record, progress: t.progress, Model: t.model, Lines: slices.Clone(t.lines)}
	if v.Warnings == nil {
		v.Warnings = []models.Warning{}
	}
	if v.Lines == nil {
		v.Lines = []string{}
	}
	return v
}

// follow returns what takes the events of a training.
func (m *Manager) follow(t *trainingRun) func(models.Progress) {
	return func(p models.Progress) {
		m.mu.Lock()
		defer m.mu.Unlock()
		t.progress = progress{
			Step: p.Step, Steps: p.Steps, Remaining: p.Remaining.Seconds(), StepTime: float64(p.StepTime.Microseconds()) / 1000,
			Status: training.Status(p), Metrics: p.Metrics, Warnings: p.Warnings,
		}
		if p.Best != nil {
			t.progress.BestStep = p.Best.Step
		}
	}
}

// sourceView is a set of recordings that can be trained on.
type sourceView struct {
	ID    string `json:"id"`
	Files int    `json:"files"` // 0: not counted
}

// list answers with the trainings, the newest first, and what new ones can be made of.
func (m *Manager) list(w http.ResponseWriter, _ *http.Request) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	views, sources := []view{}, []sourceView{}
	for _, t := range slices.Backward(m.trainings) {
		views = append(views, t.view())
	}
	if len(m.o.Data) > 0 {
		sources = append(sources, sourceView{ID: dataSource})
	}
	for _, u := range m.uploads {
		sources = append(sources, sourceView{ID: u.ID, Files: u.Files})
	}
	slices.SortFunc(sources[min(len(sources), len(m.o.Data)):], func(a, b sourceView) int { return bytes.Compare([]byte(a.ID), []byte(b.ID)) })
	return web.JSON(w, map[string]any{"trainings": views, "sources": sources, "architectures": choices()})
}

// eventsEvery is how often the page is told of a training that runs.
const eventsEvery = 500 * time.Millisecond

// events tells a page of a training: its state, and the rows of its curves as they are written. Where a resumed training has
// removed rows, all of them are sent again.
func (m *Manager) events(w http.ResponseWriter, r *http.Request) error {
	m.mu.Lock()
	t, err := m.find(r.PathValue("id"))
	m.mu.Unlock()
	if err != nil {
		return err
	}
	stream, err := web.Stream(w)
	if err != nil {
		return err
	}
	curves := tail{path: filepath.Join(m.dir(t), "model.curves.jsonl")}
	ticks := time.NewTicker(eventsEvery)
	defer ticks.Stop()
	for {
		rows, again, err := curves.next()
		if err != nil {
			return err
		}
		if again || len(rows) > 0 {
			if err := stream.Send("curves", map[string]any{"again": again, "rows": rows}); err != nil {
				return nil // The page has gone.
			}
		}
		m.mu.Lock()
		v := t.view()
		m.mu.Unlock()
		if err := stream.Send("training", v); err != nil {
			return nil // The page has gone.
		}
		select {
		case <-r.Context().Done():
			return nil
		case <-ticks.C:
		}
	}
}

// tail reads the rows that a log of curves gets. Package metricslog writes whole lines.
type tail struct {
	path string
	at   int64
	last int64 // step of the last row
}

// next returns the rows that are new, or all of them where earlier ones were replaced.
func (t *tail) next() (rows []metricslog.Row, again bool, err error) {
	rows = []metricslog.Row{}
	f, err := os.Open(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = f.Close() }() // It is only read.
	info, err := f.Stat()
	if err != nil {
		return nil, false, err
	}
	if info.Size() == t.at {
		return nil, false, nil
	}
	again = info.Size() < t.at || t.at == 0
	if again {
		t.at, t.last = 0, 0
	}
	for {
		content, err := io.ReadAll(io.NewSectionReader(f, t.at, info.Size()-t.at))
		if err != nil {
			return nil, false, err
		}
		rows = rows[:0]
		sorted := true
		for line := range bytes.Lines(content) {
			if !bytes.HasSuffix(line, []byte("\n")) {
				break
			}
			var row metricslog.Row
			if row.UnmarshalJSON(line) == nil {
				sorted = sorted && row.Step >= t.last
				t.last = row.Step
				rows = append(rows, row)
			}
			t.at += int64(len(line))
		}
		if sorted || again {
			return rows, again, nil
		}
		t.at, t.last, again = 0, 0, true // Steps only rise, so the file was rewritten.
	}
}

// previewName are the files of a preview, see monitor.PreviewWriter.
var previewName = regexp.MustCompile(`^step-(\d{8,})(?:_(.+)_(\d+)\.wav|\.png)$`)

// A previewView is what a training made at one evaluation.
type previewView struct {
	Step    int64          `json:"step"`
	Picture string         `json:"picture"` // name of the file
	Sounds  []previewSound `json:"sounds"`
}

// A previewSound is one clip of a preview.
type previewSound struct {
	Label string `json:"label"` // as file names have it, see dataset.FileSlug
	File  string `json:"file"`
}

// previews answers with the previews of a training, the newest first.
func (m *Manager) previews(w http.ResponseWriter, r *http.Request) error {
	m.mu.Lock()
	t, err := m.find(r.PathValue("id"))
	m.mu.Unlock()
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(filepath.Join(m.dir(t), "previews"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	byStep := map[int64]*previewView{}
	for _, e := range entries {
		parts := previewName.FindStringSubmatch(e.Name())
		if parts == nil {
			continue
		}
		step, err := strconv.ParseInt(parts[1], 10, 64)
		if err != nil {
			continue
		}
		p := byStep[step]
		if p == nil {
			p = &previewView{Step: step, Sounds: []previewSound{}}
			byStep[step] = p
		}
		if parts[2] == "" {
			p.Picture = e.Name()
		} else {
			p.Sounds = append(p.Sounds, previewSound{parts[2], e.Name()})
		}
	}
	all := []*previewView{}
	for _, p := range byStep {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *previewView) int { return int(b.Step - a.Step) })
	return web.JSON(w, map[string]any{"previews": all})
}

// preview answers with one file of a preview.
func (m *Manager) preview(w http.ResponseWriter, r *http.Request) error {
	m.mu.Lock()
	t, err := m.find(r.PathValue("id"))
	m.mu.Unlock()
	if err != nil {
		return err
	}
	name := r.PathValue("file")
	parts := previewName.FindStringSubmatch(name)
	if parts == nil || (parts[2] != "" && dataset.FileSlug(parts[2]) != parts[2]) {
		return web.Errorf(http.StatusNotFound, "there is no such preview")
	}
	root, err := os.OpenRoot(filepath.Join(m.dir(t), "previews"))
	if err != nil {
		return web.Errorf(http.StatusNotFound, "there is no such preview")
	}
	defer func() { _ = root.Close() }() // It is only read from.
	content, err := root.ReadFile(name)
	if err != nil {
		return web.Errorf(http.StatusNotFound, "there is no such preview")
	}
	mediaType := "image/png"
	if parts[2] != "" {
		mediaType = "audio/wav"
	}
	web.Audio(w, mediaType, name, content)
	return nil
}
