package pipeline_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"wavemill/pipeline"
)

func ExampleSlug() {
	fmt.Println(pipeline.Slug("three"))
	fmt.Println(pipeline.Slug("kick drum"))
	fmt.Println(pipeline.Slug("kick.drum"))
	// Output:
	// three
	// kick_drum-7f9f43958402
	// kick_drum-235f222eeac2
}

func TestSlugIsASubjectToken(t *testing.T) {
	token := regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z .*>/_-]{0,80}`)).Draw(t, "a")
		b := rapid.OneOf(rapid.Just(a+" "), rapid.Just(strings.ToUpper(a)), rapid.Just(pipeline.Slug(a)), rapid.String()).Draw(t, "b")
		if !token.MatchString(pipeline.Slug(a)) {
			t.Fatalf("%q has the slug %q", a, pipeline.Slug(a))
		}
		if a != b && pipeline.Slug(a) == pipeline.Slug(b) && pipeline.Slug(a) != b {
			t.Fatalf("%q and %q share the slug %q", a, b, pipeline.Slug(a))
		}
		if plain := token.MatchString(a) && a != "_"; plain && pipeline.Slug(a) != a {
			t.Fatalf("the plain label %q became %q", a, pipeline.Slug(a))
		}
	})
	if pipeline.Slug("") == pipeline.Slug("_") {
		t.Error("no label and the label _ share a slug")
	}
}

func TestErrorsCrossTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := &pipeline.Error{
			Operator: rapid.StringMatching(`[a-z]{0,8}`).Draw(t, "operator"), Message: rapid.String().Draw(t, "message"),
			Kind: pipeline.Kind(rapid.IntRange(0, 2).Draw(t, "kind")),
		}
		if cause := rapid.String().Draw(t, "cause"); cause != "" {
			e.Err = errors.New(cause)
		}
		data, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var back pipeline.Error
		if err := json.Unmarshal(data, &back); err != nil {
			t.Fatal(err)
		}
		if back.Error() != e.Error() || back.Kind != e.Kind || back.Operator != e.Operator || back.Message != e.Message {
			t.Fatalf("%#v came back as %#v by way of %s", e, back, data)
		}
	})
}

func TestKindOf(t *testing.T) {
	for _, c := range []struct {
		err  error
		want pipeline.Kind
	}{
		{errors.New("plain"), pipeline.Other},
		{fmt.Errorf("wrapped: %w", pipeline.Errorf(pipeline.Invalid, "bad: %w", io.EOF)), pipeline.Invalid},
		{pipeline.Errorf(pipeline.Transient, "away"), pipeline.Transient},
		{&pipeline.Error{Kind: pipeline.Other, Err: pipeline.Errorf(pipeline.Invalid, "inner")}, pipeline.Other}, // The outermost counts.
		{fmt.Errorf("wait: %w", context.DeadlineExceeded), pipeline.Transient},
	} {
		if got := pipeline.KindOf(c.err); got != c.want {
			t.Errorf("%v is %v, want %v", c.err, got, c.want)
		}
	}
	if err := pipeline.Errorf(pipeline.Invalid, "bad: %w", io.EOF); !errors.Is(err, io.EOF) {
		t.Error("the cause is not unwrapped")
	}
}

type options struct {
	Rate  int           `yaml:"rate"`
	Wait  time.Duration `yaml:"wait"`
	Names []string      `yaml:"names"`
}

func TestTypedDecodesStrictly(t *testing.T) {
	var got options
	factory := pipeline.Typed(options{Rate: 8000, Wait: time.Second}, func(o options, _ pipeline.Env) (pipeline.Operator, error) {
		got = o
		if o.Rate < 0 {
			return nil, errors.New("rate is negative")
		}
		return pipeline.OperatorFunc(nil), nil
	})
	for _, c := range []struct{ config, fault string }{
		{"", ""},
		{"# only a comment\n", ""},
		{"wait: 250ms\nnames: [a, b]", ""},
		{"{\"rate\": 8000}", ""},
		{"rte: 1", `unknown field "rte"`},
		{"rate: 1\nrate: 2", "rate"},
		{"rate: fast", "fast"},
		{"- 1", ""}, // Filled in below.
		{"rate: -1", "rate is negative"},
	} {
		_, err := factory([]byte(c.config), pipeline.Env{Operator: "op"})
		if c.config == "- 1" {
			if err == nil {
				t.Error("a list was taken for a configuration")
			}
			continue
		}
		switch {
		case c.fault == "" && err != nil:
			t.Errorf("%q: %v", c.config, err)
		case c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault) || !strings.Contains(err.Error(), "operator op")):
			t.Errorf("%q: error %v does not say %q", c.config, err, c.fault)
		}
		if c.fault == "" && (got.Rate != 8000 || strings.Contains(c.config, "250ms") != (got.Wait == 250*time.Millisecond)) {
			t.Errorf("%q: %+v", c.config, got)
		}
	}
	if _, err := factory([]byte("wait: 1s\nrte: 1"), pipeline.Env{}); err == nil || !strings.Contains(err.Error(), "[2:1]") {
		t.Errorf("no line and column in %v", err)
	}
}

const goodSpec = `
name: mill
data_dir: data
listen: 127.0.0.1:0
streams: {max_age: 48h, replicas: 1}
operators:
  - operator: work
    workers: 3
    ack_wait: 10s
    config: {rate: 16000}
  - name: second
    operator: work
    input: clip
`

func TestParseSpec(t *testing.T) {
	s, err := pipeline.ParseSpec([]byte(goodSpec))
	if err != nil {
		t.Fatal(err)
	}
	if s.Operators[0].Name != "work" || s.Operators[0].Workers != 3 || s.Operators[1].Workers != 1 || s.Operators[1].AckWait != pipeline.DefaultAckWait {
		t.Errorf("%+v", s.Operators)
	}
	if s.Subject(pipeline.TypeAudio, "three") != "mill.audio.three" || s.StreamName(pipeline.TypeDLQ) != "MILL_DLQ" || s.ConsumerName("work") != "mill-work" {
		t.Error("names:", s.Subject(pipeline.TypeAudio, "three"), s.StreamName(pipeline.TypeDLQ), s.ConsumerName("work"))
	}
	one, err := s.Only("second")
	if err != nil || len(one.Operators) != 1 || one.Operators[0].Input != "clip" {
		t.Errorf("%+v %v", one, err)
	}
	if _, err := s.Only("third"); err == nil || !strings.Contains(err.Error(), "work, second") {
		t.Errorf("%v does not list the operators", err)
	}
	reg := pipeline.Registry{"work": pipeline.Typed(options{}, func(options, pipeline.Env) (pipeline.Operator, error) {
		return consumer{pipeline.TypeAudio, shout}, nil
	})}
	if err := pipeline.Check(s, reg); err != nil {
		t.Error(err)
	}
}

func TestSpecFaultsAreAllReported(t *testing.T) {
	_, err := pipeline.ParseSpec([]byte(`
name: Bad Name
nats: nats://host:4222
data_dir: data
auth: {creds: a, token: b, cert: c}
streams: {max_age: 1m, replicas: 7}
operators:
  - {operator: a, workers: -1, ack_wait: 1ms, max_attempts: 1000}
  - {operator: a, input: Pictures}
  - {name: nothing}
`))
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`name "Bad Name"`, "nats and data_dir", "2 ways to log in", "cert and key", "max_age 1m0s is shorter than the duplicate window", "replicas is 7",
		"operators[0] a: workers is -1", "ack_wait is 1ms", "max_attempts is 1000", "operators[1] a: the name is used twice", `stream "Pictures"`, "operators[2] nothing: operator is missing",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("not reported: %s", want)
		}
	}
	if _, err := pipeline.ParseSpec([]byte("name: a\noperatrs: []")); err == nil || !strings.Contains(err.Error(), "[2:1]") {
		t.Errorf("no line and column in %v", err)
	}
	err = pipeline.Check(pipeline.Spec{DataDir: "x", Operators: []pipeline.OperatorSpec{{Operator: "nobody"}, {Name: "plain", Operator: "work"}}},
		pipeline.Registry{"work": func([]byte, pipeline.Env) (pipeline.Operator, error) { return pipeline.OperatorFunc(shout), nil }})
	for _, want := range []string{`no operator "nobody"; there are: work`, "plain: it does not say which stream it reads"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("not reported: %s in %v", want, err)
		}
	}
}

func TestDataDirIsRequired(t *testing.T) {
	_, err := pipeline.Open(within(t), pipeline.Spec{Name: "t"}, pipeline.BusOptions{})
	if err == nil || !strings.Contains(err.Error(), "data directory") {
		t.Errorf("error %v does not ask for a data directory", err)
	}
}

func TestUnreachableServer(t *testing.T) {
	began := time.Now()
	_, err := pipeline.Open(within(t), pipeline.Spec{Name: "t", NATS: "nats://127.0.0.1:1"}, pipeline.BusOptions{})
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("error %v does not name the server", err)
	}
	if d := time.Since(began); d > 20*time.Second {
		t.Errorf("it took %v to find out", d)
	}
}
