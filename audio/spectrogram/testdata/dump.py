#!/usr/bin/env python3
"""Writes the references of torch.stft and torchaudio that reference_test.go compares with: run it in this folder."""
import json

import torch
import torchaudio

RATE, SAMPLES = 8000, 2010


def signal():
    """A rising chirp, two steady tones, a click and noise."""
    t = torch.arange(SAMPLES, dtype=torch.float64) / RATE
    x = 0.4 * torch.sin(2 * torch.pi * (200 * t + 4000 * t * t)) + 0.2 * torch.sin(2 * torch.pi * 440 * t)
    x += 0.1 * torch.sin(2 * torch.pi * 3100 * t) + 0.01 * torch.randn(SAMPLES, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    x[1200] += 0.9
    return x.float()


WINDOWS = {"hann": torch.hann_window, "hamming": torch.hamming_window}


def stft(x, n_fft, hop, window, pad):
    mode = {"zero": "constant", "reflect": "reflect"}[pad]
    return torch.stft(x, n_fft, hop, window=WINDOWS[window](n_fft, dtype=x.dtype), center=True, pad_mode=mode, return_complex=True)


def mel(x, c):
    return torchaudio.transforms.MelSpectrogram(
        RATE, n_fft=c["n_fft"], hop_length=c["hop"], n_mels=c["mels"], f_min=c["f_min"], f_max=c["f_max"],
        power=2.0 if c["value"].endswith("power") else 1.0, window_fn=WINDOWS[c["window"]],
        norm="slaney" if c["mel_norm"] == "slaney" else None, mel_scale=c["mel_formula"],
        pad_mode={"zero": "constant", "reflect": "reflect"}[c["pad"]]).to(torch.float64)(x)


def config(**c):
    base = {"sample_rate": RATE, "window": "hann", "pad": "zero", "scale": "linear", "value": "magnitude", "f_min": 0, "f_max": 0, "min": 0, "max": 0}
    return base | c


def main():
    torch.set_default_dtype(torch.float64)  # the filter banks too: at float32 they are good to about 1e-5 only
    x = signal()
    x.numpy().tofile("signal.f32")
    cases = []

    def case(name, kind, c, y):  # y: [bins, frames]
        y = y.T.contiguous()
        y = (torch.view_as_real(y) if y.is_complex() else y).float()
        y.numpy().tofile(name + ".f32")
        cases.append({"name": name, "kind": kind, "config": c})

    wide = x.double()
    for name, n_fft, hop, window, pad in [
        ("stft-256-hann", 256, 64, "hann", "zero"), ("stft-400-hamming-reflect", 400, 160, "hamming", "reflect"),
        ("stft-512-hann-reflect", 512, 128, "hann", "reflect"), ("stft-255-hann", 255, 90, "hann", "zero"),
    ]:
        case(name, "stft", config(n_fft=n_fft, hop=hop, window=window, pad=pad), stft(wide, n_fft, hop, window, pad))
    mels = config(scale="mel", mels=40, f_min=20, f_max=4000, n_fft=512, hop=128)
    for name, more in [
        ("mel-slaney-power", {"value": "power", "mel_formula": "slaney", "mel_norm": "slaney"}),
        ("mel-htk-magnitude", {"value": "magnitude", "mel_formula": "htk", "mel_norm": "none"}),
        ("mel-slaney-256-reflect", {"value": "power", "mel_formula": "slaney", "mel_norm": "slaney", "n_fft": 256, "hop": 64, "pad": "reflect"}),
    ]:
        c = mels | more
        case(name, "features", c, mel(wide, c))
    for value in ("log", "log-power"):
        c = mels | {"value": value, "mel_formula": "slaney", "mel_norm": "slaney", "floor": 1e-3}
        case("mel-" + value, "features", c, torch.log(mel(wide, c) + 1e-3))
    with open("cases.json", "w") as f:
        json.dump({"torch": torch.__version__, "torchaudio": torchaudio.__version__, "cases": cases}, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()
