package dataset

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"
)

// fileIndex finds the items that the rows of a label table name.
type fileIndex struct {
	folder string           // Of the table, absolute.
	byPath map[string][]int // By the path below a root, the path below all roots and the absolute path.
	byBase map[string][]int // By the name without folders.
	tails  []itemPath
}

// itemPath is where an item lies, with slashes, in the form that pathKey makes.
type itemPath struct {
	abs    string // "/home/ann/set/cat/1.wav"
	rooted string // The path that begins with the name of its root: "set/cat/1.wav".
	rel    string // The path below its root: "cat/1.wav".
}

// pathKey is the form in which paths are compared: with slashes, valid UTF-8, in Unicode normalization form C.
func pathKey(file string) string { return LabelName(filepath.ToSlash(file)) }

func newFileIndex(d *Dataset, files []found, folder string) *fileIndex {
	ix := &fileIndex{folder: pathKey(folder), byPath: map[string][]int{}, byBase: map[string][]int{}}
	for i, f := range files {
		rel := pathKey(relative(f.top, f.abs))
		p := itemPath{abs: pathKey(f.abs), rooted: path.Join(path.Base(pathKey(f.top)), rel), rel: rel}
		ix.tails = append(ix.tails, p)
		keys := []string{p.abs, p.rel, pathKey(d.Items[i].Name)}
		slices.Sort(keys)
		for _, key := range slices.Compact(keys) {
			ix.byPath[key] = append(ix.byPath[key], i)
		}
		ix.byBase[path.Base(rel)] = append(ix.byBase[path.Base(rel)], i)
	}
	return ix
}

// find returns the item that a row names, or why there is none. The path in the row is one from the table's folder, one
// below a root, or the end of an item's absolute path; a row from another machine may end with the name of a root and
// what lies below it. Only a row without any folder is found by its bare name, where one file alone has it.
func (ix *fileIndex) find(file string) (item int, why string) {
	for _, name := range spellings(file) {
		slashed := path.Clean(strings.ReplaceAll(name, `\`, "/"))
		for _, key := range []string{path.Join(ix.folder, slashed), slashed} {
			if at := ix.byPath[key]; len(at) == 1 {
				return at[0], ""
			}
		}
		if item, why = ix.byTail(strings.TrimLeft(slashed, "/")); why == "" {
			return item, ""
		}
	}
	return item, why
}

// spellings are the keys that a name in a table may stand for: as it is, because a name may end with a blank, without
// blanks around it, and as bytes of Windows-1252, which old archives have.
func spellings(file string) []string {
	trimmed := strings.TrimSpace(file)
	all := []string{norm.NFC.String(trimmed), pathKey(trimmed)}
	if file != trimmed {
		all = append([]string{norm.NFC.String(file)}, all...)
	}
	if old, err := charmap.Windows1252.NewEncoder().String(norm.NFC.String(trimmed)); err == nil {
		all = append(all, pathKey(old))
	}
	return slices.Compact(all)
}

// byTail finds an item by the end of its path.
func (ix *fileIndex) byTail(slashed string) (item int, why string) {
	same := ix.byBase[path.Base(slashed)]
	var fit []int
	for _, i := range same {
		p := ix.tails[i]
		if ends(p.abs, slashed) || ends(slashed, p.rooted) {
			fit = append(fit, i)
		}
	}
	switch {
	case len(fit) == 1:
		return fit[0], ""
	case len(fit) > 1:
		return 0, fmt.Sprintf("%d files are called so: %s and %s are two of them; write their folders", len(fit), ix.tails[fit[0]].rel, ix.tails[fit[1]].rel)
	case len(same) > 0:
		return 0, "the file of that name lies in another folder: " + ix.tails[same[0]].abs
	}
	return 0, "no such file was found"
}

// ends reports whether a path ends with whole segments of another.
func ends(whole, tail string) bool { return whole == tail || strings.HasSuffix(whole, "/"+tail) }
