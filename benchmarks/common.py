"""What the benchmarks share: data, threads, memory, child processes, tables, the JSON line.

Importing this file is cheap. TensorFlow comes with `load` only, so that a child process that measures another library
does not carry it.
"""

import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
THREADS = 2  # the course is written for two cores, and all libraries get as many
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "NPROC", "PJRT_NPROC")


def limit_threads(count=THREADS):
    """Give this process and its children `count` cores. Call it before TensorFlow, PyTorch or JAX do any work."""
    for variable in _THREAD_VARIABLES:
        os.environ[variable] = str(count)
    if hasattr(os, "sched_setaffinity"):  # Linux: binds every library, whatever variable it reads
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def load(images=None):
    """MNIST, thresholded at 0.5, as `vh.load_images` gives it. images: how many training images to keep (default all).

    The test set stays whole: a figure from fewer test images would be another figure.
    """
    import vae_helpers as vh

    data = vh.load_images("mnist", binarize="threshold")
    return replace(data, x_train=data.x_train[:images], y_train=data.y_train[:images])


def describe(data):
    """The first line of every table: which images were used. It shouts if they are not MNIST."""
    sizes = f"{len(data.x_train):,} training and {len(data.x_test):,} test images"
    if data.name != "mnist":
        return f"NOT MNIST: {data.name} stand in, {sizes}. Compare these figures with nothing."
    return f"MNIST, thresholded, {sizes}"


def machine(*packages):
    """One line: the processor's cores, the threads used, the versions."""
    parts = [f"{platform.system()} {platform.machine()}", f"{os.cpu_count()} cores, {THREADS} threads used"]
    parts.append(f"Python {platform.python_version()}")
    parts += [f"{name} {version}" for name in packages if (version := version_of(name))]
    return " · ".join(parts)


def version_of(package):
    """The installed version, or None."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def timed(function, *arguments):
    """(what the function returns, the seconds it took)."""
    started = time.perf_counter()
    result = function(*arguments)
    return result, time.perf_counter() - started


def peak_memory_mb():
    """The most memory that this process has held at a time, in MB.

    Linux: VmHWM. There ru_maxrss starts from what the parent held when it made the child, and would hide a small child
    behind a large parent.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS, kB elsewhere
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def memory_mb(pid):
    """What the process holds now, in MB; None if it is gone or cannot be seen."""
    try:
        import psutil
    except ImportError:
        try:
            return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]) / 1024
        except (OSError, IndexError):
            return None
    try:
        return psutil.Process(pid).memory_info().rss / 2**20
    except psutil.Error:
        return None


def run_child(module, *arguments, limit_mb=None):
    """Run `python -m module …` and return what its last line of JSON holds, or None if it grew beyond limit_mb.

    Raises RuntimeError with the child's messages if it fails.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if limit_mb is not None:
        while child.poll() is None:
            if (memory_mb(child.pid) or 0) > limit_mb:
                child.kill()
                child.communicate()
                return None
            time.sleep(0.02)
    output, errors = child.communicate()
    if child.returncode:
        raise RuntimeError(f"{' '.join(command[1:])} failed:\n{errors}")
    return json.loads(output.splitlines()[-1])


def summary(values):
    """{"median", "low", "high"}; None for no values."""
    if not values:
        return None
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def shown(values, digits=1, unit=""):
    """The median and, in brackets, the smallest and the largest, as a text."""
    if not values:
        return "–"
    s = summary(values)
    return f"{s['median']:,.{digits}f}{unit} ({s['low']:,.{digits}f} to {s['high']:,.{digits}f})"


def table(header, rows):
    """Print a markdown table with aligned columns."""
    rows = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    rows.insert(1, ["-" * width for width in widths])
    for row in rows:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |")


def json_line(**figures):
    """Print the figures as one line of JSON; call it last."""
    print(json.dumps(_rounded(figures)), flush=True)


def _rounded(value):
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(one) for one in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value
