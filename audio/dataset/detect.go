package dataset

import (
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// source says where detected labels come from.
type labelSource string

const (
	fromFolder labelSource = "folder" // The folder a file lies in.
	fromAbove  labelSource = "above"  // The folder above that, because the folder is a part such as train or test.
	fromNames  labelSource = "prefix" // The beginning of the file name.
	fromRoot   labelSource = "root"   // The only folder.
)

// isPart reports whether a folder's name is that of a part of a data set.
func isPart(name string) bool {
	return slices.Contains([]string{
		"train", "training", "test", "testing", "val", "valid", "validation", "dev", "eval", "evaluation", "holdout", "hold-out", "heldout", "held-out",
	}, strings.ToLower(name))
}

// detect chooses between folders and file names. notes say what a person should know about the choice.
func detect(files []found) (from labelSource, notes []string) {
	folders, tops := map[string]bool{}, map[string]bool{}
	for _, f := range files {
		folders[folderLabel(f)] = true
		tops[filepath.Dir(f.abs)] = true
	}
	delete(folders, "")
	if len(folders) == 0 && len(tops) >= 2 { // Several roots: wavemill … three four.
		for top := range tops {
			folders[filepath.Base(top)] = true
		}
	}
	if len(folders) >= 2 {
		return detectParts(files, folders)
	}
	if _, _, ok := chooseNameRule(files); ok {
		return fromNames, nil
	}
	if len(tops) == 1 && !slices.ContainsFunc(files, func(f found) bool { return strings.Contains(stem(f.abs), "_") }) {
		return fromRoot, nil
	}
	return fromNames, nil
}

// detectParts chooses for files that lie in two folders or more. Folders such as train and test are no labels where all
// are of this kind: then the folders above them are, or the file names.
func detectParts(files []found, folders map[string]bool) (from labelSource, notes []string) {
	var parts []string
	for name := range folders {
		if isPart(name) {
			parts = append(parts, name)
		}
	}
	slices.Sort(parts)
	if len(parts) < len(folders) {
		return fromFolder, nil
	}
	list := strings.Join(parts, ", ")
	above := !slices.ContainsFunc(files, func(f found) bool { return folderLabel(f) == "" || aboveLabel(f) == "" })
	if above {
		return fromAbove, []string{fmt.Sprintf("labels: all folders with files are parts of a data set (%s), so the folders above them are the labels; recordings are split by a rule of their own, not by these folders", list)}
	}
	if _, _, ok := chooseNameRule(files); ok {
		return fromNames, []string{fmt.Sprintf("labels: the folders %s are parts of a data set, no labels, so the file names make the labels; recordings are split by a rule of their own, not by these folders", list)}
	}
	return fromFolder, []string{fmt.Sprintf("labels: the folders %s have the names of parts of a data set, but the file names have no labels either; --labels FILE.csv gives others", list)}
}

// aboveLabel is the name of the folder above the one a file lies in, "" when that is the root or a part itself.
func aboveLabel(f found) string {
	above := filepath.Dir(filepath.Dir(f.abs))
	if above == f.top || len(above) < len(f.top) || isPart(filepath.Base(above)) {
		return ""
	}
	return TextName(filepath.Base(above))
}

// warnLabels notes labels that are probably not meant: such that differ in nothing but upper and lower case, and folders
// with the names of parts of a data set among others.
func warnLabels(d *Dataset, explicit bool) {
	counts := map[string]int{}
	for _, it := range d.Items {
		counts[it.Label]++
	}
	twins := map[string][]string{}
	for _, label := range d.LabelNames() {
		folded := strings.ToLower(strings.ToUpper(label))
		twins[folded] = append(twins[folded], label)
	}
	var pairs []string
	for _, same := range twins {
		if len(same) > 1 {
			var parts []string
			for _, label := range same {
				parts = append(parts, fmt.Sprintf("%q (%d files)", label, counts[label]))
			}
			pairs = append(pairs, strings.Join(parts, " and "))
		}
	}
	slices.Sort(pairs)
	for _, p := range pairs {
		d.Notes = append(d.Notes, "warning: labels that differ only by upper and lower case are different labels: "+p+"; rename one if they are the same")
	}
	if d.LabelSource != folderSource || len(counts) < 2 {
		return
	}
	for _, label := range d.LabelNames() {
		if isPart(label) && (explicit || len(counts) > 2) {
			d.Notes = append(d.Notes, fmt.Sprintf("warning: the folder %q has the name of a part of a data set, and its %d files get the label %q", label, counts[label], label))
		}
	}
}

// warnNested notes folders that hold recordings and, in folders below, further recordings, which get other labels.
func warnNested(d *Dataset, files []found) {
	if d.LabelSource != folderSource {
		return
	}
	dirs := map[string]string{} // of folders with recordings, how a person sees them
	for _, f := range files {
		if folderLabel(f) != "" {
			dirs[filepath.Dir(f.abs)] = TextName(path.Dir(relative(f.top, f.abs)))
		}
	}
	nested := map[string]string{} // folders with others below them, and the first of these
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		for above := filepath.Dir(dir); len(above) > 1 && above != filepath.Dir(above); above = filepath.Dir(above) {
			if _, ok := dirs[above]; ok && nested[dirs[above]] == "" {
				nested[dirs[above]] = dirs[dir]
			}
		}
	}
	if len(nested) == 0 {
		return
	}
	first := slices.Min(slices.Collect(maps.Keys(nested)))
	d.Notes = append(d.Notes, fmt.Sprintf("warning: %s holds recordings, and so do folders in it, such as %s (%d folders like this): each recording has the label of its innermost folder; --labels '{label}/%s' takes the outermost", first, nested[first], len(nested), anyFolders))
}

// warnLinks notes folders that would be labels if their files were not links to files that are listed already.
func warnLinks(d *Dataset, links []found) {
	if d.LabelSource != folderSource {
		return
	}
	gone, labels := map[string]int{}, d.LabelNames()
	for _, f := range links {
		if label := norm.NFC.String(folderLabel(f)); label != "" && !slices.Contains(labels, label) {
			gone[label]++
		}
	}
	for _, label := range slices.Sorted(maps.Keys(gone)) {
		d.Notes = append(d.Notes, fmt.Sprintf("warning: there is no label %q, because all %d recordings in its folder are links to recordings of other labels; one recording has one label", label, gone[label]))
	}
}
