#!/usr/bin/env python3
"""Times Wavemill's audio work and its peers', turn by turn, and writes docs/benchmarks.md.

    go build -o bin/wavemill ./cmd/wavemill
    python3 audio/benchmark/compare.py --data ../shared/data/fsdd

The peers are torchaudio and SciPy (audio_torch.py of --peers, and phase reconstruction here) and sox. A peer's
figure is its best over thread counts. What is not installed is said and left out. Before every measurement the
script waits until the machine is idle; a figure taken on a busy one is marked. The table goes between the lines
"<!-- bench-audio -->" and "<!-- /bench-audio -->".
"""
import argparse
import json
import os
import pathlib
import platform
import random
import re
import runpy
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import wave

ROOT = pathlib.Path(__file__).resolve().parents[2]
# How many times as fast as the peer each is to be; the transforms may take 1.3 times SciPy's time.
AIM = {"files-to-logmel": 3, "logmel-in-memory": 3, "griffinlim-32": 4, "phase-fsdd": 1, "phase-44100": 1, "resample-44100-16000": 2,
       **{f"rfft-{n}": 0.77 for n in (256, 512, 1024, 2048, 4096)}}
NAMES = list(AIM)
PHASE = ["phase-fsdd", "phase-44100"]
PHASE_AIM = 3  # dB below torchaudio
SOX = "resample-44100-16000"
BEGIN, END = "<!-- bench-audio -->", "<!-- /bench-audio -->"


def busy(seconds):
    """The share of the processor's time that was not idle, over a while."""
    def read():
        fields = [int(f) for f in open("/proc/stat").readline().split()[1:]]
        return sum(fields), fields[3] + fields[4]
    total, idle = read()
    time.sleep(seconds)
    total2, idle2 = read()
    return 1 - (idle2 - idle) / max(total2 - total, 1)


class Quiet:
    """Waits for an idle machine, and remembers if it was in vain."""

    def __init__(self, limit, patience):
        self.limit, self.patience, self.failures = limit, patience, 0

    def wait(self):
        if self.limit >= 1:
            return
        end = time.monotonic() + self.patience
        while (load := busy(1)) > self.limit:
            if time.monotonic() > end:
                self.failures += 1
                print(f"warning: measuring although {load:.0%} of the processor is busy", file=sys.stderr)
                return


def lines_of(command):
    env = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}  # the peer picks its own kernels
    out = subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


# What runs in a child process, on the Python of --python.

def import_torchaudio():
    """torchaudio refuses a torch built for another CUDA; on the processor alone that does not matter."""
    import torch
    try:
        import torchaudio
    except RuntimeError as e:
        other = re.search(r"TorchAudio has CUDA version ([\d.]+)", str(e))
        if not other:
            raise
        for name in [m for m in sys.modules if m.startswith("torchaudio")]:
            del sys.modules[name]
        torch.version.cuda = other[1]
        import torchaudio
    return torch, torchaudio


def child_versions():
    import scipy
    torch, torchaudio = import_torchaudio()
    print(json.dumps({"torch": torch.__version__, "torchaudio": torchaudio.__version__, "scipy": scipy.__version__}))


def child_script(script, arguments):
    import_torchaudio()
    sys.argv = [script, *arguments]
    runpy.run_path(script, run_name="__main__")


def child_phase(data, threads, seconds, names):
    """torchaudio's Griffin-Lim, 32 iterations, from the magnitudes that `wavemill bench audio` starts from."""
    torch, torchaudio = import_torchaudio()
    import glob
    import math
    import soundfile
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    sys.path.insert(0, str(ROOT / "audio/spectrogram/testdata"))
    files = sorted(glob.glob(os.path.join(data, "**", "*.wav"), recursive=True))
    files = files[::max(1, len(files) // 200)][:200]

    def clips(name):
        if name == "phase-fsdd":
            return 256, [torch.from_numpy(soundfile.read(f, dtype="float32")[0]) for f in files]
        import phase
        return 1024, list(phase.synthetic().values())

    for name in names:
        n_fft, signals = clips(name)
        w = torch.hann_window(n_fft)
        stft = lambda x: torch.stft(x, n_fft, n_fft // 4, window=w, return_complex=True).abs()
        with torch.inference_mode():
            magnitudes = [stft(x) for x in signals]
            restore = lambda s, x: torchaudio.functional.griffinlim(s[None], w, n_fft, n_fft // 4, n_fft, 1.0, 32, 0.99, len(x), True)[0]
            db = statistics.mean(20 * math.log10(float((s - stft(restore(s, x))).norm() / s.norm())) for s, x in zip(magnitudes, signals))
            times, end = [], time.monotonic() + seconds
            while time.monotonic() < end or len(times) < 2:
                start = time.perf_counter()
                for s, x in zip(magnitudes, signals):
                    restore(s, x)
                times.append((time.perf_counter() - start) * 1e3)
        print(json.dumps({"name": name, "threads": threads, "ms": statistics.median(times), "clips": len(signals), "db": db}), flush=True)


# The sides of the comparison.

class Torch:
    """torchaudio and SciPy."""

    def __init__(self, python, peers, data):
        self.python, self.script, self.data = python, peers / "audio_torch.py", data
        self.missing, self.versions = None, {}
        if not self.script.exists():
            self.missing = f"{self.script} is not there (--peers)"
            return
        check = subprocess.run([python, __file__, "--child", "versions"], capture_output=True, text=True)
        if check.returncode:
            why = (check.stderr.strip().splitlines() or ["it did not start"])[-1]
            self.missing = f"{python}: {why}; it needs torch, torchaudio, scipy and soundfile (pip install them, or name another --python)"
            return
        self.versions = json.loads(check.stdout)

    def time(self, name, threads, seconds):
        if name in PHASE:
            return lines_of([self.python, __file__, "--child", "phase", self.data, str(threads), str(seconds), name])
        return lines_of([self.python, __file__, "--child", "script", str(self.script), "--data", self.data, "--threads", str(threads),
                         "--seconds", str(seconds), "--only", name])


class Sox:
    """sox rate -h on ten minutes of noise, less the time that sox needs to read them; per minute."""

    MINUTES = 10

    def __init__(self, folder):
        self.missing, self.versions = None, {}
        if not shutil.which("sox"):
            self.missing = "sox is not installed"
            return
        said = subprocess.run(["sox", "--version"], capture_output=True, text=True).stdout
        self.versions = {"sox": said.split()[-1].lstrip("v")}
        self.file = str(pathlib.Path(folder) / "noise.wav")
        with wave.open(self.file, "wb") as w:
            w.setnchannels(1), w.setsampwidth(2), w.setframerate(44100)
            w.writeframes(random.Random(1).randbytes(2 * 44100 * 60 * self.MINUTES))

    def time(self, name, threads, seconds):
        def once(*effect):
            start = time.perf_counter()
            subprocess.run(["sox", "-V1", self.file, "-n", *effect], check=True)
            return time.perf_counter() - start
        once("rate", "-h", "16000")
        times = sorted(once("rate", "-h", "16000") - once() for _ in range(5))
        return [{"name": name, "threads": 1, "ms": times[len(times) // 2] * 1e3 / self.MINUTES}]


# Results: {(who, name, threads): [line of each round]}.

def best(results, who, name, threads=None):
    lines = [l for (w, n, t), ls in results.items() if (w, n) == (who, name) and (threads is None or t == threads) for l in ls]
    return min(lines, key=lambda l: l["ms"], default=None)


def ratio(results, name, threads):
    """The median over rounds of the peer's best time over ours."""
    ours = results.get(("ours", name, threads)) or results.get(("ours", name, 1), [])
    values = []
    for i, line in enumerate(ours):
        theirs = [ls[i]["ms"] for (who, n, _), ls in results.items() if who == "peer" and n == name and i < len(ls)]
        if theirs:
            values.append(min(theirs) / line["ms"])
    return statistics.median(values) if values else None


def ms(line):
    if line is None:
        return "-"
    return f"{line['ms'] * 1e3:.3g} µs" if line["ms"] < 0.1 else f"{line['ms']:.3g} ms" if line["ms"] < 1000 else f"{line['ms']:.0f} ms"


def ratio_text(value, aim):
    return "-" if value is None else f"{value:.2f}x (aim {aim}x)"


def text(rows):
    return "\n".join("| " + " | ".join(r) + " |" for r in [rows[0], ["---"] * len(rows[0]), *rows[1:]])


WORK = {
    "files-to-logmel": "{files} WAV files to log-mel in one array file", "logmel-in-memory": "log-mel of {clips} clips of 1 s at 8 kHz in memory",
    "griffinlim-32": "Griffin-Lim, 32 iterations, {clips} clips of 1 s at 8 kHz", "phase-fsdd": "phase of {clips} recordings at 8 kHz, n_fft 256",
    "phase-44100": "phase of {clips} chirps and drums at 44.1 kHz, n_fft 1024", SOX: "resampling a minute from 44.1 to 16 kHz",
}


def report(results, versions, a, quiet):
    counts = sorted({1, a.threads})
    rows = [["work", *(f"ours, {n} thread{'s' * (n > 1)}" for n in counts), "peer", "its time (threads)", "times as fast"]]
    for name in NAMES:
        one, theirs = best(results, "ours", name, 1), best(results, "peer", name)
        if one is None:
            continue
        work = WORK.get(name, "real Fourier transform of {n} samples, one in a batch of 256").format(n=name.split("-")[-1], **{"files": 0, "clips": 0, **one})
        peer = "sox rate -h" if name == SOX else "SciPy" if name.startswith("rfft") else "torchaudio"
        rows.append([f"{work} (`{name}`)", *(ms(best(results, "ours", name, n)) for n in counts), peer, "-" if theirs is None else f"{ms(theirs)} ({theirs['threads']})",
                     ratio_text(ratio(results, name, a.threads), AIM[name])])
    quality = [["signals", "ours: PGHI and 8 iterations of fast Griffin-Lim", "torchaudio: 32 iterations", "better by"]]
    for name in PHASE:
        ours, theirs = best(results, "ours", name), best(results, "peer", name)
        if ours and theirs:
            quality.append([name, f"{ours['db']:.2f} dB", f"{theirs['db']:.2f} dB", f"{theirs['db'] - ours['db']:.2f} dB (aim {PHASE_AIM} dB)"])
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
    kernel = next((l["kernel"] for ls in results.values() for l in ls if "kernel" in l), "-")
    idle = "turn by turn on an idle machine" if quiet.limit < 1 else "turn by turn, the machine idle or not"
    doubt = f" {quiet.failures} of the measurements found the machine busy, in spite of the waiting." if quiet.failures else ""
    against = ", ".join(f"{k} {v}" for k, v in versions.items()) or "no peer installed"
    return f"""{BEGIN}
Taken {time.strftime('%Y-%m-%d')} on {os.cpu_count()} cores of an {cpu}, kernels {kernel}, against {against}.
Times are the least over {a.rounds} round(s) of medians, ours and the peers' taken {idle}.{doubt} The peer's is its best over thread counts (in brackets), imports not counted; sox's does not count its start and reading the file. "Times as fast" is the median over the rounds, ours on {a.threads} thread(s) (the Fourier transform on one).

{text(rows)}

Phase from magnitudes alone, mean spectral convergence (lower is better):

{text(quality)}
{END}"""


def write(path, section):
    path.parent.mkdir(exist_ok=True)
    old = path.read_text() if path.exists() else "# Benchmarks\n"
    if BEGIN in old and END in old:
        new = old[:old.index(BEGIN)] + section + old[old.index(END) + len(END):]
    else:
        new = old.rstrip("\n") + "\n\n## Audio\n\n`make bench-audio` takes these figures.\n\n" + section + "\n"
    path.write_text(new)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", required=True, help="folder of WAV recordings at 8 kHz")
    p.add_argument("--wavemill", default=ROOT / "bin/wavemill", help="the binary to time")
    p.add_argument("--peers", type=pathlib.Path, default=pathlib.Path(os.environ.get("PEERS", ROOT / "../shared/peers")), help="folder of audio_torch.py")
    p.add_argument("--python", default=sys.executable, help="a Python with torch, torchaudio, scipy and soundfile")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=float, default=2)
    p.add_argument("--only", default=",".join(NAMES))
    p.add_argument("--busy", type=float, default=0.1, help="the share of the processor that may be busy")
    p.add_argument("--patience", type=float, default=300, help="seconds to wait for an idle machine, each time")
    p.add_argument("--out", type=pathlib.Path, default=ROOT / "docs/benchmarks.md")
    p.add_argument("--raw", type=pathlib.Path, help="also write all measurements here, a JSON line each")
    a = p.parse_args()
    names = a.only.split(",")
    if unknown := [n for n in names if n not in NAMES]:
        p.error(f"--only knows {', '.join(NAMES)}; not {', '.join(unknown)}")
    quiet, results = Quiet(a.busy, a.patience), {}

    def note(who, lines):
        for line in lines:
            results.setdefault((who, line["name"], line["threads"]), []).append(line)

    with tempfile.TemporaryDirectory() as folder:
        torch, sox = Torch(a.python, a.peers, a.data), Sox(folder)
        for peer in (torch, sox):
            if peer.missing:
                print(f"left out: {peer.missing}", file=sys.stderr)
        for round_ in range(a.rounds):
            for name in names:
                peer = sox if name == SOX else torch
                counts = [1] if name.startswith("rfft") or a.threads == 1 else [1, a.threads]
                for threads in counts:
                    quiet.wait()
                    note("ours", lines_of([a.wavemill, "bench", "audio", "--json", "--data", a.data, "--seconds", str(a.seconds),
                                           "--threads", str(threads), "--only", name]))
                    if not peer.missing and not (peer is sox and threads > 1):
                        quiet.wait()
                        note("peer", peer.time(name, threads, a.seconds))
                print(f"round {round_ + 1} {name}: ours {ms(best(results, 'ours', name))}, peer {ms(best(results, 'peer', name))}: "
                      f"{ratio_text(ratio(results, name, a.threads), AIM[name])}", file=sys.stderr)
    if a.raw:
        with open(a.raw, "w") as f:
            for (who, _, _), lines in results.items():
                for line in lines:
                    f.write(json.dumps({"who": who, **line}) + "\n")
    write(a.out, report(results, {**torch.versions, **sox.versions}, a, quiet))
    print(f"wrote {a.out}", file=sys.stderr)


if __name__ == "__main__":
    if sys.argv[1:3] == ["--child", "versions"]:
        child_versions()
    elif sys.argv[1:3] == ["--child", "script"]:
        child_script(sys.argv[3], sys.argv[4:])
    elif sys.argv[1:3] == ["--child", "phase"]:
        child_phase(sys.argv[3], int(sys.argv[4]), float(sys.argv[5]), sys.argv[6].split(","))
    else:
        main()
