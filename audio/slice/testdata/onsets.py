"""Finds the onsets of WAV files with librosa, for onset_test.go -update.

python3 onsets.py FILE.wav... > golden.json
"""
import json
import os
import sys

import librosa

out = {"librosa": librosa.__version__, "onsets": {}}
for name in sys.argv[1:]:
    y, rate = librosa.load(name, sr=None)
    times = librosa.onset.onset_detect(y=y, sr=rate, units="time", hop_length=128 if rate < 16000 else 512)
    out["onsets"][os.path.splitext(os.path.basename(name))[0]] = [round(float(t), 4) for t in times]
json.dump(out, sys.stdout, indent=1)
print()
