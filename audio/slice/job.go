package slice

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"wavemill/audio/dataset"
	"wavemill/internal/atomicfile"
	"wavemill/internal/filelock"
)

// A Job cuts files into clips in a folder: WAV files named <label>/<source>_<milliseconds>.wav, [ManifestName], and
// [SkippedName]. It does the work of `wavemill slice`.
//
// A file is decoded block by block, whatever its length. A job that was killed goes on with the files that it had not finished;
// clips have their names only when they are whole. A folder of another job is refused.
type Job struct {
	Sources []string // Sources are files or folders.
	Out     string   // Out is the folder; it is created if necessary. Where it lies below a source, it is no part of that.
	Config  Config   // Config says where to cut; By and all but Silent are ignored with Table.
	Table   string   // Table is a file for ParseTable; "": none.
	Label   string   // Label is that of all clips; "": as Labels says. A label in the table counts more.
	Labels  string   // Labels says where the labels of the files come from, as dataset.Options.Labels.
	// Group says what the files' groups are, as dataset.Options.Group; the manifest has them as its column group, and in one of
	// that name. "": each file is a group.
	Group string
	// Encoding is the sample format: "16", "24", "32f", or "" for what holds the samples of each file.
	Encoding string
}

// Names of files in Job.Out.
const (
	// ManifestName lists the clips, a ClipRecord a line. It serves as dataset.Options.Labels, with Group: "group".
	ManifestName = "clips.jsonl"
	// SkippedName lists what was left out, a dataset.Skip a line.
	SkippedName = "skipped.jsonl"
	stateName   = "slice.json"
	recordsName = ".slice"
	lockName    = ".slice.lock" // There, and locked, while a job runs.
)

// A ClipRecord describes a clip of a Job.
type ClipRecord struct {
	File   string  `json:"file"` // File is the path below Job.Out.
	Label  string  `json:"label"`
	Group  string  `json:"group"` // Group is the source, or its group: pieces of one recording belong on one side of a split.
	Source string  `json:"source"`
	Start  float64 `json:"start"` // Start and End are seconds from the beginning of the source.
	End    float64 `json:"end"`
	Rate   int     `json:"sample_rate"`
	Peak   float64 `json:"peak_db"` // Peak and RMS are dB of full scale.
	RMS    float64 `json:"rms_db"`
	Ended  string  `json:"ended"` // Ended is the reason for which the clip ends there.
	Row    int     `json:"row,omitempty"`
}

// Progress is what a Job has done so far.
type Progress struct {
	Source        string
	Clips         int64
	Bytes, Total  int64 // Of the files.
	Files, Number int   // Number of them are done.
}

// A Summary is what a Job has done.
type Summary struct {
	Out           string           `json:"out"`
	Manifest      string           `json:"manifest"`
	Sources       int              `json:"sources"`      // Sources that were given and are audio files.
	AlreadyDone   int              `json:"already_done"` // AlreadyDone are those that an earlier run had finished.
	Clips         int64            `json:"clips"`
	Labels        map[string]int64 `json:"labels"`
	Seconds       float64          `json:"seconds"`      // Seconds of the sources.
	KeptSeconds   float64          `json:"kept_seconds"` // KeptSeconds of them are in clips, each counted once.
	Short         int64            `json:"short"`
	ShortSeconds  float64          `json:"short_seconds"`
	Silent        int64            `json:"silent"`
	SilentSeconds float64          `json:"silent_seconds"`
	Skipped       int              `json:"skipped"` // Skipped counts what SkippedName lists.
	Reasons       []string         `json:"reasons,omitempty"`
}

// ErrNothing reports that a Job has no clip.
var ErrNothing = errors.New("no clip was cut")

// Check reports what is wrong with the job itself, before any file is looked at.
func (j Job) Check() error {
	switch {
	case len(j.Sources) == 0:
		return errors.New("no file or folder was given")
	case j.Out == "":
		return errors.New("out is missing: the folder for the clips")
	case j.Label != "" && j.Labels != "":
		return errors.New("label and labels exclude each other")
	case !slices.Contains([]string{"", "16", "24", "32f"}, j.Encoding):
		return fmt.Errorf("bits is one of 16, 24, 32f; not %q", j.Encoding)
	}
	return j.Config.Validate()
}

// run is a Job in progress.
type run struct {
	Job
	items   []dataset.Item
	rows    map[int][]Row // By item; nil without a table.
	skipped []dataset.Skip
	summary Summary
	tell    func(Progress)
	done    Progress
	release func() error // Release ends the reservation of Out.
}

// Run does the job. tell, which may be nil, is called now and then. Files that cannot be read or decoded are listed in
// SkippedName; of one that is damaged further on, the clips before that are kept. When ctx ends, what is finished stays, and
// Run returns ctx's error.
//
// Out is reserved meanwhile: another job that writes to it ends with an error at once (filelock.ErrHeld).
func Run(ctx context.Context, j Job, tell func(Progress)) (_ Summary, err error) {
	if err := j.Check(); err != nil {
		return Summary{}, fmt.Errorf("slice: %w", err)
	}
	if tell == nil {
		tell = func(Progress) {}
	}
	r := &run{Job: j, tell: tell, release: func() error { return nil }}
	defer func() { err = errors.Join(err, r.release()) }()
	if err := r.prepare(ctx); err != nil {
		return Summary{}, fmt.Errorf("slice: %w", err)
	}
	err = r.files(ctx)
	if finishing := r.finish(); err == nil {
		err = finishing
	}
	switch {
	case ctx.Err() != nil:
		err = fmt.Errorf("slice: stopped after %d of %d files; the same command goes on from there: %w", r.done.Number, len(r.items), ctx.Err())
	case err != nil:
		err = fmt.Errorf("slice: %w", err)
	case r.summary.Clips == 0:
		err = fmt.Errorf("slice: %w: %.1f s were read, %d sounds were too short, %d clips silent, %d files or rows left out (see %s)",
			ErrNothing, r.summary.Seconds, r.summary.Short, r.summary.Silent, r.summary.Skipped, filepath.Join(j.Out, SkippedName))
	}
	return r.summary, err
}

// prepare lists the files and opens the folder.
func (r *run) prepare(ctx context.Context) error {
	labels := r.Labels
	if r.Label != "" {
		labels = "prefix" // Every file has such a label; it is replaced.
	}
	set, err := dataset.Scan(ctx, r.Sources, dataset.Options{Labels: labels, Group: r.Group, Except: []string{r.Out}})
	if err != nil {
		return err
	}
	if len(set.Items) == 0 {
		return fmt.Errorf("there is no audio file with a label in %q", r.Sources)
	}
	r.items, r.skipped = set.Items, set.Skipped
	for i := range r.items {
		r.done.Total += r.items[i].Size
		if r.Label != "" {
			r.items[i].Label = r.Label
		}
	}
	r.done.Files = len(r.items)
	r.summary = Summary{Out: r.Out, Manifest: filepath.Join(r.Out, ManifestName), Sources: len(r.items), Labels: map[string]int64{}}
	digest := ""
	if r.Table != "" {
		if digest, err = r.readTable(); err != nil {
			return err
		}
	}
	return r.open(digest)
}

// readTable assigns the rows of the table to the files, and returns the digest of the table.
func (r *run) readTable() (string, error) {
	text, err := os.ReadFile(r.Table)
	if err != nil {
		return "", err
	}
	rows, bad, err := ParseTable(text)
	if err != nil {
		return "", fmt.Errorf("table %s: %w", r.Table, err)
	}
	for _, b := range bad {
		r.skipped = append(r.skipped, dataset.Skip{Path: r.Table, Reason: fmt.Sprintf("line %d cannot be used: %s", b.Line, b.Reason), Partial: true})
	}
	r.rows = map[int][]Row{}
	for _, row := range rows {
		i, why := r.fileOf(row)
		if why != "" {
			r.skipped = append(r.skipped, dataset.Skip{Path: r.Table, Reason: fmt.Sprintf("line %d cannot be used: %s", row.Line, why), Partial: true})
			continue
		}
		r.rows[i] = append(r.rows[i], row)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// fileOf finds the file of a row: the only one, or the one whose path ends with the row's.
func (r *run) fileOf(row Row) (item int, why string) {
	if row.File == "" {
		if len(r.items) != 1 {
			return 0, fmt.Sprintf("it names no file, and there are %d", len(r.items))
		}
		return 0, ""
	}
	want := filepath.ToSlash(filepath.Clean(row.File))
	found := -1
	for i, it := range r.items {
		if name := "/" + filepath.ToSlash(it.Path); it.Name == want || len(name) > len(want) && name[len(name)-len(want)-1:] == "/"+want {
			if found >= 0 {
				return 0, fmt.Sprintf("%q may be %s or %s", row.File, r.items[found].Path, it.Path)
			}
			found = i
		}
	}
	if found < 0 {
		return 0, fmt.Sprintf("there is no file %q", row.File)
	}
	return found, ""
}

// jobState is what must be the same for two runs to be one job.
type jobState struct {
	Version  int    `json:"version"`
	Config   Config `json:"config"`
	Table    string `json:"table_sha256,omitempty"`
	Label    string `json:"label,omitempty"`
	Labels   string `json:"labels,omitempty"`
	Group    string `json:"group,omitempty"`
	Encoding string `json:"bits,omitempty"`
}

// reserve makes the folder and locks it for this job.
func (r *run) reserve() error {
	if err := os.MkdirAll(r.Out, 0o777); err != nil {
		return err
	}
	release, err := filelock.Acquire(filepath.Join(r.Out, lockName))
	if errors.Is(err, filelock.ErrHeld) {
		return fmt.Errorf("another slice writes to %s; wait for its end, or choose another folder: %w", r.Out, err)
	}
	if err == nil {
		r.release = release
	}
	return err
}

// open creates the folder, or finds that it holds this job.
func (r *run) open(table string) error {
	now := jobState{stateVersion, r.Config, table, r.Label, r.Labels, r.Group, r.Encoding}
	if err := r.reserve(); err != nil {
		return err
	}
	file := filepath.Join(r.Out, stateName)
	text, err := os.ReadFile(file)
	switch {
	case err == nil:
		var was jobState
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&was); err != nil || was != now {
			return fmt.Errorf("%s holds clips that were cut with other settings (%s); choose another folder or remove it", r.Out, file)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	default:
		if entries, err := os.ReadDir(r.Out); err == nil && len(entries) > 1 { // One is the lock.
			return fmt.Errorf("%s is not empty and was not written by slice; choose another folder", r.Out)
		}
		if text, err = json.MarshalIndent(now, "", "  "); err != nil {
			return err
		}
		if err := atomicfile.Write(file, append(text, '\n'), atomicfile.Options{}); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Join(r.Out, recordsName), 0o777); err != nil {
		return err
	}
	return errors.Join(
		atomicfile.Sweep(r.Out, func(base string) bool { return slices.Contains([]string{stateName, ManifestName, SkippedName}, base) }),
		atomicfile.Sweep(filepath.Join(r.Out, recordsName), func(string) bool { return true }))
}
