package frontend

import (
	"encoding/json"
	"errors"
	"fmt"

	"wavemill/audio/npy"
	"wavemill/audio/spectrogram"
	"wavemill/models"
)

// arrayTrim is the silence threshold in dB of an array whose sender gives none.
const arrayTrim = -40

// DecodeArray reads a spectrogram as it travels on the bus: a .npy array of float32 [frames, bins], and its configuration as
// JSON, either the whole front end or, where that is empty, the transform alone. It is an error where the array is not of the
// shape that the configuration promises, or a value is one that no front end of it gives, see Margin. Nothing is allocated beyond the size of body.
func DecodeArray(body []byte, whole, transform string) (models.FrontEnd, *spectrogram.Spectrogram, error) {
	shape, data, err := npy.Decode(body)
	if err != nil {
		return models.FrontEnd{}, nil, err
	}
	if len(shape) != 2 || shape[0] < 1 || shape[1] < 1 {
		return models.FrontEnd{}, nil, fmt.Errorf("front end: an array of shape %v; expected [frames, bins]", shape)
	}
	fe, err := arrayFrontEnd(shape[0], whole, transform)
	if err != nil {
		return fe, nil, fmt.Errorf("front end: %w", err)
	}
	if fe.Frames != shape[0] || fe.Spectrogram.Bins() != shape[1] {
		return fe, nil, fmt.Errorf("front end: the array is [%d, %d], but its configuration promises [%d, %d]", shape[0], shape[1], fe.Frames, fe.Spectrogram.Bins())
	}
	if err := checkValues(fe.Spectrogram, data); err != nil {
		return fe, nil, fmt.Errorf("front end: %w", err)
	}
	return fe, &spectrogram.Spectrogram{Config: fe.Spectrogram, Frames: shape[0], Bins: shape[1], Data: data}, nil
}

// arrayFrontEnd reads the configuration of an array of so many frames: whole, or completed.
func arrayFrontEnd(frames int, whole, transform string) (fe models.FrontEnd, err error) {
	switch {
	case whole != "":
		err = json.Unmarshal([]byte(whole), &fe)
	case transform != "":
		err = json.Unmarshal([]byte(transform), &fe.Spectrogram)
		fe.Frames, fe.TrimDB = frames, arrayTrim
	default:
		err = errors.New("the configuration of the transform is missing: without it there is no way back to sound")
	}
	if err != nil {
		return fe, err
	}
	return fe, errors.Join(fe.Spectrogram.Validate(), fe.Phase.Validate())
}
