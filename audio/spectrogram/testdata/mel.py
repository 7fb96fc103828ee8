#!/usr/bin/env python3
"""Writes librosa_mel.json: how far librosa's way back from mel magnitudes is from the sound, for melphase_test.go.

The mel values are those of spectrogram.Default without the logarithm: Slaney filters on magnitudes. librosa inverts them by
non-negative least squares and reconstructs phases by 32 iterations of fast Griffin-Lim from random phase, its default.

usage: mel.py FSDD_FOLDER (run it in this folder)
"""
import glob
import json
import os
import sys

import librosa
import numpy as np
import soundfile

from signals import RATE, noise, synthetic


def front_end(rate):
    n = 64
    while n * 2**0.5 < 0.064 * rate:
        n *= 2
    return n, 64 if rate <= 8000 else 128


def distance(x, y, rate):
    """The log-spectral distance in dB, as models/frontend defines it."""
    n = 64
    while n * 1.5 < rate * 32 // 1000:
        n *= 2
    p, q = (np.abs(librosa.stft(s, n_fft=n, hop_length=n // 4, pad_mode="constant")) ** 2 for s in (x, y))
    floor = 1e-6 * p.max()
    d = 10 * np.log10(np.maximum(p, floor) / np.maximum(q, floor))
    return float(np.sqrt((d**2).mean(0))[p.max(0) > floor].mean())


def round_trip(x, rate):
    n, mels = front_end(rate)
    magnitude = np.abs(librosa.stft(x, n_fft=n, hop_length=n // 4, pad_mode="constant"))
    filters = {"sr": rate, "n_fft": n, "fmin": 20, "fmax": rate / 2}
    mel = librosa.filters.mel(n_mels=mels, **filters) @ magnitude
    bins = librosa.feature.inverse.mel_to_stft(mel, power=1.0, **filters)
    return librosa.griffinlim(bins, n_iter=32, hop_length=n // 4, n_fft=n, length=len(x), random_state=0)


def main():
    files = sorted(glob.glob(os.path.join(sys.argv[1], "**", "*.wav"), recursive=True))
    files = files[:: len(files) // 200][:200:20]
    signals = {os.path.basename(f): soundfile.read(f, dtype="float32")[::-1] for f in files}
    signals |= {name: (RATE, x.astype(np.float32)) for name, x in synthetic().items()}
    signals["noise"] = (RATE, (0.3 * noise(RATE, 1)).astype(np.float32))
    db = {name: round(distance(x, round_trip(x, rate), rate), 2) for name, (rate, x) in signals.items()}
    with open("librosa_mel.json", "w") as f:
        json.dump({"librosa": librosa.__version__, "n_iter": 32, "db": db}, f, indent=0)
        f.write("\n")


if __name__ == "__main__":
    main()
