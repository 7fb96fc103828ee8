#!/usr/bin/env python3
"""Prints the figures of a script of reference for WAV files, as golden.json holds them.

usage: golden.py SCRIPT FOLDER     SCRIPT has measure(path, modulation) -> {"flutter dB": ..., "pitch": ...}

`go test ./audio/timbre -run TestGolden -update` makes the files, runs it, and writes golden.json. The figures there are
those of NumPy 2 and SciPy 1.
"""
import importlib.util
import json
import math
import os
import sys

spec = importlib.util.spec_from_file_location("reference", sys.argv[1])
reference = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reference)

KEYS = {"pitch": "pitch_hz", "flutter dB": "flutter_db", "hop dB": "hop_line_db", "warble dB": "warble_db",
        "attack ms": "attack_ms", "tail s": "tail_s", "peak dB": "peak_db"}
out = {}
for name in sorted(os.listdir(sys.argv[2])):
    measures = reference.measure(os.path.join(sys.argv[2], name), 44100 / 512) or {}
    out[name.removesuffix(".wav")] = {KEYS[k]: float(v) for k, v in measures.items() if math.isfinite(v)}
json.dump(out, sys.stdout, indent=1)
print()
