package convert

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"wavemill/audio"
	"wavemill/audio/dataset"
	"wavemill/audio/spectrogram"
)

// job is one file to make.
type job struct {
	item   dataset.Item
	result string          // The result's path below Out, with slashes; empty for shards.
	out    string          // The result's path; empty for shards.
	shards *dataset.Shards // Source of the rows; nil for recordings.
	entry  dataset.Entry
}

// plan is a conversion that is ready to run: its files, sample rate and configuration are decided.
type plan struct {
	o           Options
	jobs        []job // What is left to do, in order.
	done        []job
	skipped     []dataset.Skip
	labelSource string
	notes       []string
	bits        string // Options.Bits, settled.
	rate        int    // 0 keeps each recording's own.
	config      *spectrogram.Config
	old         *state // Of an earlier run in Out, nil when there was none.
	writer      *dataset.ShardWriter
	resamplers  audio.Resamplers
}

// newPlan finds the files and settles the rate and the config. It writes nothing.
func newPlan(ctx context.Context, o Options) (*plan, error) {
	p := &plan{o: o, rate: o.Rate}
	var err error
	if p.old, err = readState(o.Out); err != nil {
		return nil, err
	}
	p.settleBits()
	shards, recordings := 0, 0
	for _, source := range o.Sources {
		if isShards(source) {
			shards++
		} else {
			recordings++
		}
	}
	switch {
	case shards > 0 && recordings > 0:
		return nil, errors.New("convert: the sources are recordings and shards; convert each kind by itself")
	case shards > 0 && o.target() == NPY:
		return nil, errors.New("convert: the sources are spectrogram shards; convert them to wav or png")
	case shards > 0:
		err = p.findShards()
	default:
		err = p.findRecordings(ctx)
	}
	if err != nil {
		return nil, err
	}
	p.name()
	return p, nil
}

// isShards reports whether a source is a folder of shards or the manifest of one.
func isShards(source string) bool {
	if filepath.Base(source) == dataset.ManifestName {
		return true
	}
	_, err := os.Stat(filepath.Join(source, dataset.ManifestName))
	return err == nil
}

func (p *plan) findShards() error {
	p.labelSource = "manifest"
	for _, source := range p.o.Sources {
		s, err := dataset.OpenShards(source)
		if err != nil {
			return err
		}
		for _, e := range s.Entries() {
			if len(e.Config) == 0 {
				return fmt.Errorf("convert: %s: the entry of %s has no config, which is needed to make sound or pictures from it", source, e.Source)
			}
			name := safeName(e.Source)
			p.jobs = append(p.jobs, job{
				item:   dataset.Item{Path: filepath.Join(source, e.Shard) + ": " + e.Source, Name: name, Label: e.Label, Group: e.Group, Size: int64(4 * e.Frames * e.Bins)},
				shards: s, entry: e,
			})
		}
	}
	return nil
}

// safeName is a source's name as a relative path that leads nowhere else: a manifest may say anything.
func safeName(source string) string {
	name := path.Clean("/" + strings.ReplaceAll(strings.ReplaceAll(source, `\`, "/"), "\x00", "-"))
	return cmp.Or(strings.TrimPrefix(strings.ReplaceAll(name, ":", "-"), "/"), "unnamed")
}

// findRecordings lists recordings. Where Out lies below a source, what is in it is left out: results
// are no sources.
func (p *plan) findRecordings(ctx context.Context) error {
	d, err := dataset.Scan(ctx, p.o.Sources, dataset.Options{Labels: p.o.Labels, Except: []string{p.o.Out}})
	if err != nil {
		return err
	}
	p.labelSource, p.notes, p.skipped = d.LabelSource, d.Notes, d.Skipped
	for _, it := range d.Items {
		p.jobs = append(p.jobs, job{item: it})
	}
	if p.o.target() == WAV {
		return nil
	}
	if p.rate == 0 {
		p.rate = p.commonRate(ctx)
	}
	configure := p.o.Config
	if configure == nil {
		configure = spectrogram.Default
	}
	config := configure(p.rate)
	if config.SampleRate != p.rate {
		return fmt.Errorf("convert: a spectrogram config for %d Hz, but the recordings are brought to %d Hz", config.SampleRate, p.rate)
	}
	if _, err := new(reconstructor).transform(config); err != nil {
		return fmt.Errorf("convert: %w", err)
	}
	p.config = &config
	return nil
}

// prepare holds the folder against what an earlier run left, and drops what is done.
func (p *plan) prepare() error {
	if err := removeTemporaries(p.o.Out); err != nil {
		return err
	}
	now := p.state()
	if p.old != nil {
		if err := p.old.compare(now, p.o.Out); err != nil {
			return err
		}
	}
	if p.o.target() != NPY {
		if err := p.dropDoneFiles(); err != nil {
			return err
		}
		return now.write(p.o.Out)
	}
	var err error
	if p.writer, err = dataset.OpenShardWriter(p.o.Out, p.config.Bins(), p.o.ShardBytes); err != nil {
		return err
	}
	if err := p.dropDoneEntries(); err != nil {
		return errors.Join(err, p.writer.Suspend())
	}
	return now.write(p.o.Out)
}

// dropDoneEntries moves the jobs whose rows are in the shards to done.
func (p *plan) dropDoneEntries() error {
	entries := map[string]dataset.Entry{}
	for _, e := range p.writer.Entries() {
		var c spectrogram.Config
		if err := json.Unmarshal(e.Config, &c); err != nil || c != *p.config {
			return fmt.Errorf("convert: %s holds spectrograms of another config (%s); choose another folder", p.o.Out, e.Config)
		}
		entries[e.Source] = e
	}
	p.jobs = slices.DeleteFunc(p.jobs, func(j job) bool {
		_, ok := entries[j.item.Name]
		if ok {
			p.done = append(p.done, j)
		}
		return ok
	})
	return nil
}

// dropDoneFiles moves the jobs whose result is there and whole to done. A file in a result's place
// that no earlier run can have made is not touched.
func (p *plan) dropDoneFiles() error {
	var left []job
	for _, j := range p.jobs {
		_, err := os.Lstat(j.out)
		switch {
		case errors.Is(err, os.ErrNotExist):
			left = append(left, j)
		case err != nil:
			return fmt.Errorf("convert: %w", err)
		case p.old == nil:
			return fmt.Errorf("convert: %s exists and was not written by an earlier run; choose another folder or remove it", j.out)
		case whole(j.out, p.o.target()):
			p.done = append(p.done, j)
		default:
			left = append(left, j) // Cut off by a power failure.
		}
	}
	p.jobs = left
	return nil
}
