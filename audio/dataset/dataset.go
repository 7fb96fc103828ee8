// Package dataset finds labelled recordings, divides them into parts that stay the same from run to
// run, and stores arrays made from them in shards that NumPy can read.
//
// Scan lists files and gives each a label; it decodes nothing. Load decodes what Scan found. Holdout divides recordings
// into those to train with, to validate with and to evaluate with, and keeps near copies and groups together; Matcher finds
// recordings that a set contains already. ShardWriter and OpenShards store arrays made from recordings.
package dataset

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"wavemill/audio/codec"
)

// Item is one recording.
type Item struct {
	Path  string // Where the file lies, as the caller can open it.
	Name  string // The path below the root it was found in, with slashes, as TextName writes it: the same on every machine.
	Label string // What it is an example of: valid UTF-8 in Unicode normalization form C.
	Group string // What it shares with others of its kind, such as the speaker or the session; "" when unknown.
	Size  int64  // Bytes.
	// LabelSet says that Label is a set of labels, as JoinLabels joins them: the table of labels has several for some file.
	LabelSet bool
}

// Skip is a file that was left out, and the reason.
type Skip struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
	// Partial says that only a part of the file was left out.
	Partial bool `json:"partial,omitempty"`
}

// Options says how Scan works.
type Options struct {
	// Labels says where labels come from:
	//
	//	""           detect: "folder" when files lie in at least two folders, else "prefix"; folders such as
	//	             train and test are no labels, then the folders above them are, or the file names
	//	"folder"     the name of the folder a file lies in
	//	"prefix"     the file name up to the first "_"; where no name has one, up to "-", a space or a number
	//	"FILE.csv"   a table with a file and a label column (and perhaps a speaker column); also "FILE.tsv"
	//	"FILE.jsonl" the same as one JSON object a line
	//	a pattern    "{label}_{speaker}_{n}": fields of the file name, or of the end of the path
	//	             when it has slashes; {label} is needed
	Labels string
	// Group says what makes Item.Group:
	//
	//	""         the field {speaker} or {group} of a pattern, the speaker or group column of a table; else none
	//	a name     that field of the pattern, or that column of the table
	//	"folder"   the name of the folder a file lies in; "folder:2" is the folder above that, and so on
	//
	// Only "folder" can be used where labels come from "folder" or "prefix". A name that does not exist is an error.
	Group string
	// Except are folders that are left out, unlisted, where they lie below a root: what a command writes below its
	// recordings is none of them. A root is never left out. A folder need not exist.
	Except []string
}

// Dataset is what Scan found.
type Dataset struct {
	Root        string   // The folder that holds all roots; Item.Name is relative to it.
	Items       []Item   // Sorted by Name, then Path.
	Skipped     []Skip   // Sorted by Path.
	LabelSource string   // How labels were found, for people: "file name up to the first _".
	Notes       []string // What a person should know about the labels: the evidence for detected ones, and warnings.
}

// Scan lists the recordings below the roots (folders, or single files) and labels them. Symbolic
// links are followed; a link that leads back into a folder it lies in is skipped with that reason,
// as are hidden files and folders, files whose name is not that of a known audio format, folders that cannot be
// read, links to files that are listed already, and files to which Options.Labels gives no label. A file reached twice by
// the same path is listed once. A root that does not exist is an error, as are unusable Options.
func Scan(ctx context.Context, roots []string, o Options) (Dataset, error) {
	if len(roots) == 0 {
		return Dataset{}, errors.New("dataset: no folder or file given")
	}
	w := walker{ctx: ctx, seen: map[string]found{}}
	for _, folder := range o.Except {
		if info, err := os.Stat(folder); err == nil {
			w.except = append(w.except, info)
		}
	}
	var tops []string
	for _, root := range roots {
		if err := w.root(root); err != nil {
			return Dataset{}, err
		}
		tops = append(tops, w.top)
	}
	d := Dataset{Root: commonFolder(tops), Skipped: w.skipped}
	for _, f := range w.files {
		d.Items = append(d.Items, Item{Path: f.path, Name: TextName(relative(d.Root, f.abs)), Size: f.size})
	}
	if err := label(&d, w.files, o); err != nil {
		return Dataset{}, err
	}
	warnLinks(&d, w.links)
	slices.SortStableFunc(d.Items, func(a, b Item) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Path, b.Path))
	})
	slices.SortStableFunc(d.Skipped, func(a, b Skip) int { return strings.Compare(a.Path, b.Path) })
	return d, nil
}

// LabelNames lists the labels that occur, sorted, each once.
func (d Dataset) LabelNames() []string {
	names := make([]string, 0, 16)
	for _, it := range d.Items {
		names = append(names, it.Label)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Hash identifies the data by every item's label, relative name and size, in hexadecimal SHA-256.
// It does not change when the folder moves. It does not read the files: a change that keeps a
// file's size keeps the hash.
func (d Dataset) Hash() string {
	items := slices.Clone(d.Items)
	slices.SortFunc(items, func(a, b Item) int {
		return cmp.Or(strings.Compare(a.Label, b.Label), strings.Compare(a.key(), b.key()), cmp.Compare(a.Size, b.Size))
	})
	h := sha256.New()
	var buf []byte
	for _, it := range items {
		buf = buf[:0]
		for _, s := range []string{it.Label, it.key()} {
			buf = binary.LittleEndian.AppendUint64(buf, uint64(len(s)))
			buf = append(buf, s...)
		}
		buf = binary.LittleEndian.AppendUint64(buf, uint64(it.Size))
		h.Write(buf)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// key is what identifies an item wherever the data lies.
func (it Item) key() string { return cmp.Or(it.Name, it.Path) }

// found is a file that looks like audio.
type found struct {
	path, abs string
	top       string // The absolute root it was found under.
	size      int64
}

// walker collects the files below the roots.
type walker struct {
	ctx     context.Context
	seen    map[string]found // By absolute, resolved path.
	files   []found
	links   []found // To files that are listed already.
	skipped []Skip
	top     string
	except  []fs.FileInfo // Folders to leave out.
}

func (w *walker) skip(path, reason string) {
	w.skipped = append(w.skipped, Skip{Path: path, Reason: reason})
}

func (w *walker) root(root string) error {
	info, err := os.Stat(root)
	if err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	abs, err := filepath.Abs(root)
	if err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	if info.IsDir() {
		w.top = abs
		return w.folder(root, abs, []fs.FileInfo{info})
	}
	w.top = filepath.Dir(abs)
	w.file(root, abs, info)
	return w.ctx.Err()
}

// folder visits a folder whose ancestors, itself included, are given for finding loops.
func (w *walker) folder(path, abs string, ancestors []fs.FileInfo) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		w.skip(path, "cannot read the folder: "+cause(err))
	}
	for _, e := range entries {
		p, a := filepath.Join(path, e.Name()), filepath.Join(abs, e.Name())
		if strings.HasPrefix(e.Name(), ".") {
			if err := w.hidden(p); err != nil {
				return err
			}
			continue
		}
		info, err := os.Stat(p) // Follows links.
		switch {
		case err != nil:
			w.skip(p, "cannot read: "+cause(err))
		case info.IsDir() && slices.ContainsFunc(w.except, func(out fs.FileInfo) bool { return os.SameFile(out, info) }):
		case info.IsDir():
			if slices.ContainsFunc(ancestors, func(up fs.FileInfo) bool { return os.SameFile(up, info) }) {
				w.skip(p, "directory loop: this link leads back to a folder it lies in")
				continue
			}
			if err := w.folder(p, a, append(slices.Clip(ancestors), info)); err != nil {
				return err
			}
		case !codec.IsAudioName(e.Name()):
			w.skip(p, "not a known audio file name")
		default:
			w.file(p, a, info)
		}
	}
	return nil
}

func (w *walker) file(path, abs string, info fs.FileInfo) {
	if !info.Mode().IsRegular() {
		w.skip(path, "not a regular file")
		return
	}
	key := abs
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		key = real
	}
	if first, seen := w.seen[key]; seen {
		if first.abs != abs {
			w.skip(path, "this link leads to a file that is listed already: "+first.path)
			w.links = append(w.links, found{path, abs, w.top, info.Size()})
		}
		return
	}
	w.seen[key] = found{path, abs, w.top, info.Size()}
	w.files = append(w.files, w.seen[key])
}

// hidden skips a file or folder whose name begins with a dot, and counts the audio files in it.
func (w *walker) hidden(name string) error {
	info, err := os.Stat(name)
	if err != nil || !info.IsDir() {
		w.skip(name, "hidden file")
		return nil
	}
	audio := 0
	err = filepath.WalkDir(name, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && codec.IsAudioName(e.Name()) {
			audio++
		}
		return w.ctx.Err() // A folder that cannot be read is hidden all the same.
	})
	if audio > 0 {
		w.skip(name, fmt.Sprintf("hidden folder, with %d audio files", audio))
	} else {
		w.skip(name, "hidden folder, without audio files")
	}
	return err
}

// cause is an error without the path that a Skip names already.
func cause(err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err.Error()
	}
	return err.Error()
}

// commonFolder is the deepest folder that holds all of the given absolute ones.
func commonFolder(folders []string) string {
	common := folders[0]
	for _, f := range folders[1:] {
		for common != f && !strings.HasPrefix(f, strings.TrimSuffix(common, string(filepath.Separator))+string(filepath.Separator)) {
			up := filepath.Dir(common)
			if up == common {
				break
			}
			common = up
		}
	}
	return common
}

func relative(root, abs string) string {
	rel, err := filepath.Rel(root, abs)
	if err != nil {
		rel = abs
	}
	return filepath.ToSlash(rel)
}
