"""What the programs of other engines share: command line, repetition, lines of JSON."""

import argparse
import json
import statistics
import time

# The network of w1: layer i maps SIZES[i] numbers to SIZES[i + 1]; the second is applied twice.
LAYERS = [("fc1", 784, 128), ("fc2", 128, 128), ("fc3", 128, 128), ("fc4", 128, 128), ("fc5", 128, 10)]
ORDER = ["fc1", "fc2", "fc2", "fc3", "fc4", "fc5"]
RATE, MOMENTUM, DIRECTIONS, STEPS = 1e-4, 0.9, 8, 50
LINKS, WIDTH = 250, 16

# The GPT of w3 and its optimizer.
GPT = {"layers": 6, "width": 192, "heads": 6, "context": 128, "vocabulary": 96}
ADAMW = {"rate": 1e-4, "betas": (0.9, 0.999), "decay": 0.01, "eps": 1e-8}
ADAMW_STEPS = 3


def options():
    p = argparse.ArgumentParser()
    p.add_argument("work", choices=["w1", "w1tanh", "w1rss", "w3", "w4", "w5", "gemm"])
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--batch", type=int, help="examples; 128, and 16 in w3")
    p.add_argument("--budget", type=float, default=1.2, help="seconds a measurement")
    p.add_argument("--shape", default="1024x1024x1024")
    p.add_argument("--t0", type=int, default=time.time_ns(), help="start of the process, ns since 1970")
    p.add_argument("--compile", action="store_true", help="torch.compile")
    o = p.parse_args()
    o.batch = o.batch or (16 if o.work == "w3" else 128)
    return o


def emit(what, **fields):
    print(json.dumps({"what": what, **fields}), flush=True)


def measure(o, what, run, variant=""):
    """Median and minimum of the milliseconds of repeated calls, as the example `bench` takes them."""
    try:
        begin = time.perf_counter()
        for _ in range(2):
            run()
            if time.perf_counter() - begin > 8 * o.budget:
                break
        times = []
        begin = time.perf_counter()
        while len(times) < 3000:
            spent = time.perf_counter() - begin
            if len(times) >= 5 and spent >= o.budget or len(times) >= 3 and spent > 12 * o.budget:
                break
            start = time.perf_counter()
            run()
            times.append(1e3 * (time.perf_counter() - start))
        emit(what, variant=variant, ms=statistics.median(times), min=min(times), n=len(times))
    except Exception as error:  # One variant that an engine cannot do should not cost the others.
        emit(what, variant=variant, error=f"{type(error).__name__}: {error}"[:300])


def emit_peak_rss():
    """The peak of the resident memory of this process alone (ru_maxrss may be its parent's)."""
    with open("/proc/self/status") as status:
        kilobytes = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    emit("rss", mb=kilobytes / 1024)


def emit_first_step(o):
    emit("first_step", ms=(time.time_ns() - o.t0) / 1e6, n=1)
