#!/usr/bin/env python3
"""Writes the references of librosa that reference_test.go compares with, on dump.py's signal: run it in this folder."""
import json

import librosa
import numpy as np

RATE = 8000
CONFIG = {"sample_rate": RATE, "n_fft": 512, "hop": 128, "window": "hann", "pad": "reflect", "scale": "linear", "value": "magnitude", "f_min": 0, "f_max": 0, "min": 0, "max": 0}
MEL = CONFIG | {"scale": "mel", "mels": 40, "f_min": 20, "f_max": 4000, "value": "power"}


def stft(x, c):
    mode = {"zero": "constant", "reflect": "reflect"}[c["pad"]]
    return librosa.stft(x, n_fft=c["n_fft"], hop_length=c["hop"], center=True, pad_mode=mode)


def mel(x, c):
    filters = librosa.filters.mel(
        sr=RATE, n_fft=c["n_fft"], n_mels=c["mels"], fmin=c["f_min"], fmax=c["f_max"], htk=c["mel_formula"] == "htk",
        norm="slaney" if c["mel_norm"] == "slaney" else None, dtype=np.float64)
    y = filters @ np.abs(stft(x, c)) ** (2 if c["value"].endswith("power") else 1)
    return np.log(y + c["floor"]) if c["value"].startswith("log") else y


def main():
    x = np.fromfile("signal.f32", dtype="<f4").astype(np.float64)
    cases = {
        "librosa-stft-reflect": ("stft", CONFIG),
        "librosa-stft-zero": ("stft", CONFIG | {"pad": "zero", "n_fft": 256, "hop": 64}),
        "librosa-mel-slaney": ("features", MEL | {"mel_formula": "slaney", "mel_norm": "slaney"}),
        "librosa-mel-htk": ("features", MEL | {"mel_formula": "htk", "mel_norm": "none"}),
        "librosa-mel-htk-log": ("features", MEL | {"mel_formula": "htk", "mel_norm": "slaney", "value": "log-power", "floor": 1e-3}),
    }
    for name, (kind, c) in cases.items():
        y = (stft(x, c) if kind == "stft" else mel(x, c)).T
        y = y.astype("<c8") if kind == "stft" else y.astype("<f4")
        y.tofile(name + ".f32")
    with open("librosa.json", "w") as f:
        json.dump({"librosa": librosa.__version__, "cases": [{"name": n, "kind": k, "config": c} for n, (k, c) in cases.items()]}, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()
