package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"wavemill/operators/train"
	"wavemill/pipeline"
)

// A keeper writes every checkpoint that a trainer stores on the bus to a file as well, <dir>/<model>.safetensors, for
// offline use. The bus stays the place where models are kept; a file that cannot be written is logged.
type keeper struct {
	dir string
	bus *pipeline.Bus
	log *slog.Logger
}

// newKeeper returns a keeper for dir, which is made if it is not there. The bus is set before operators start.
func newKeeper(dir string, log *slog.Logger) (*keeper, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("--checkpoints: %w", err)
	}
	return &keeper{dir: dir, log: log}, nil
}

// keep is a hook of the train operator.
func (k *keeper) keep(e train.Event) {
	// The trainer may be stopping; its last checkpoint is the one to have.
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	path := filepath.Join(k.dir, e.Name+".safetensors")
	if err := exportModel(ctx, k.bus, e.Name, path); err != nil {
		k.log.Warn("the checkpoint is on the bus, but was not written to a file", "file", path, "error", err)
		return
	}
	k.log.Info("checkpoint written", "file", path, "step", e.Step)
}

// exportModel writes the current version of a model on the bus to a file.
func exportModel(ctx context.Context, bus *pipeline.Bus, name, path string) error {
	entry, err := bus.Models().Get(ctx, name)
	if err != nil {
		return err
	}
	content, err := bus.Models().Load(ctx, entry)
	if err != nil {
		return err
	}
	return writeFile(path, content)
}
