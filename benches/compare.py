#!/usr/bin/env python3
"""Times burlap beside PyTorch and JAX, where they are installed, and prints the ratios.

    python benches/compare.py                          everything, a quarter of an hour
    python benches/compare.py --quick --work w1,w4     a look
    python benches/compare.py --python VENV/bin/python --json results.jsonl

Every workload of every engine runs in a process of its own, and the engines take turns in rounds: on a
shared machine only numbers of one round can be compared. A time is the median over rounds of each round's
median; a ratio is the median of the rounds' ratios, above 1 where burlap is slower (or larger: `rss` is in
MB); `least` is the ratio of the least times of all rounds, which other processes disturb less. `best_peer` is the better of PyTorch (eager) and JAX (jit); torch.compile is only listed beside.
With n threads all engines are pinned to the same n processors, since that is how XLA learns their number.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent

# Workload → command of the example and the peers, batches, and burlap's names of the measurements.
W1 = {"forward": "forward", "a_grad": "grad", "b_grad_sgdm": "step", "c_hvp": "hvp",
      "e_hvp_again": "hvp_again", "d_hvp8": "hvp8"}
WORKS = {
    "w1": ("w1", [32, 128, 1024], W1),
    "w1tanh": ("w1", [32, 128], {"g_grad": "third_grad", "g_third": "third"}),
    "w1rss": ("w1rss", [128], {"f_peak_rss_mb": "rss"}),
    "w3": ("w3", [16], {"step_adamw": "step", "grad": "grad", "f_peak_rss_mb": "rss"}),
    "w4": ("w4", [0], {"chain1000_grad_compiled": "chain", "chain1000_grad_once": "chain_once"}),
    "w5": ("w5", [128], {"first_step": "first_step"}),
    "gemm": ("gemm", [0], {"gemm_1024x1024x1024": "gemm"}),
}
PEERS = {"jax": ("jax", ["peers_jax.py"]), "torch": ("torch", ["peers_torch.py"]),
         "torch.compile": ("torch", ["peers_torch.py", "--compile"])}
COMPILED = {"w1", "w1tanh", "w3", "w4"}


def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = lambda s: s.split(",")
    p.add_argument("--work", type=names, default=list(WORKS), help="some of " + ",".join(WORKS))
    p.add_argument("--batch", type=lambda s: [int(b) for b in s.split(",")], help="only these batches")
    p.add_argument("--threads", type=lambda s: [int(t) for t in s.split(",")], default=[1, 2])
    p.add_argument("--rounds", type=int, help="how often the engines take turns (3)")
    p.add_argument("--budget", type=float, help="seconds a measurement and round (0.5)")
    p.add_argument("--quick", action="store_true", help="one short round, batch 128 only (16 in w3)")
    p.add_argument("--compile", action="store_true", help="torch.compile too, which is slow to begin")
    p.add_argument("--json", metavar="FILE", help="write one object a line; - prints them instead of the table")
    p.add_argument("--python", default=sys.executable, help="the Python that has the peers")
    p.add_argument("--bench", metavar="PATH", help="the built example; the default is to build it")
    o = p.parse_args()
    unknown = [w for w in o.work if w not in WORKS]
    if unknown:
        p.error(f"--work {unknown[0]}: there are {', '.join(WORKS)}")
    o.rounds = o.rounds or (1 if o.quick else 3)
    o.budget = o.budget or (0.2 if o.quick else 0.5)
    return o


def environment():
    """Without the variables that would fix another processor's kernels in OpenBLAS."""
    return {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}


def build():
    command = ["cargo", "build", "--release", "--example", "bench", "--message-format=json"]
    done = subprocess.run(command, cwd=HERE.parent, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit("the example bench does not build")
    messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    found = [m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == "bench"]
    return found[-1]


def installed(python, module):
    find = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
    return subprocess.run([python, "-c", find]).returncode == 0


def run(command, threads):
    """Runs one process on the first processors and returns its lines: measurement → (median, minimum)."""
    processors = sorted(os.sched_getaffinity(0))[:threads]
    env = environment() | {"OMP_NUM_THREADS": str(threads)}
    pin = lambda: os.sched_setaffinity(0, processors)
    if "w5" in command:
        command = command + ["--t0", str(time.time_ns())]
    done = subprocess.run(command, env=env, preexec_fn=pin, capture_output=True, text=True)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        print(f"failed: {' '.join(command)}: {reason}", file=sys.stderr)
    values = {}
    for line in done.stdout.splitlines():
        if not line.startswith("{"):
            continue
        found = json.loads(line)
        value = found.get("ms", found.get("mb"))
        if value is None:
            print(f"{' '.join(command)}: {line}", file=sys.stderr)
            continue
        # An engine with several ways to one thing counts with its best.
        pair = (value, found.get("min", value))
        values[found["what"]] = min(pair, values.get(found["what"], pair))
    return values


def rounds(o, bench, peers, work, batch, threads):
    """A list of rounds, each engine → measurement → (median, minimum)."""
    command, _, names = WORKS[work]
    common = ["--threads", str(threads), "--budget", str(o.budget), "--batch", str(batch or 128)]
    wanted = ["--what", ",".join(names)] if command in ("w1", "w3", "w4") else []
    result = []
    for _ in range(o.rounds):
        found = run([bench, command] + common + wanted, threads)
        this = {"burlap": {names[what]: value for what, value in found.items() if what in names}}
        for peer in peers:
            if peer == "torch.compile" and work not in COMPILED:
                continue
            program, *extra = PEERS[peer][1]
            this[peer] = run([o.python, str(HERE / program), work] + extra + common, threads)
        result.append(this)
    return result


def median(values):
    values = [v for v in values if v is not None]
    return statistics.median(values) if values else None


def summarise(work, batch, threads, found):
    for what in WORKS[work][2].values():
        pairs = lambda engine: [r.get(engine, {}).get(what, (None, None)) for r in found]
        each = lambda engine: [m for m, _ in pairs(engine)]
        least = lambda engine: min((l for _, l in pairs(engine) if l is not None), default=None)
        burlap = median(each("burlap"))
        peers = {p: m for p in PEERS if (m := median(each(p))) is not None}
        eligible = [p for p in ("jax", "torch") if p in peers]
        best = min(eligible, key=peers.get, default=None)
        both = zip(each("burlap"), each(best)) if best else []
        ratio = median([a / b for a, b in both if a is not None and b is not None])
        ratio_least = least("burlap") / least(best) if ratio is not None else None
        yield {"work": work, "what": what, "batch": batch, "threads": threads, "burlap_ms": burlap,
               "peers": peers, "best_peer": best, "ratio": ratio, "ratio_least": ratio_least,
               "unit": "MB" if what == "rss" else "ms", "rounds": len(found)}


ROW = "{:<7} {:<11} {:>5} {:>7} {:>10} {:>10} {:>10} {:>13} {:>9} {:>7} {:>7}"


def row(r):
    number = lambda x: "–" if x is None else f"{x:.4g}" if x < 1000 else f"{x:.0f}"
    peers = [number(r["peers"].get(p)) for p in PEERS]
    ratio = ["–" if r[key] is None else f"{r[key]:.2f}" for key in ("ratio", "ratio_least")]
    return ROW.format(r["work"], r["what"], r["batch"] or "–", r["threads"], number(r["burlap_ms"]), *peers,
                      r["best_peer"] or "–", *ratio)


def main():
    o = options()
    peers = []
    for peer, (module, _) in PEERS.items():
        if peer == "torch.compile" and not o.compile:
            continue
        if installed(o.python, module):
            peers.append(peer)
        else:
            print(f"{peer}: {module} is not installed for {o.python}; goes on without", file=sys.stderr)
    bench = o.bench or build()
    file = open(o.json, "w") if o.json and o.json != "-" else None
    table = o.json != "-"
    if table:
        heads = ["work", "what", "batch", "threads", "burlap_ms", "jax", "torch", "torch.compile", "best_peer"]
        print(ROW.format(*heads, "ratio", "least"), flush=True)
    for threads in o.threads:
        for work in o.work:
            batches = WORKS[work][1]
            wanted = o.batch or ([16, 128] if o.quick else batches)
            batches = [b for b in batches if b == 0 or b in wanted]
            for batch in batches:
                for r in summarise(work, batch, threads, rounds(o, bench, peers, work, batch, threads)):
                    line = json.dumps(r)
                    print(row(r) if table else line, flush=True)
                    if file:
                        print(line, file=file, flush=True)


if __name__ == "__main__":
    main()
