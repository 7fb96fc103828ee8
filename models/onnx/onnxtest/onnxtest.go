// Package onnxtest runs ONNX files in ONNX Runtime for tests: in Python, with the packages numpy and onnxruntime, and in
// Node.js, with the package onnxruntime-node where NODE_PATH leads to it.
package onnxtest

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"os/exec"
	"strings"
	"testing"
)

//go:embed run.py
var pythonScript string

//go:embed run.js
var nodeScript string

// Names of the runtimes.
const (
	Python = "python"
	Node   = "node"
)

// A Tensor is a value of a run: Ints if it is not nil, else Floats; row-major.
type Tensor struct {
	Shape  []int
	Floats []float32
	Ints   []int64
}

// Runtimes returns the names of all.
func Runtimes() []string { return []string{Python, Node} }

// A Job is a file and the inputs by name of each run of it.
type Job struct {
	Model string // path
	Runs  []map[string]Tensor
}

// A Report is what a runtime says of a file.
type Report struct {
	Runtime string              // and its version
	Checker string              // "passed", what onnx.checker found wrong, or "absent"
	Ports   map[string]string   // types and shapes of inputs and outputs; Python only
	Meta    map[string]string   // the file's metadata; Python only
	Runs    []map[string]Tensor // the outputs of each run
}

// wire is how a tensor travels.
type wire struct {
	Type  string `json:"type"`
	Shape []int  `json:"shape"`
	Data  string `json:"data"` // base64 of little-endian values
}

// Run does the jobs in one process and returns a report for each. It skips the test where the runtime is not installed,
// and fails it where a file does not run.
func Run(t testing.TB, runtime string, jobs []Job) []Report {
	t.Helper()
	argv := []string{"python3", "-c", pythonScript}
	probe := []string{"python3", "-c", "import numpy, onnxruntime"}
	if runtime == Node {
		argv = []string{"node", "-e", nodeScript}
		probe = []string{"node", "-e", "require('onnxruntime-node')"}
	}
	if err := exec.CommandContext(t.Context(), probe[0], probe[1:]...).Run(); err != nil {
		t.Skipf("ONNX Runtime for %s is not installed: %s: %v", runtime, strings.Join(probe, " "), err)
	}
	text, err := json.Marshal(toWireJobs(jobs))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	var out, complaints bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(text), &out, &complaints
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", runtime, err, complaints.Bytes())
	}
	var answers []struct {
		Report
		Runs []map[string]wire
	}
	if err := json.Unmarshal(out.Bytes(), &answers); err != nil || len(answers) != len(jobs) {
		t.Fatalf("%s: %d answers to %d jobs, %v in %.500s", runtime, len(answers), len(jobs), err, out.Bytes())
	}
	reports := make([]Report, len(jobs))
	for i, a := range answers {
		reports[i] = a.Report
		for _, run := range a.Runs {
			outputs := map[string]Tensor{}
			for name, x := range run {
				outputs[name] = fromWire(t, x)
			}
			reports[i].Runs = append(reports[i].Runs, outputs)
		}
	}
	return reports
}

// wireJob is how a job travels.
type wireJob struct {
	Model string            `json:"model"`
	Runs  []map[string]wire `json:"runs"`
}

func toWireJobs(jobs []Job) []wireJob {
	out := make([]wireJob, len(jobs))
	for i, j := range jobs {
		out[i] = wireJob{Model: j.Model, Runs: []map[string]wire{}}
		for _, run := range j.Runs {
			in := map[string]wire{}
			for name, x := range run {
				in[name] = toWire(x)
			}
			out[i].Runs = append(out[i].Runs, in)
		}
	}
	return out
}

func toWire(x Tensor) wire {
	var b []byte
	if x.Ints != nil {
		for _, v := range x.Ints {
			b = binary.LittleEndian.AppendUint64(b, uint64(v))
		}
		return wire{"int64", x.Shape, base64.StdEncoding.EncodeToString(b)}
	}
	for _, v := range x.Floats {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return wire{"float32", x.Shape, base64.StdEncoding.EncodeToString(b)}
}

func fromWire(t testing.TB, x wire) Tensor {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(x.Data)
	if err != nil || x.Type != "float32" || len(b)%4 != 0 {
		t.Fatalf("an output of type %s and %d bytes: %v", x.Type, len(b), err)
	}
	out := Tensor{Shape: x.Shape, Floats: make([]float32, len(b)/4)}
	for i := range out.Floats {
		out.Floats[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return out
}
