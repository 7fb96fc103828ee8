package demo

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// state identifies what the bus in the folder holds, so that the same command can go on after an interruption, and
// another one starts afresh instead of mixing two sets of recordings.
type state struct {
	Fingerprint string `json:"fingerprint"` // of the recordings and of what was asked for
	Command     string `json:"command"`
	Finished    bool   `json:"finished"`
}

// claimed is the state in which claim found the folder.
type claimed uint8

const (
	claimNew      claimed = iota // no demo has used it
	claimResumed                 // the bus of this very demo, interrupted
	claimReplaced                // another demo or a finished one, which has been removed
)

// claim prepares the folder for a run: it keeps the bus of an interrupted run of the same fingerprint, and removes
// that of any other. It changes only files that an earlier demo has written.
func claim(dir, fingerprint, command string) (claimed, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return claimNew, fmt.Errorf("--out: %w", err)
	}
	bus := filepath.Join(dir, BusDir)
	var earlier state
	content, err := os.ReadFile(filepath.Join(dir, StateFile))
	known := err == nil && json.Unmarshal(content, &earlier) == nil
	if _, err := os.Stat(bus); err == nil && !known {
		return claimNew, fmt.Errorf("--out: %s exists, but %s, by which a demo marks its folder, does not; choose another folder", bus, StateFile)
	}
	if known && !earlier.Finished && earlier.Fingerprint == fingerprint {
		if _, err := os.Stat(bus); err == nil {
			return claimResumed, nil
		}
	}
	what := claimNew
	if known {
		what = claimReplaced
		if err := forget(dir); err != nil {
			return claimNew, err
		}
	}
	return what, writeState(dir, state{Fingerprint: fingerprint, Command: command})
}

// forget removes the files of an earlier demo from its folder.
func forget(dir string) error {
	clips, err := os.ReadFile(filepath.Join(dir, ClipsFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	var names []string
	for lines := bufio.NewScanner(bytes.NewReader(clips)); lines.Scan(); {
		var clip Clip
		// A demo writes no name that leads out of its folder.
		if json.Unmarshal(lines.Bytes(), &clip) == nil && clip.File == filepath.Base(clip.File) && filepath.Ext(clip.File) == ".wav" {
			names = append(names, clip.File)
		}
	}
	names = append(names, ClipsFile, ReportFile, ModelFile, PipelineFile)
	for _, name := range names {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return os.RemoveAll(filepath.Join(dir, BusDir))
}

func writeState(dir string, s state) error {
	content, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return write(filepath.Join(dir, StateFile), append(content, '\n'))
}
