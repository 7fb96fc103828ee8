package sampling

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"wavemill/models"
)

// ErrNoCheckpoint is returned, wrapped, where the checkpoint of a clip is not found.
var ErrNoCheckpoint = errors.New("no checkpoint")

// searchFolders are the folders in which the checkpoint of a clip in dir is looked for, in order: beside the clip, one folder
// up, where "generate --out clips" leaves it, and the working directory.
func searchFolders(dir string) []string {
	return []string{dir, filepath.Join(dir, ".."), "."}
}

// locate opens the checkpoint with the given digest among the .safetensors files of the folders, which are searched in
// order. Files that are not checkpoints are skipped. The error, an [ErrNoCheckpoint], lists where locate searched.
func locate(digest string, folders ...string) (*Sampler, error) {
	var searched []string
	for _, dir := range folders {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return nil, err
		}
		if slices.Contains(searched, abs) {
			continue
		}
		searched = append(searched, abs)
		files, err := filepath.Glob(filepath.Join(escapeGlob(abs), "*.safetensors"))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			checkpoint, err := models.Read(file)
			if err != nil {
				continue // Another kind of file.
			}
			if d, err := checkpoint.Digest(); err != nil || d != digest {
				continue
			}
			s, err := Open(checkpoint)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			return s, nil
		}
	}
	return nil, fmt.Errorf("%w with the digest %.12s is in %s", ErrNoCheckpoint, digest, strings.Join(searched, " or "))
}

// escapeGlob makes filepath.Glob take a folder's name literally.
func escapeGlob(dir string) string {
	return strings.NewReplacer(`*`, `[*]`, `?`, `[?]`, `[`, `[[]`).Replace(dir)
}
