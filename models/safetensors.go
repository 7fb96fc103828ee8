package models

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
)

// The safetensors format (https://github.com/huggingface/safetensors, "Format"): eight bytes N, little-endian; N
// bytes of JSON that map each tensor's name to its type, shape and byte offsets; the tensors' bytes, without holes.
const (
	metadataKey = "__metadata__"
	headerLimit = 100 << 20 // bytes of JSON, the limit of the reference implementation
	float32Type = "F32"
	notOurs     = "a safetensors file without \"wavemill\" in its metadata: not one of ours"
)

type tensorInfo struct {
	DType   string    `json:"dtype"`
	Shape   []int     `json:"shape"`
	Offsets [2]uint64 `json:"data_offsets"`
}

// elements returns the product of shape, or an error where it is negative or beyond any memory.
func elements(shape []int) (int, error) {
	n := 1
	for _, d := range shape {
		if d < 0 || (d > 0 && n > math.MaxInt/8/d) {
			return 0, fmt.Errorf("shape %v is impossible", shape)
		}
		n *= d
	}
	return n, nil
}

// EncodeTensors returns tensors as a safetensors file with that metadata, for readers that want no checkpoint. Names must
// be unique, and the data must fit the shapes.
func EncodeTensors(tensors []Tensor, meta map[string]string) ([]byte, error) {
	c := Checkpoint{Format: Format, Arch: "none", Tensors: tensors}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return encodeSafetensors(tensors, meta)
}

func encodeSafetensors(tensors []Tensor, meta map[string]string) ([]byte, error) {
	var header bytes.Buffer
	text, err := json.Marshal(meta) // in order of keys
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(&header, `{"%s":%s`, metadataKey, text)
	var offset uint64
	for _, t := range tensors {
		end := offset + 4*uint64(len(t.Data))
		shape := t.Shape
		if shape == nil {
			shape = []int{}
		}
		name, err := json.Marshal(t.Name)
		if err != nil {
			return nil, err
		}
		info, err := json.Marshal(tensorInfo{DType: float32Type, Shape: shape, Offsets: [2]uint64{offset, end}})
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&header, ",%s:%s", name, info)
		offset = end
	}
	header.WriteByte('}')
	for header.Len()%8 != 0 { // tensors begin at a multiple of eight bytes
		header.WriteByte(' ')
	}
	if header.Len() > headerLimit {
		return nil, fmt.Errorf("safetensors: header of %d bytes; the format allows %d", header.Len(), headerLimit)
	}
	out := make([]byte, 0, 8+header.Len()+int(offset))
	out = binary.LittleEndian.AppendUint64(out, uint64(header.Len()))
	out = append(out, header.Bytes()...)
	for _, t := range tensors {
		for _, v := range t.Data {
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
		}
	}
	return out, nil
}

// headerLength returns the length of the header of a file of so many bytes that begins with b.
func headerLength(b []byte, size int) (uint64, error) {
	if len(b) < 8 {
		return 0, fmt.Errorf("safetensors: %d bytes are too few for a header", size)
	}
	n := binary.LittleEndian.Uint64(b)
	if n <= headerLimit && n > uint64(size-8) {
		return 0, fmt.Errorf("safetensors: header says it has %d bytes, the file has %d after it: it is cut off, so copy it again, or it is another kind of file", n, size-8)
	}
	if n < uint64(len("{}")) || n > headerLimit {
		return 0, fmt.Errorf("safetensors: header says it has %d bytes, the file has %d after it (limit %d)", n, size-8, headerLimit)
	}
	return n, nil
}

// decodeSafetensors returns the tensors in the order of their bytes.
func decodeSafetensors(b []byte) ([]Tensor, map[string]string, error) {
	n, err := headerLength(b, len(b))
	if err != nil {
		return nil, nil, err
	}
	infos, meta, err := parseHeader(b[8 : 8+n])
	if err != nil {
		return nil, nil, fmt.Errorf("safetensors: header: %w", err)
	}
	slices.SortStableFunc(infos, func(x, y namedInfo) int {
		return cmp.Or(cmp.Compare(x.info.Offsets[0], y.info.Offsets[0]), cmp.Compare(x.info.Offsets[1], y.info.Offsets[1]))
	})
	data := b[8+n:]
	if _, ours := meta["wavemill"]; !ours && slices.ContainsFunc(infos, func(t namedInfo) bool { return t.info.DType != float32Type }) {
		return nil, nil, errors.New(notOurs)
	}
	var last uint64 // byte of the tensors, by the header
	for _, t := range infos {
		last = max(last, t.info.Offsets[1])
	}
	if last > uint64(len(data)) {
		return nil, nil, fmt.Errorf("safetensors: the file is cut off: it ends %d bytes early; copy it again", last-uint64(len(data)))
	}
	tensors := make([]Tensor, 0, len(infos))
	var end uint64
	for _, t := range infos {
		size, err := elements(t.info.Shape)
		if err != nil {
			return nil, nil, fmt.Errorf("safetensors: tensor %q: %w", t.name, err)
		}
		from, to := t.info.Offsets[0], t.info.Offsets[1]
		if t.info.DType != float32Type {
			return nil, nil, fmt.Errorf("safetensors: tensor %q has type %q; only %s is known", t.name, t.info.DType, float32Type)
		}
		if from != end || to < from || to > uint64(len(data)) || to-from != 4*uint64(size) {
			return nil, nil, fmt.Errorf("safetensors: tensor %q: bytes %d to %d of %d do not fit shape %v after byte %d",
				t.name, from, to, len(data), t.info.Shape, end)
		}
		values := make([]float32, size)
		for i := range values {
			values[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[from+4*uint64(i):]))
		}
		tensors = append(tensors, Tensor{Name: t.name, Shape: t.info.Shape, Data: values})
		end = to
	}
	if end != uint64(len(data)) {
		return nil, nil, fmt.Errorf("safetensors: %d bytes follow the last tensor", uint64(len(data))-end)
	}
	return tensors, meta, nil
}

type namedInfo struct {
	name string
	info tensorInfo
}

// parseHeader reads the JSON token by token, because encoding/json alone would let the last of two equal keys win.
func parseHeader(text []byte) ([]namedInfo, map[string]string, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, nil, errors.Join(errors.New("not a JSON object"), err)
	}
	var infos []namedInfo
	var meta map[string]string
	seen := make(map[string]bool)
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, nil, err
		}
		name, _ := t.(string) // a key of an object is a string, or Token fails
		if seen[name] {
			return nil, nil, fmt.Errorf("key %q is there twice", name)
		}
		seen[name] = true
		if name == metadataKey {
			if err := d.Decode(&meta); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", metadataKey, err)
			}
			continue
		}
		var info tensorInfo
		if err := d.Decode(&info); err != nil {
			return nil, nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		infos = append(infos, namedInfo{name, info})
	}
	if _, err := d.Token(); err != nil {
		return nil, nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, nil, errors.New("more follows the JSON object")
	}
	return infos, meta, nil
}
