package onnx

import (
	"encoding/binary"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// The messages of onnx.proto, as far as they are written here.
type (
	model struct {
		producerVersion, doc string
		modelVersion         int64
		properties           []Property
		graph                graph
	}
	graph struct {
		name            string
		nodes           []node
		initializers    []tensor
		inputs, outputs []port
	}
	node struct {
		name, op        string
		inputs, outputs []string
		attributes      []attribute
	}
	attribute struct {
		name  string
		value any // int64, float32, string or []int64
	}
	tensor struct {
		name   string
		shape  []int
		floats []float32
		ints   []int64 // if it is one of int64
	}
	port struct {
		name, doc string
		shape     []int // nn.BatchAxis for Batch
		element   uint64
	}
)

// Field numbers and constants of onnx.proto.
const (
	modelIRVersion       = 1
	modelProducerName    = 2
	modelProducerVersion = 3
	modelVersion         = 5
	modelDoc             = 6
	modelGraph           = 7
	modelOpset           = 8
	modelProperties      = 14

	opsetVersion  = 2
	propertyKey   = 1
	propertyValue = 2

	graphNode        = 1
	graphName        = 2
	graphInitializer = 5
	graphInput       = 11
	graphOutput      = 12

	nodeInput     = 1
	nodeOutput    = 2
	nodeName      = 3
	nodeOp        = 4
	nodeAttribute = 5

	attributeName = 1
	attributeF    = 2
	attributeI    = 3
	attributeS    = 4
	attributeInts = 8
	attributeType = 20

	typeFloat  = 1
	typeInt    = 2
	typeString = 3
	typeInts   = 7

	tensorDims = 1
	tensorType = 2
	tensorName = 8
	tensorRaw  = 9

	elementFloat = 1
	elementInt64 = 7

	valueName    = 1
	valueType    = 2
	valueDoc     = 3
	typeTensor   = 1
	tensorElem   = 1
	tensorShape  = 2
	shapeDim     = 1
	dimensionInt = 1
	dimensionVar = 2
)

// A message builds a protobuf message. Empty strings and zeros are written too: onnx.proto uses the syntax proto2, in which
// an absent field differs from an empty one.
type message []byte

func (m *message) int(field protowire.Number, v uint64) {
	*m = protowire.AppendVarint(protowire.AppendTag(*m, field, protowire.VarintType), v)
}

func (m *message) string(field protowire.Number, s string) {
	*m = protowire.AppendString(protowire.AppendTag(*m, field, protowire.BytesType), s)
}

func (m *message) message(field protowire.Number, v message) {
	*m = protowire.AppendBytes(protowire.AppendTag(*m, field, protowire.BytesType), v)
}

func encodeModel(v model) []byte {
	var m, opset message
	m.int(modelIRVersion, irVersion)
	m.string(modelProducerName, producer)
	m.string(modelProducerVersion, v.producerVersion)
	m.int(modelVersion, uint64(v.modelVersion))
	m.string(modelDoc, v.doc)
	m.message(modelGraph, encodeGraph(v.graph))
	opset.int(opsetVersion, Opset)
	m.message(modelOpset, opset)
	for _, p := range v.properties {
		var e message
		e.string(propertyKey, p.Key)
		e.string(propertyValue, p.Value)
		m.message(modelProperties, e)
	}
	return m
}

func encodeGraph(g graph) message {
	var m message
	for _, n := range g.nodes {
		m.message(graphNode, encodeNode(n))
	}
	m.string(graphName, g.name)
	for _, t := range g.initializers {
		m.message(graphInitializer, encodeTensor(t))
	}
	for _, p := range g.inputs {
		m.message(graphInput, encodePort(p))
	}
	for _, p := range g.outputs {
		m.message(graphOutput, encodePort(p))
	}
	return m
}

func encodeNode(n node) message {
	var m message
	for _, name := range n.inputs {
		m.string(nodeInput, name)
	}
	for _, name := range n.outputs {
		m.string(nodeOutput, name)
	}
	m.string(nodeName, n.name)
	m.string(nodeOp, n.op)
	for _, a := range n.attributes {
		m.message(nodeAttribute, encodeAttribute(a))
	}
	return m
}

func encodeAttribute(a attribute) message {
	var m message
	m.string(attributeName, a.name)
	switch v := a.value.(type) {
	case float32:
		m = protowire.AppendFixed32(protowire.AppendTag(m, attributeF, protowire.Fixed32Type), math.Float32bits(v))
		m.int(attributeType, typeFloat)
	case int64:
		m.int(attributeI, uint64(v))
		m.int(attributeType, typeInt)
	case string:
		m.string(attributeS, v)
		m.int(attributeType, typeString)
	case []int64:
		for _, i := range v {
			m.int(attributeInts, uint64(i))
		}
		m.int(attributeType, typeInts)
	}
	return m
}

func encodeTensor(t tensor) message {
	var m message
	for _, d := range t.shape {
		m.int(tensorDims, uint64(d))
	}
	raw := make([]byte, 0, 4*len(t.floats)+8*len(t.ints))
	if t.ints != nil {
		m.int(tensorType, elementInt64)
		for _, v := range t.ints {
			raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
		}
	} else {
		m.int(tensorType, elementFloat)
		for _, v := range t.floats {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
		}
	}
	m.string(tensorName, t.name)
	m.message(tensorRaw, raw)
	return m
}

func encodePort(p port) message {
	var shape message
	for _, d := range p.shape {
		var dim message
		if d < 0 {
			dim.string(dimensionVar, Batch)
		} else {
			dim.int(dimensionInt, uint64(d))
		}
		shape.message(shapeDim, dim)
	}
	var t, typ, m message
	t.int(tensorElem, p.element)
	t.message(tensorShape, shape)
	typ.message(typeTensor, t)
	m.string(valueName, p.name)
	m.message(valueType, typ)
	m.string(valueDoc, p.doc)
	return m
}
