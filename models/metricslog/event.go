package metricslog

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Fields of TensorBoard's messages, by their numbers in tensorflow/core/util/event.proto and framework/summary.proto.
const (
	eventWallTime    = 1 // double, seconds since 1970
	eventStep        = 2 // int64
	eventFileVersion = 3 // string, of the first event
	eventSummary     = 5

	summaryValue = 1

	valueTag      = 1
	valueSimple   = 2 // float
	valueImage    = 4
	valueAudio    = 6
	valueTensor   = 8
	valueMetadata = 9

	imageHeight     = 1
	imageWidth      = 2
	imageColorspace = 3 // 3 is RGB
	imageEncoded    = 4

	audioRate        = 1 // float, Hz
	audioChannels    = 2
	audioFrames      = 3
	audioEncoded     = 4
	audioContentType = 5

	tensorType   = 1 // 7 is a string
	tensorShape  = 2
	tensorString = 8

	shapeDim = 2
	dimSize  = 1

	metadataPlugin = 1
	pluginName     = 1
)

// fileVersion is the content of the first event of a file.
const fileVersion = "brain.Event:2"

func putBytes(b []byte, field protowire.Number, data []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), data)
}

func putString(b []byte, field protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
}

func putInt(b []byte, field protowire.Number, v int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), uint64(v))
}

func putFloat(b []byte, field protowire.Number, v float64) []byte {
	return protowire.AppendFixed32(protowire.AppendTag(b, field, protowire.Fixed32Type), math.Float32bits(float32(v)))
}

// newEvent begins an event.
func newEvent(wall float64, step int64) []byte {
	b := protowire.AppendTag(nil, eventWallTime, protowire.Fixed64Type)
	b = protowire.AppendFixed64(b, math.Float64bits(wall))
	if step != 0 {
		b = putInt(b, eventStep, step)
	}
	return b
}

// scalarValue is one figure.
func scalarValue(tag string, v float64) []byte {
	return putFloat(putString(nil, valueTag, tag), valueSimple, v)
}

// imageValue is a picture as PNG.
func imageValue(tag string, width, height int, png []byte) []byte {
	var image []byte
	image = putInt(image, imageHeight, int64(height))
	image = putInt(image, imageWidth, int64(width))
	image = putInt(image, imageColorspace, 3)
	image = putBytes(image, imageEncoded, png)
	return putBytes(putString(nil, valueTag, tag), valueImage, image)
}

// audioValue is a sound as WAV.
func audioValue(tag string, rate, channels, frames int, wav []byte) []byte {
	var audio []byte
	audio = putFloat(audio, audioRate, float64(rate))
	audio = putInt(audio, audioChannels, int64(channels))
	audio = putInt(audio, audioFrames, int64(frames))
	audio = putBytes(audio, audioEncoded, wav)
	audio = putString(audio, audioContentType, "audio/wav")
	return putBytes(putString(nil, valueTag, tag), valueAudio, audio)
}

// textValue is a text in Markdown, for the text plugin.
func textValue(tag, text string) []byte {
	var tensor []byte
	tensor = putInt(tensor, tensorType, 7)
	tensor = putBytes(tensor, tensorShape, putBytes(nil, shapeDim, putInt(nil, dimSize, 1)))
	tensor = putString(tensor, tensorString, text)
	value := putBytes(putString(nil, valueTag, tag), valueTensor, tensor)
	return putBytes(value, valueMetadata, putBytes(nil, metadataPlugin, putString(nil, pluginName, "text")))
}

// summary is an event with the given values.
func summary(wall float64, step int64, values ...[]byte) []byte {
	var s []byte
	for _, v := range values {
		s = putBytes(s, summaryValue, v)
	}
	return putBytes(newEvent(wall, step), eventSummary, s)
}

// stepOf returns the step of an event, and whether it is one.
func stepOf(event []byte) (int64, bool) {
	var step int64
	for len(event) > 0 {
		field, kind, n := protowire.ConsumeTag(event)
		if n < 0 {
			return 0, false
		}
		event = event[n:]
		if field == eventStep && kind == protowire.VarintType {
			v, n := protowire.ConsumeVarint(event)
			if n < 0 {
				return 0, false
			}
			step, event = int64(v), event[n:]
			continue
		}
		if n = protowire.ConsumeFieldValue(field, kind, event); n < 0 {
			return 0, false
		}
		event = event[n:]
	}
	return step, true
}
