#!/usr/bin/env python3
"""Times Wavemill's reference networks and PyTorch's, turn by turn, and writes docs/benchmarks.md.

    go build -o bin/wavemill ./cmd/wavemill
    python3 models/nn/benchmark/compare.py --wavemill bin/wavemill --peer ../shared/peers/train_torch.py

The peer's figure is its best over memory layouts and thread counts. Before every measurement the script
waits until the machine is idle; a figure taken on a busy one is marked. The table goes between the lines
"<!-- bench-train -->" and "<!-- /bench-train -->".
"""
import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time

NAMES = ["discriminator-step", "gan-step", "vae-step", "generator-b1", "generator-b8", "generator-b64"]
# What the two-thread figures are to reach against the newest PyTorch, and the one-thread ones.
AIM = {"discriminator-step": 1.3, "gan-step": 2.5, "vae-step": 2.5, "generator-b1": 2, "generator-b8": 2.5, "generator-b64": 3}
AIM_ONE = {"discriminator-step": 1.2, "gan-step": 1.5, "vae-step": 1.5}
BEGIN, END = "<!-- bench-train -->", "<!-- /bench-train -->"


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
        load = busy(1)
        while load > self.limit:
            if time.monotonic() > end:
                self.failures += 1
                print(f"warning: measuring although {load:.0%} of the processor is busy", file=sys.stderr)
                return
            load = busy(2)


def run(command, **env):
    out = subprocess.run(command, env={**os.environ, **env}, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


def version(python):
    return subprocess.run([python, "-c", "import torch; print(torch.__version__.split('+')[0])"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def note(lines, who, results):
    for line in lines:
        results.setdefault((who, line["name"], line["threads"]), []).append(line)


def best(results, who, name, threads=None):
    """The least median time, over rounds, layouts and (unless given) thread counts."""
    lines = [l for (w, n, t), ls in results.items() if (w, n) == (who, name) and (threads is None or t == threads) for l in ls]
    return min(lines, key=lambda l: l["ms"], default=None)


def ratio(results, peer, name, threads):
    """The median over rounds of the peer's best time over ours: with threads 1, one thread against one."""
    ours = results.get(("ours", name, threads), [])
    rounds = len(ours)
    values = []
    for i in range(rounds):
        theirs = []
        for (who, n, t), lines in results.items():
            if who == peer and n == name and (threads != 1 or t == 1):
                per = len(lines) // rounds
                theirs += [l["ms"] for l in lines[i * per:(i + 1) * per]]
        if theirs:
            values.append(min(theirs) / ours[i]["ms"])
    return statistics.median(values) if values else None


def ms(line):
    return "-" if line is None else f"{line['ms']:.3g}" if line["ms"] < 100 else f"{line['ms']:.0f}"


def times(value, aim=None):
    return "-" if value is None else f"{value:.2f}x" + (f" (aim {aim}x)" if aim else "")


def peer_table(results, peers, threads):
    head = ["work", "ours, 1 thread", f"ours, {threads} threads", "GFLOPS", "of the FMA peak"]
    for p in peers:
        head += [f"PyTorch {p}", f"ratio, {threads} threads", "ratio, 1 thread"]
    rows = [head, ["---"] * len(head)]
    for name in NAMES:
        one, two = best(results, "ours", name, 1), best(results, "ours", name, threads)
        if two is None:
            continue
        share = two["gflops"] / (two["peak_gflops"] * threads)
        row = [name, ms(one), ms(two), f"{two['gflops']:.0f}", f"{share:.0%}"]
        for i, p in enumerate(peers):
            theirs = best(results, p, name)
            cell = "-" if theirs is None else f"{ms(theirs)} ({theirs['layout']}, {theirs['threads']})"
            row += [cell, times(ratio(results, p, name, threads), AIM.get(name) if i == 0 else None),
                    times(ratio(results, p, name, 1), AIM_ONE.get(name) if i == 0 else None)]
        rows.append(row)
    return rows


def kernel_table(results, kernels, threads):
    rows = [["work"] + [f"{k}, ms" for k in kernels], ["---"] * (len(kernels) + 1)]
    for name in NAMES:
        rows.append([name] + [ms(best(results, k, name, threads)) for k in kernels])
    return rows


def scaling_table(results, threads):
    rows = [["work", "ms", "GFLOPS", "memory of values, MB"], ["---"] * 4]
    for (who, name, t), lines in results.items():
        if who == "scaling" and t == threads:
            line = best(results, who, name, threads)
            memory = f"{line['bytes'] / 1e6:.0f}" if line.get("bytes") else "-"
            rows.append([name, ms(line), f"{line['gflops']:.0f}", memory])
    return rows


def text(rows):
    return "\n".join("| " + " | ".join(r) + " |" for r in rows)


def report(results, peers, a, quiet):
    line = best(results, "ours", NAMES[0]) or next(iter(results.values()))[0]
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
    doubt = f" {quiet.failures} of the measurements found the machine busy, in spite of the waiting." if quiet.failures else ""
    idle = " on an idle machine" if a.busy < 1 else ", without waiting for an idle machine"
    rest = "" if a.skip_scaling else f"""

The same work by the class of kernels (`WAVEMILL_KERNEL`), {a.threads} threads:

{text(kernel_table(results, ['avx512', 'avx2', 'go'], a.threads))}

How the cost grows, {a.threads} threads: the discriminator's step against the batch size (64x64 pixels) and the image size (batch 64), the same step in Gorgonia's own operations (batch 64), and a generator from nothing to its first image:

{text(scaling_table(results, a.threads))}"""
    return f"""{BEGIN}
Taken {time.strftime('%Y-%m-%d')} on {os.cpu_count()} cores of an {cpu}; one core does {line['peak_gflops']:.0f} GFLOPS at most (measured, a loop of multiply-adds).
Kernels: {line['kernel']}. Times in milliseconds, the least of {a.rounds} medians, ours and PyTorch's taken turn by turn{idle}.{doubt}
PyTorch's figure is its best over memory layouts and thread counts (in brackets); a ratio is the median over the rounds. GFLOPS count the convolutions and products alone, at their nominal multiplications (4x4 stride-2 convolutions in training make 9/16 of them), over the whole time, on {a.threads} threads.

{text(peer_table(results, peers, a.threads))}{rest}
{END}"""


def write(path, section):
    path.parent.mkdir(exist_ok=True)
    old = path.read_text() if path.exists() else "# Benchmarks\n"
    if BEGIN in old and END in old:
        new = old[:old.index(BEGIN)] + section + old[old.index(END) + len(END):]
    else:
        new = old.rstrip("\n") + "\n\n## Training and inference\n\n`make bench-train` takes these figures.\n\n" + section + "\n"
    path.write_text(new)


def main():
    root = pathlib.Path(__file__).resolve().parents[3]
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--wavemill", default=root / "bin/wavemill", help="the binary to time")
    p.add_argument("--peer", default=root / "../shared/peers/train_torch.py", help="the peer's script")
    p.add_argument("--python", action="append", help="a Python with torch, the newest first; may be repeated")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=float, default=2)
    p.add_argument("--only", default=",".join(NAMES))
    p.add_argument("--busy", type=float, default=0.1, help="the share of the processor that may be busy; 1 does not wait")
    p.add_argument("--patience", type=float, default=300, help="seconds to wait for an idle machine, each time")
    p.add_argument("--skip-scaling", action="store_true")
    p.add_argument("--out", type=pathlib.Path, default=root / "docs/benchmarks.md")
    p.add_argument("--raw", type=pathlib.Path, help="also write all measurements here, a JSON line each")
    a = p.parse_args()
    pythons = a.python or [sys.executable]
    peers = [version(python) for python in pythons]
    quiet, results = Quiet(a.busy, a.patience), {}
    threads = f"1,{a.threads}" if a.threads > 1 else "1"

    def ours(who, *arguments, **env):
        quiet.wait()
        note(run([a.wavemill, "bench", "train", "--json", "--seconds", str(a.seconds), *arguments], **env), who, results)

    for round_ in range(a.rounds):
        for name in a.only.split(","):
            ours("ours", "--only", name, "--threads", threads)
            for python, peer in zip(pythons, peers):
                quiet.wait()
                note(run([python, a.peer, "--only", name, "--threads", threads, "--seconds", str(a.seconds)]), peer, results)
            us = best(results, "ours", name, a.threads)
            print(f"round {round_ + 1} {name}: {ms(us)} ms, " + ", ".join(
                f"PyTorch {peer} {ms(best(results, peer, name))} ms: {times(ratio(results, peer, name, a.threads))}" for peer in peers), file=sys.stderr)
    if not a.skip_scaling:
        for k in ("avx512", "avx2", "go"):
            try:
                ours(k, "--only", a.only, "--threads", str(a.threads), WAVEMILL_KERNEL=k)
            except subprocess.CalledProcessError:
                print(f"this processor has no {k} kernels", file=sys.stderr)
        ours("scaling", "--scaling", "--threads", str(a.threads))
    if a.raw:
        with open(a.raw, "w") as f:
            for (who, _, _), lines in results.items():
                for line in lines:
                    f.write(json.dumps({"who": who, **line}) + "\n")
    write(a.out, report(results, peers, a, quiet))
    print(f"wrote {a.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
