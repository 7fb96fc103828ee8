package metricslog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// TensorBoard's files are TFRecords (tensorflow/core/lib/io/record_writer.h): for each record its length as eight
// bytes, little-endian, the masked CRC-32C of these, the record, and its masked CRC-32C.

// maskDelta is added to a rotated CRC, so that CRCs of data that contains CRCs stay reliable.
const maskDelta = 0xa282ead8

// recordLimit is the largest record that is read, in bytes: a preview's sound or picture has some hundred kilobytes.
const recordLimit = 64 << 20

func maskedCRC(b []byte) uint32 {
	c := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
	return (c>>15 | c<<17) + maskDelta
}

// appendRecord appends a record to b.
func appendRecord(b, data []byte) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(data)))
	b = binary.LittleEndian.AppendUint32(b, maskedCRC(b[start:]))
	b = append(b, data...)
	return binary.LittleEndian.AppendUint32(b, maskedCRC(data))
}

// errDamaged means that no complete record follows.
var errDamaged = errors.New("curves: the record is damaged or cut off")

// readRecord reads a record. It returns io.EOF at the end, errDamaged where a CRC is wrong or the file ends too early.
func readRecord(r io.Reader) ([]byte, error) {
	var head [12]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, errDamaged
		}
		return nil, err
	}
	n := binary.LittleEndian.Uint64(head[:8])
	if binary.LittleEndian.Uint32(head[8:]) != maskedCRC(head[:8]) {
		return nil, errDamaged
	}
	if n > recordLimit {
		return nil, fmt.Errorf("%w: %d bytes", errDamaged, n)
	}
	data, err := io.ReadAll(io.LimitReader(r, int64(n)+4)) // no more memory than there is file
	if err != nil {
		return nil, err
	}
	if uint64(len(data)) != n+4 || binary.LittleEndian.Uint32(data[n:]) != maskedCRC(data[:n]) {
		return nil, errDamaged
	}
	return data[:n:n], nil
}
