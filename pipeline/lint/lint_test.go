package lint_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"wavemill/internal/allocation"
	"wavemill/pipeline"
	"wavemill/pipeline/lint"
)

// config is the configuration of the operators below.
type config struct {
	Model string        `yaml:"model"`
	Size  int           `yaml:"size"`
	Wait  time.Duration `yaml:"wait"`
}

type operator struct {
	config
	in, out     string
	makes, uses bool
}

func (o operator) Input() string  { return o.in }
func (o operator) Output() string { return o.out }
func (o operator) MakesModel() string {
	if o.makes {
		return o.Model
	}
	return ""
}

func (o operator) UsesModel() string {
	if o.uses {
		return o.Model
	}
	return ""
}
func (operator) Process(context.Context, *pipeline.Message, pipeline.Emit) error { return nil }
func (operator) Run(context.Context) error                                       { return nil }

func factory(o operator) pipeline.Factory {
	return pipeline.Typed(config{Model: "vae", Wait: time.Second}, func(c config, _ pipeline.Env) (pipeline.Operator, error) {
		if c.Size < 0 {
			return nil, errors.New("size must not be negative")
		}
		o.config = c
		return o, nil
	})
}

func registry() pipeline.Registry {
	return pipeline.Registry{
		"convert": factory(operator{in: "audio", out: "spectrogram"}),
		"train":   factory(operator{in: "spectrogram", out: "model", makes: true}),
		"serve":   factory(operator{out: "clip", uses: true}),
	}
}

func TestCheck(t *testing.T) {
	const all = "operators:\n- operator: convert\n- operator: train\n- operator: serve\n"
	for _, tc := range []struct{ name, doc, want string }{
		{"nothing is wrong", all, ""},
		{"empty", "", ""},
		{"not YAML", "operators: [", "f:1:"},
		{"a scalar", "hello", "f:1:1: error: the pipeline file must be a mapping of fields to values (value)"},
		{"unknown field", "neme: x\n" + all, `f:1:1: error: the pipeline file has no field "neme"; did you mean "name"? (unknown-field)`},
		{"nothing like it", "xyzzyxyzzy: 1\n" + all, `f:1:1: error: the pipeline file has no field "xyzzyxyzzy"; it has: auth, `},
		{"below", "auth:\n  usr: x\n" + all, `f:2:3: error: auth has no field "usr"; did you mean "user"? (unknown-field)`},
		{"of a stage", "operators:\n- operator: convert\n  worker: 2\n", `f:3:3: error: operators[0] has no field "worker"; did you mean "workers"? (unknown-field)`},
		{"in a configuration", "operators:\n- {operator: convert, config: {sise: 3}}", `f:2:32: error: config of operators[0] has no field "sise"; did you mean "size"? (unknown-field)`},
		{"by an alias", "operators:\n- {operator: convert, config: &c {sise: 3}}\n- {name: b, operator: convert, from: clip, to: x, config: *c}", `f:2:35: error: config of operators[0] has no field "sise"`},
		{"of another type", "operators:\n- operator: convert\n  workers: many\n", "f:3:12: error: a value of type int is needed here, not string (value)"},
		{"of another type in a configuration", "operators:\n- operator: convert\n  config:\n    size: big\n", "f:4:11: error: config of operators[0]: a value of type int is needed here, not string (value)"},
		{"out of range", "operators:\n- operator: convert\n  workers: 5000\n", "f:3:3: error: operators[0] convert: workers is 5000; use 1 to 1024 (value)"},
		{"refused by the operator", "operators:\n- operator: convert\n  config:\n    wait: 3s\n    size: -1\n", "f:5:5: error: operator convert: configuration: size must not be negative (value)"},
		{"unknown operator", "operators:\n- operator: convrt\n", "f:2:3: error: operator convrt: there is no operator \"convrt\"; there are: convert, serve, train (unknown-operator)"},
		{"a cycle", "operators:\n- {name: a, operator: convert, from: x, to: y}\n- {name: b, operator: convert, from: y, to: x}\n", "f:2:4: error: the operators form a cycle, in which messages would go round for ever: a reads x and writes y, b reads y and writes x (cycle)"},
		{"its own output", "operators:\n- operator: convert\n  to: audio\n", "f:3:3: error: operator convert: it reads and writes the stream audio, so it would receive its own output; name another stream in from or to (cycle)"},
		{"a stream that nobody writes", "operators:\n- operator: convert\n- operator: train\n  from: gaurded\n", "f:4:3: error: operator train: no operator writes the stream gaurded that it reads"},
		{"a type that nobody writes", "operators:\n- operator: train\n", "f:2:3: warning: operator train reads the stream spectrogram, which no operator of this file writes; list spectrogram under inputs if clients publish there (dangling-stream)"},
		{"that clients write", "inputs: [spectrogram]\noperators:\n- operator: train\n", ""},
		{"a stream that nobody reads", "operators:\n- operator: convert\n  to: elsewhere\n", "f:3:3: warning: operator convert writes the stream elsewhere, which no operator of this file reads (unread-stream)"},
		{"a model that nobody trains", all + "  config:\n    model: gan\n", "f:5:3: error: operator serve waits for the model \"gan\", which nobody in this file trains; the operators of this file train: vae (model)"},
		{"no trainer", "operators:\n- operator: serve\n", "f:2:3: warning: operator serve waits for the model \"vae\", which nobody in this file trains; add an operator train, or name a checkpoint in file (model)"},
		{"two trainers", all + "- {name: more, operator: train}\n", "f:3:3: error: two operators train the model \"vae\""},
		{"a window shorter than ack_wait", "streams: {outage: 10s}\n" + all, "f:3:3: warning: ack_wait is 30s and streams.outage 10s"},
		{"a window that takes memory", "streams:\n  outage: 24h\n" + all, "f:2:3: warning: the duplicate window is 24h2m45s, the longest max_attempts x ack_wait with the delays between them plus an outage of 24h0m0s"},
		{"a window longer than max_age", "streams:\n  max_age: 5m\n" + all, "f:2:3: error: streams: max_age 5m0s is shorter than the duplicate window 12m45s"},
		{"a stream smaller than a message", "streams:\n  max_bytes: 1000\n" + all, "f:2:3: warning: max_bytes is 1000: one message of the largest size"},
		{"bodies that end before their messages", "streams:\n  max_age: 240h\n" + all, "f:2:3: warning: messages are kept for 240h0m0s (max_age), and bodies above"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var lines []string
			for _, f := range lint.Check("f", []byte(tc.doc), registry()) {
				lines = append(lines, f.String())
			}
			got := strings.Join(lines, "\n")
			if !strings.Contains(got, tc.want) || tc.want == "" && got != "" {
				t.Errorf("got\n%s\nwant\n%s", got, tc.want)
			}
		})
	}
}

// What passes has no error at run time, and what the run time refuses is found: they use the same structs and checks.
func TestSameAsAtRunTime(t *testing.T) {
	for i := range 200 {
		doc := fmt.Sprintf("operators: [{operator: convert, workers: %d, config: {size: %d, model: %q}}]", i%7-1, i%5-1, strings.Repeat("m", i%3))
		spec, err := pipeline.ParseSpec([]byte(doc))
		if err == nil {
			err = pipeline.Check(spec, registry())
		}
		if found := lint.Failed(lint.Check("f", []byte(doc), registry())); found != (err != nil) {
			t.Errorf("%s: lint %v, run time %v", doc, found, err)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("operators:\n- {operator: convert, config: {size: 1}}\nauth: {user: x}\n")
	f.Add("a: &a [*a]\noperators: *a")
	f.Add("? [x]\n: y\n<<: {name: z}\noperators: {a: b}")
	f.Add("operators:\n- *x\n- null\n- operator: !!str convert\n  config: null")
	f.Fuzz(func(t *testing.T, doc string) {
		var findings []lint.Finding
		// As FuzzSpec of the pipeline: the document is parsed twice, with positions and as a pipeline.
		allocation.Check(t, len(doc), 20000, func() { findings = lint.Check("f", []byte(doc), registry()) })
		for _, finding := range findings {
			if finding.Line < 1 || finding.Column < 1 || finding.Message == "" {
				t.Errorf("%+v", finding)
			}
		}
	})
}

func ExampleCheck() {
	doc := "operators:\n  - operator: convert\n    workrs: 2\n"
	for _, f := range lint.Check("pipeline.yaml", []byte(doc), registry()) {
		fmt.Println(f)
	}
	// Output:
	// pipeline.yaml:3:5: error: operators[0] has no field "workrs"; did you mean "workers"? (unknown-field)
}

func TestSchemaIsJSON(t *testing.T) {
	data, err := json.Marshal(lint.Schema(registry(), map[string]string{"wavemill/pipeline.Spec.Name": "The name."}))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"description":"The name."`, `"enum":["convert","serve","train"]`, `"default":"1s"`, `"default":"10m0s"`, `"additionalProperties":false`} {
		if !strings.Contains(string(data), want) {
			t.Errorf("no %s in %s", want, data)
		}
	}
}
