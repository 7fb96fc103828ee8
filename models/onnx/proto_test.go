package onnx

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"wavemill/models/nn"
)

// fields are the values of a protobuf message by field number: []byte, or uint64 for numbers.
type fields map[protowire.Number][]any

// parse reads a message back, without what wrote it.
func parse(b []byte) (fields, error) {
	m := fields{}
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		b = b[n:]
		var v any
		switch kind {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var u uint32
			u, n = protowire.ConsumeFixed32(b)
			v = uint64(u)
		case protowire.BytesType:
			v, n = protowire.ConsumeBytes(b)
		default:
			return nil, fmt.Errorf("field %d has wire type %d", number, kind)
		}
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		b = b[n:]
		m[number] = append(m[number], v)
	}
	return m, nil
}

func (m fields) number(f protowire.Number) uint64 {
	if len(m[f]) != 1 {
		return math.MaxUint64
	}
	v, _ := m[f][0].(uint64)
	return v
}

func (m fields) text(f protowire.Number) string {
	if len(m[f]) != 1 {
		return "?"
	}
	v, _ := m[f][0].([]byte)
	return string(v)
}

func (m fields) texts(f protowire.Number) []string {
	var out []string
	for _, v := range m[f] {
		b, _ := v.([]byte)
		out = append(out, string(b))
	}
	return out
}

func (m fields) messages(f protowire.Number) []fields {
	var out []fields
	for _, v := range m[f] {
		b, _ := v.([]byte)
		sub, err := parse(b)
		if err != nil {
			sub = fields{}
		}
		out = append(out, sub)
	}
	return out
}

// The numbers here are those of onnx.proto, written down again.

// problems returns what is wrong with the structure of a file.
func problems(file []byte) []error {
	m, err := parse(file)
	if err != nil {
		return []error{err}
	}
	var wrong []error
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	opsets := m.messages(8)
	if m.number(1) != 8 || m.text(2) != "wavemill" || len(opsets) != 1 || opsets[0].number(2) != 17 {
		bad("IR version %d of %q, operator sets %v", m.number(1), m.text(2), opsets)
	}
	if len(m[7]) != 1 {
		return append(wrong, errors.New("no graph"))
	}
	g := m.messages(7)[0]
	defined, used := map[string]bool{"": true}, map[string]bool{}
	define := func(name string) {
		if name == "" || defined[name] {
			bad("%q is defined twice, or has no name", name)
		}
		defined[name] = true
	}
	for _, t := range g.messages(5) {
		define(t.text(8))
		size, element := 1, map[uint64]int{1: 4, 7: 8}[t.number(2)]
		for _, d := range t[1] {
			v, _ := d.(uint64)
			size *= int(v)
		}
		if got := len(t.text(9)); element == 0 || got != size*element {
			bad("tensor %q: %d bytes for dimensions %v of type %d", t.text(8), got, t[1], t.number(2))
		}
	}
	for _, p := range g.messages(11) {
		define(p.text(1))
	}
	names := map[string]bool{}
	for _, n := range g.messages(1) {
		if names[n.text(3)] || n.text(4) == "?" {
			bad("node %q of type %q: the name is taken, or there is no type", n.text(3), n.text(4))
		}
		names[n.text(3)] = true
		for _, in := range n.texts(1) {
			used[in] = true
			if !defined[in] {
				bad("node %q reads %q before it is there", n.text(3), in)
			}
		}
		for _, out := range n.texts(2) {
			define(out)
		}
	}
	for _, p := range g.messages(12) {
		used[p.text(1)] = true
		if !defined[p.text(1)] {
			bad("output %q is not there", p.text(1))
		}
	}
	for _, t := range g.messages(5) {
		if !used[t.text(8)] {
			bad("tensor %q is not used", t.text(8))
		}
	}
	return wrong
}

func TestStructure(t *testing.T) {
	for _, w := range networks {
		file, err := Encode(w.asNetwork(t), Info{Version: "1.2", Step: 3, Properties: []Property{{"labels", `["a"]`}, {"empty", ""}}})
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range problems(file) {
			t.Errorf("%s: %v", w.name, err)
		}
		m, _ := parse(file)
		properties := m.messages(14)
		if m.text(3) != "1.2" || m.number(5) != 3 || len(properties) != 2 || properties[0].text(1) != "labels" || properties[0].text(2) != `["a"]` {
			t.Errorf("%s: version %q, model version %d, properties %v", w.name, m.text(3), m.number(5), properties)
		}
		in := m.messages(7)[0].messages(11)
		if len(in) != 2 || port64(in[0]) != "latents 1 [N 6]" || port64(in[1]) != "labels 7 [N]" {
			t.Errorf("%s: inputs %s and %s", w.name, port64(in[0]), port64(in[1]))
		}
	}
}

// port64 prints a ValueInfoProto.
func port64(p fields) string {
	tensor := p.messages(2)[0].messages(1)[0]
	var shape []string
	for _, d := range tensor.messages(2)[0].messages(1) {
		if len(d[1]) > 0 {
			shape = append(shape, strconv.FormatUint(d.number(1), 10))
		} else {
			shape = append(shape, d.text(2))
		}
	}
	return fmt.Sprint(p.text(1), " ", tensor.number(1), " ", shape)
}

func TestStructureIsChecked(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(g *graph)
		want  string
	}{
		"order":     {func(g *graph) { slices.Reverse(g.nodes) }, "before it is there"},
		"twice":     {func(g *graph) { g.nodes[1].outputs = g.nodes[0].outputs }, "defined twice"},
		"no output": {func(g *graph) { g.outputs[0].name = "other" }, "not there"},
		"unused": {func(g *graph) {
			g.initializers = append(g.initializers, tensor{name: "x", shape: []int{1}, floats: []float32{1}})
		}, "not used"},
		"size": {func(g *graph) { g.initializers[0].shape = []int{3} }, "bytes for dimensions"},
		"name": {func(g *graph) { g.nodes[1].name = g.nodes[0].name }, "name is taken"},
	} {
		w := networks[3].asNetwork(t)
		d, err := w.Describe()
		if err != nil {
			t.Fatal(err)
		}
		b := newBuilder(w.Name)
		if err := b.network(w, d); err != nil {
			t.Fatal(err)
		}
		c.spoil(&b.graph)
		if err := errors.Join(problems(encodeModel(model{graph: b.graph}))...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
	}
}

// The weights of convolutions lie as ONNX wants them, channels before pixels.
func TestConvolutionWeights(t *testing.T) {
	w := networks[4].asNetwork(t)
	file, err := Encode(w, Info{})
	if err != nil {
		t.Fatal(err)
	}
	m, _ := parse(file)
	tensors := m.messages(7)[0].messages(5)
	i := slices.IndexFunc(tensors, func(x fields) bool { return x.text(8) == "conv/w" })
	if i < 0 {
		t.Fatal("no conv/w")
	}
	raw := bytes.NewReader([]byte(tensors[i].text(9)))
	p := w.Params.Lookup("conv/w")
	s := p.Shape() // [KH, KW, C, Co]
	for o := range s[3] {
		for c := range s[2] {
			for y := range s[0] {
				for x := range s[1] {
					var got float32
					if err := binary.Read(raw, binary.LittleEndian, &got); err != nil {
						t.Fatal(err)
					}
					if want := p.Data()[((y*s[1]+x)*s[2]+c)*s[3]+o]; got != want {
						t.Fatalf("weight of output %d, channel %d, pixel %d, %d: %g, want %g", o, c, y, x, got, want)
					}
				}
			}
		}
	}
}

func TestPorts(t *testing.T) {
	w := nn.Network{
		Name: "w", Params: nn.NewParams(1),
		Build: func(n *nn.Graph, batch int) {
			h := n.Conv("conv", n.Input("x", batch, 4, 4, 1), 1)
			e := n.Embedding("label", n.Input("ids", batch), 3, 16)
			n.Output("y", n.Add(h, n.Reshape(e, batch, 4, 4, 1)))
		},
		Inputs:  []nn.Port{{Graph: "x", Name: "clips", Squeeze: true}, {Graph: "ids", Name: "labels", Labels: true}},
		Outputs: []nn.Port{{Graph: "y", Name: "made", Squeeze: true, Min: -1, Max: 1}},
	}
	s, err := Ports(w)
	if err != nil || fmt.Sprint(s) != "{[{clips float32 [-1 4 4]} {labels int64 [-1]}] [{made float32 [-1 4 4]}]}" {
		t.Errorf("%v, %v", s, err)
	}
	w.Inputs[1].Labels = false
	if _, err := Ports(w); err == nil || !strings.Contains(err.Error(), "does not say so") {
		t.Errorf("labels as numbers: error %v", err)
	}
	w.Inputs[1] = nn.Port{Graph: "ids", Name: "clips", Labels: true}
	if _, err := Encode(w, Info{}); err == nil || !strings.Contains(err.Error(), "two ports") {
		t.Errorf("two ports of one name: error %v", err)
	}
}
