package fingerprint

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

const (
	formatByte = 1
	maxRuns    = maxBlocks / runBlocks
	maxSample  = 1 << 45 // the greatest position: 139 years

	// MaxBytes bounds the packed form of a Print. Its text has at most 4/3 of that.
	MaxBytes = 3 + 2*7 + maxRuns*(7+1) + maxBlocks/2 + maxBlocks*blockLen/8
)

// A Print is the fingerprint of a recording, immutable and comparable with ==. The zero Print is empty; it is similar to
// nothing. Its text form (MarshalText, also in JSON) is base64 without padding, empty for the empty Print.
type Print struct {
	// packed holds formatByte; 1 for the envelope, else 0; the number of runs; as uvarints the first and the last block
	// of the recording that are not silent; for each run its distance from the end of the run before and its number of
	// blocks, both in blocks; the levels, four bits each; the signs, 4 bytes for each block, little-endian.
	packed string
}

// IsZero reports whether the Print is empty. encoding/json leaves it out under omitzero.
func (p Print) IsZero() bool { return p.packed == "" }

// MarshalText returns the text form.
func (p Print) MarshalText() ([]byte, error) {
	return base64.RawStdEncoding.AppendEncode(nil, []byte(p.packed)), nil
}

// UnmarshalText reads the text form. It accepts exactly what MarshalText writes and leaves p alone otherwise.
func (p *Print) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*p = Print{}
		return nil
	}
	if most := base64.RawStdEncoding.EncodedLen(MaxBytes); len(text) > most {
		return fmt.Errorf("fingerprint: text of %d bytes; a fingerprint has at most %d", len(text), most)
	}
	packed, err := base64.RawStdEncoding.Strict().DecodeString(string(text))
	if err != nil {
		return fmt.Errorf("fingerprint: %w", err)
	}
	q := Print{string(packed)}
	f, err := q.unpack()
	if err != nil {
		return err
	}
	if pack(f) != q || base64.RawStdEncoding.EncodeToString(packed) != string(text) {
		return errors.New("fingerprint: not in canonical form")
	}
	*p = q
	return nil
}

func pack(f *frames) Print {
	out := make([]byte, 3, MaxBytes)
	out[0], out[2] = formatByte, byte(len(f.runs))
	if f.envelope {
		out[1] = 1
	}
	out = binary.AppendUvarint(out, uint64(f.first/blockLen))
	out = binary.AppendUvarint(out, uint64((f.last-f.first)/blockLen))
	end := f.first
	var levels []byte
	for i := range f.runs {
		r := &f.runs[i]
		out = binary.AppendUvarint(out, uint64((r.start-end)/blockLen))
		out = binary.AppendUvarint(out, uint64(len(r.levels)))
		levels = append(levels, r.levels...)
		end = r.end()
	}
	for pair := range slices.Chunk(levels, 2) {
		out = append(out, pair[0]|pair[len(pair)-1]<<4)
	}
	for i := range f.runs {
		r := &f.runs[i]
		for b := range r.levels {
			out = binary.LittleEndian.AppendUint32(out, uint32(r.signs[b*blockLen/64]>>(b*blockLen%64)))
		}
	}
	return Print{string(out)}
}

var errForm = errors.New("fingerprint: malformed")

// unpack returns the frames of a Print that is not empty, prepared for comparison.
func (p Print) unpack() (*frames, error) {
	b := []byte(p.packed)
	if len(b) < 3 || len(b) > MaxBytes || b[0] != formatByte || b[1] > 1 || b[2] == 0 || b[2] > maxRuns {
		return nil, errForm
	}
	f := &frames{envelope: b[1] == 1, runs: make([]run, b[2])}
	b = b[3:]
	number := func(most uint64) int {
		v, n := binary.Uvarint(b)
		if n <= 0 || v > most {
			b = nil
			return -1
		}
		b = b[n:]
		return int(v)
	}
	const far = maxSample / blockLen
	f.first = number(far) * blockLen
	f.last = f.first + number(far)*blockLen
	end, blocks := f.first, 0
	for i := range f.runs {
		start, n := end+number(far)*blockLen, number(maxBlocks)
		if b == nil || n < 1 || start+n*blockLen > f.last || blocks+n > maxBlocks {
			return nil, errForm
		}
		f.runs[i] = run{start: start, levels: make([]byte, n), signs: make([]uint64, (n*blockLen+63)/64)}
		blocks += n
		end = f.runs[i].end()
	}
	if len(b) != (blocks+1)/2+blocks*blockLen/8 {
		return nil, errForm
	}
	levels, signs := b[:(blocks+1)/2], b[(blocks+1)/2:]
	at := 0
	for i := range f.runs {
		r := &f.runs[i]
		for k := range r.levels {
			r.levels[k] = levels[at/2] >> (at % 2 * 4) & 15
			r.signs[k*blockLen/64] |= uint64(binary.LittleEndian.Uint32(signs[4*at:])) << (k * blockLen % 64)
			at++
		}
	}
	f.prepare()
	return f, nil
}
