package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"wavemill/audio/dataset"
	"wavemill/internal/atomicfile"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/training"
	"wavemill/operators/generate"
	"wavemill/operators/train"
	"wavemill/pipeline"
)

// The files of a demo in its folder, beside the WAV files of the clips.
const (
	BusDir        = "bus"               // data of the NATS server
	StateFile     = "run.json"          // what the bus in the folder holds
	RecordingsDir = "recordings"        // for synthesised recordings; Run neither writes nor removes it
	ClipsFile     = "clips.jsonl"       // one Clip a line
	ReportFile    = "report.html"       // opens from disk
	ModelFile     = "model.safetensors" // the checkpoint
	PipelineFile  = "pipeline.yaml"     // serves the model
)

// Options configure a demo. Out, Arch, PerLabel, Recordings and Operators are required, and either Steps or Budget.
type Options struct {
	Out      string        // folder for the results and the data of the bus; it is created if necessary
	Arch     string        // name of an architecture
	Budget   time.Duration // of the training; not used with Steps
	Steps    int64         // of the training; the same seed then gives the same clips
	Seed     uint64        // of everything random
	PerLabel int           // clips to generate of each label, 1 to 1000

	// URL is that of a NATS server with JetStream; empty means that the demo runs one.
	URL string
	// Pipeline is the name of the pipeline; empty means pipeline.DefaultName or, with URL, a name derived from the
	// recordings and options.
	Pipeline string

	// Recordings lists the recordings and decodes them. Those that cannot be decoded have an Err; they are published all the
	// same, and the spectrogram operator makes dead letters of them.
	Recordings func(ctx context.Context) (dataset.Dataset, []dataset.Recording, error)
	// Holdout is the rule that holds recordings out of the training.
	Holdout dataset.Holdout
	// FrontEnd and OnPlan are those of training.Options.
	FrontEnd func(learnable []dataset.Recording) (models.FrontEnd, error)
	OnPlan   func(fe models.FrontEnd, learnable []dataset.Recording) error

	// Operators returns a registry with the operators spectrogram, train and generate, which call the hooks.
	Operators func(Hooks) pipeline.Registry
	// ClassifierEpochs is how long the classifier is trained; 0: half the time of the training, between 30 and 60 s, or, with
	// Steps, as long as the classifier takes by itself.
	ClassifierEpochs int

	Command string // command line that repeats the demo: for the report, and for the message of an interruption
	Data    string // folder with the recordings, for the commands that the report proposes; empty: they are synthesised
	Version string // of the program, for the report

	Progress    Progress     // nil: none
	Log         *slog.Logger // nil: none
	OperatorLog *slog.Logger // of the bus and the operators; nil: none
}

// Hooks are the callbacks of operators that a demo uses.
type Hooks struct {
	Train    train.Hooks
	Generate generate.Hooks
}

// Progress shows what a demo is doing. Its methods and those of its tasks may be called by several goroutines at once.
type Progress interface {
	training.Progress
	// Start begins a stage of total units; total is 0 where it is not known yet. A Training that begins before the stage
	// "convert" has ended takes its place.
	Start(stage string, total int64, unit string) Task
}

// A Task is a stage that is shown.
type Task interface {
	Total(n int64)
	Set(n int64)
	Add(n int64)
	Note(format string, args ...any)
	Done()
}

// Validate reports the first wrong option.
func (o Options) Validate() error {
	switch {
	case o.Out == "":
		return errors.New("out is empty: name a folder")
	case o.Steps < 0:
		return fmt.Errorf("steps %d is negative", o.Steps)
	case o.Steps == 0 && o.Budget <= 0:
		return fmt.Errorf("budget %v: give the training some time", o.Budget)
	case o.PerLabel < 1 || o.PerLabel > 1000:
		return fmt.Errorf("per-label %d is not between 1 and 1000", o.PerLabel)
	case !slices.Contains(architectures.Names(), o.Arch):
		return fmt.Errorf("model %q is unknown; there are: %s", o.Arch, strings.Join(architectures.Names(), ", "))
	case o.Recordings == nil || o.Operators == nil:
		return errors.New("recordings and operators are missing")
	}
	return nil
}

// silent is a Progress, and its task, that show nothing.
type silent struct{}

func (silent) Note(string, ...any)              {}
func (silent) Start(string, int64, string) Task { return silent{} }
func (silent) Total(int64)                      {}
func (silent) Set(int64)                        {}
func (silent) Add(int64)                        {}
func (silent) Done()                            {}
func (silent) Training(time.Duration, int64) (event func(models.Progress), done func()) {
	return func(models.Progress) {}, func() {}
}

func (o Options) log() *slog.Logger         { return orNone(o.Log) }
func (o Options) operatorLog() *slog.Logger { return orNone(o.OperatorLog) }

func orNone(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}

// write writes a file whole or not at all. It does not sync: the same demo can make the file again.
func write(path string, data []byte) error {
	return atomicfile.Write(path, data, atomicfile.Options{NoSync: true})
}
