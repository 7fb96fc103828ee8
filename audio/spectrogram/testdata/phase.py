#!/usr/bin/env python3
"""Writes torchaudio_phase.json: how near torchaudio's fast Griffin-Lim comes to magnitudes, for phase_test.go.

usage: phase.py FSDD_FOLDER (run it in this folder)
"""
import glob
import json
import math
import os
import sys

import numpy as np
import soundfile
import torch
import torchaudio

from signals import synthetic


def convergence(x, n_fft, hop):
    w = torch.hann_window(n_fft)
    stft = lambda y: torch.stft(y, n_fft, hop, window=w, return_complex=True).abs()
    s = stft(x)
    y = torchaudio.functional.griffinlim(s[None], w, n_fft, hop, n_fft, 1.0, 32, 0.99, len(x), True)[0]
    return 20 * math.log10(float(torch.linalg.vector_norm(s - stft(y)) / torch.linalg.vector_norm(s)))


def main():
    torch.manual_seed(0)
    files = sorted(glob.glob(os.path.join(sys.argv[1], "**", "*.wav"), recursive=True))
    files = files[:: len(files) // 200][:200]
    result = {"torch": torch.__version__, "torchaudio": torchaudio.__version__, "n_iter": 32, "momentum": 0.99, "db": {}}
    for f in files:
        x = torch.from_numpy(soundfile.read(f, dtype="float32")[0])
        result["db"][os.path.basename(f)] = round(convergence(x, 256, 64), 2)
    for name, x in synthetic().items():
        result["db"][name] = round(convergence(torch.from_numpy(x.astype(np.float32)), 1024, 256), 2)
    with open("torchaudio_phase.json", "w") as f:
        json.dump(result, f, indent=0)
        f.write("\n")


if __name__ == "__main__":
    main()
