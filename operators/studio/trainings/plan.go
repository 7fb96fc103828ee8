package trainings

import (
	"context"
	"net/http"
	"sort"
	"strings"

	"wavemill/audio/dataset"
	"wavemill/models/frontend"
	"wavemill/models/training"
	"wavemill/operators/studio/web"
)

// labelCount is a label and how many recordings have it.
type labelCount struct {
	Label string `json:"label"`
	Files int    `json:"files"`
}

// planView is what is known of recordings before a training.
type planView struct {
	Files    int            `json:"files"`
	Used     int            `json:"used"`
	Rule     string         `json:"rule"` // how labels were found
	Labels   []labelCount   `json:"labels"`
	Findings []string       `json:"findings"` // what was left out, and what a person should know
	Lines    []string       `json:"lines"`    // the plan and the ceiling for a person
	Plan     *training.Plan `json:"plan"`
}

// source returns the folders of a source and how their labels are found.
func (m *Manager) source(id, labels string) (roots []string, rule string, err error) {
	if id == dataSource {
		if len(m.o.Data) == 0 {
			return nil, "", web.Errorf(http.StatusNotFound, "no recordings were given; begin the studio with --data")
		}
		if labels == "" {
			labels = m.o.Labels
		}
		return m.o.Data, labels, nil
	}
	if _, err := m.findUpload(id); err != nil {
		return nil, "", err
	}
	return []string{m.uploadDir(id)}, labels, nil
}

// hide removes the server's own folders from lines for a person.
func (m *Manager) hide(lines []string, roots []string) []string {
	out := []string{}
	for _, line := range lines {
		for _, root := range roots {
			line = strings.ReplaceAll(strings.ReplaceAll(line, root+"/", ""), root, "")
		}
		out = append(out, line)
	}
	return out
}

// checkLabels refuses rules that name a file: the page may choose a pattern, not read files of the server.
func checkLabels(labels string) error {
	if dataset.IsTable(labels) {
		return web.Errorf(http.StatusBadRequest, "labels: use folder, prefix, or a pattern such as {label}_{speaker}_{n}")
	}
	return nil
}

// plan reads the recordings of a source, plans the front end, and measures its ceiling without a classifier.
func (m *Manager) plan(w http.ResponseWriter, r *http.Request) error {
	labels := r.URL.Query().Get("labels")
	if err := checkLabels(labels); err != nil {
		return err
	}
	roots, rule, err := m.source(r.PathValue("id"), labels)
	if err != nil {
		return err
	}
	view, err := m.makePlan(r.Context(), roots, rule)
	if err != nil {
		if r.Context().Err() != nil {
			return err
		}
		return m.refused(err, roots)
	}
	return web.JSON(w, view)
}

// refused is an error about recordings, without the server's folders.
func (m *Manager) refused(err error, roots []string) error {
	return web.Errorf(http.StatusBadRequest, "%s", m.hide([]string{err.Error()}, roots)[0])
}

func (m *Manager) makePlan(ctx context.Context, roots []string, rule string) (planView, error) {
	set, err := dataset.Scan(ctx, roots, dataset.Options{Labels: rule})
	if err != nil {
		return planView{}, err
	}
	all, err := dataset.Load(ctx, set.Items, nil)
	if err != nil {
		return planView{}, err
	}
	usable := training.Options{Holdout: dataset.DefaultHoldout(1)}.Select(dataset.Usable(all))
	v := planView{Files: len(set.Items), Used: len(usable), Rule: m.hide([]string{set.LabelSource}, roots)[0], Labels: count(usable), Lines: []string{}}
	v.Findings = m.hide(append(set.Findings(), dataset.Faults(all)...), roots)
	if len(usable) == 0 {
		return v, nil
	}
	p, err := training.MakePlan(ctx, frontend.PlanFor(dataset.Clips(usable)), usable, training.CeilingFast.PlanOptions(0))
	if err != nil {
		return v, err
	}
	v.Plan, v.Lines = &p, m.hide(p.Lines(), roots)
	return v, nil
}

func count(all []dataset.Recording) []labelCount {
	n := map[string]int{}
	for _, r := range all {
		n[r.Label]++
	}
	out := []labelCount{}
	for label, files := range n {
		out = append(out, labelCount{label, files})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Label < out[j].Label })
	return out
}
