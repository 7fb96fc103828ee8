package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// The files of a demo in its folder.
const (
	demoBusDir       = "bus"
	demoStateFile    = "run.json"
	demoRecordings   = "recordings"
	demoClips        = "clips.jsonl"
	demoReport       = "report.html"
	demoModel        = "model.safetensors"
	demoPipelineFile = "pipeline.yaml"
)

// demoState identifies what the bus in the folder holds, so that the same command can go on after an interruption, and
// another one starts afresh instead of mixing two sets of recordings.
type demoState struct {
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
	bus := filepath.Join(dir, demoBusDir)
	var state demoState
	text, err := os.ReadFile(filepath.Join(dir, demoStateFile))
	known := err == nil && json.Unmarshal(text, &state) == nil
	if _, err := os.Stat(bus); err == nil && !known {
		return claimNew, fmt.Errorf("--out: %s exists, but %s, by which a demo marks its folder, does not; choose another folder", bus, demoStateFile)
	}
	if known && !state.Finished && state.Fingerprint == fingerprint {
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
	return what, writeState(dir, demoState{Fingerprint: fingerprint, Command: command})
}

// forget removes the files of an earlier demo from its folder.
func forget(dir string) error {
	clips, err := os.ReadFile(filepath.Join(dir, demoClips))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	var names []string
	for lines := bufio.NewScanner(bytes.NewReader(clips)); lines.Scan(); {
		var clip savedClip
		// A demo writes no name that leads out of its folder.
		if json.Unmarshal(lines.Bytes(), &clip) == nil && clip.File == filepath.Base(clip.File) && filepath.Ext(clip.File) == ".wav" {
			names = append(names, clip.File)
		}
	}
	names = append(names, demoClips, demoReport, demoModel, demoPipelineFile)
	for _, name := range names {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return os.RemoveAll(filepath.Join(dir, demoBusDir))
}

func writeState(dir string, s demoState) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, demoStateFile), append(text, '\n'))
}
