package usage

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// Complete completes word by the given names and, where ext is not "", by files with that extension (without the dot). A
// shell completes either files of an extension by itself or given words: with names, the files and the folders on the way
// to them are given words too.
func Complete(word string, names []string, ext string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(names) == 0 && ext != "" {
		return []cobra.Completion{ext}, cobra.ShellCompDirectiveFilterFileExt
	}
	var out []cobra.Completion
	for _, name := range names {
		if strings.HasPrefix(name, word) {
			out = append(out, name)
		}
	}
	if ext == "" {
		return out, cobra.ShellCompDirectiveNoFileComp
	}
	found, folder := files(word, "."+ext)
	out = append(out, found...)
	if folder {
		return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// files lists the folders, and the files that end in suffix, whose path begins with word, and whether a folder is among
// them.
func files(word, suffix string) (found []string, folder bool) {
	dir, prefix := filepath.Split(word)
	entries, err := os.ReadDir(filepath.Clean(dir))
	if err != nil { // then there is nothing to complete
		return nil, false
	}
	for _, e := range entries {
		hidden := strings.HasPrefix(e.Name(), ".") && prefix == ""
		switch {
		case !strings.HasPrefix(e.Name(), prefix) || hidden:
		case e.IsDir():
			found, folder = append(found, dir+e.Name()+"/"), true
		case strings.HasSuffix(e.Name(), suffix):
			found = append(found, dir+e.Name())
		}
	}
	return found, folder
}
