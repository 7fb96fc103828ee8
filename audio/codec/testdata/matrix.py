"""Writes files of 22 formats at 3 rates with 1, 2 and 6 channels into a folder with libsndfile, and what libsndfile reads
from each as NAME.f32: float32, interleaved. Prints one JSON object a line: {"file","format","rate","channels"},
or "refused" where libsndfile does not write the combination. Usage: matrix.py FOLDER (soundfile 0.13, libsndfile 1.2)."""
import json
import os
import sys

import numpy as np
import soundfile as sf

FORMATS = [
    ("WAV", "PCM_U8"), ("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "PCM_32"), ("WAV", "FLOAT"), ("WAV", "DOUBLE"),
    ("WAV", "ULAW"), ("WAV", "ALAW"), ("WAV", "IMA_ADPCM"), ("WAV", "MS_ADPCM"), ("WAVEX", "PCM_24"), ("RF64", "PCM_16"),
    ("FLAC", "PCM_S8"), ("FLAC", "PCM_16"), ("FLAC", "PCM_24"), ("OGG", "VORBIS"), ("AIFF", "PCM_16"), ("AIFF", "PCM_24"),
    ("AU", "PCM_16"), ("CAF", "PCM_16"), ("W64", "PCM_16"), ("MP3", "MPEG_LAYER_III"),
]
EXTENSION = {"WAVEX": "wav", "RF64": "wav"}


def sound(rate, channels, frames=4000):
    """Sines with noise, another pitch in each channel, with a peak of about 0.8."""
    t = np.arange(frames)[:, None] / rate
    rng = np.random.default_rng(rate + channels)
    f = 200 * (1 + np.arange(channels))
    return (0.7 * np.sin(2 * np.pi * f * t) + 0.02 * rng.standard_normal((frames, channels))).astype("f4")


def main(folder):
    for kind, subtype in FORMATS:
        for rate in (8000, 44100, 96000):
            for channels in (1, 2, 6):
                name = f"{kind}-{subtype}-{rate}-{channels}.{EXTENSION.get(kind, kind.lower())}".lower()
                path = os.path.join(folder, name)
                row = {"file": name, "format": f"{kind} {subtype}", "rate": rate, "channels": channels}
                try:
                    sf.write(path, sound(rate, channels), rate, subtype=subtype, format=kind)
                    x, _ = sf.read(path, dtype="float32", always_2d=True)
                    x.astype("<f4").tofile(path + ".f32")
                except Exception as e:  # libsndfile does not know the combination
                    row["refused"] = str(e)
                print(json.dumps(row))


main(sys.argv[1])
