"""The chirps, drums and noise of package signals, for phase.py and mel.py."""
import math

import numpy as np

RATE = 44100


def noise(n, seed):
    """A linear congruential generator's numbers in [-1, 1), the same in any language."""
    out = np.empty(n)
    for i in range(n):
        seed = (seed * 1664525 + 1013904223) % 2**32
        out[i] = seed / 2**31 - 1
    return out


def synthetic():
    """Chirps and drums of one second; package signals makes the same."""
    t = np.arange(RATE) / RATE
    pi2 = 2 * math.pi
    beats = [np.where(t >= at, t - at, np.inf) for at in (0, 0.25, 0.5, 0.75)]
    burst = noise(RATE, 1)
    high = np.diff(burst, prepend=0.0)
    kick = sum(np.nan_to_num(np.exp(-b / 0.08) * np.sin(pi2 * (50 * b - 6 * np.exp(-b / 0.03)))) * (b < 10) for b in
               [np.where(np.isinf(b), 1e6, b) for b in beats])
    decay = lambda seconds: sum(np.exp(-b / seconds) for b in beats)
    signals = {
        "chirp-linear-up": 0.5 * np.sin(pi2 * (100 * t + 4950 * t * t)),
        "chirp-linear-down": 0.5 * np.sin(pi2 * (15000 * t - 7000 * t * t)),
        "chirp-log": 0.5 * np.sin(pi2 * 50 * (np.power(200, t) - 1) / math.log(200)),
        "chirp-harmonic": 0.2 * sum(np.sin(pi2 * k * (110 * t + 55 * t * t)) / k for k in range(1, 9)),
        "chirp-vibrato": 0.5 * np.sin(pi2 * 880 * t + 30 * np.sin(pi2 * 6 * t)),
        "drum-kick": 0.8 * kick,
        "drum-snare": 0.4 * decay(0.05) * burst + 0.3 * decay(0.04) * np.sin(pi2 * 190 * t),
        "drum-hihat": 0.25 * decay(0.02) * high,
        "drum-loop": 0.5 * kick + 0.15 * decay(0.02) * high + 0.1 * decay(0.05) * burst,
    }
    return signals
