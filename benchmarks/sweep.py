"""Sweeps under kills, their overhead, and what their own process needs.

python benchmarks/sweep.py workers    a Dask cluster, a worker killed every few seconds
python benchmarks/sweep.py driver     the sweep's own process killed 20 times
python benchmarks/sweep.py time       time over the sum of the points' own, 1 and 2 workers; in
                                      CPU seconds too, which other work on the machine hardly moves
python benchmarks/sweep.py tiny       1 000 tiny points on 2 workers
python benchmarks/sweep.py memory     memory and seconds of the sweep's process to 10 000 points
python benchmarks/sweep.py slow       a far executor that answers late
"""

import argparse
import os
import platform
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing import forkserver
from pathlib import Path
from statistics import median

import nnpotential as nnp
from nnpotential.search.journal import Journal
from nnpotential.sweep import run
from nnpotential.sweep.work import run_point

TWELVE = {
    "seed": [0, 1, 2],
    "dataset": {"name": "xor", "n_train": [20, 40], "n_test": 10},
    "network": {"hidden": [[3], [2, 2]]},
    "potential": {"regularization": 1e-3},
    "search": {
        "quenches": 10,
        "basin_hopping_runs": 1,
        "basin_hopping_steps": 4,
        "connection_attempts": 2,
        "untrap_attempts": 1,
        "audit_sample": 0,
        "soft_modes": 0,
    },
}
TINY = {
    "system": {"name": "egg_box"},
    "search": {
        "quenches": 2,
        "basin_hopping_runs": 0,
        "connection_attempts": 0,
        "untrap_attempts": 0,
        "audit_sample": 0,
        "soft_modes": 0,
    },
}


def contents(sweep):
    """All that the search of each point has decided."""
    result = {}
    for point in sweep.grid:
        land = sweep.landscape(point.label)
        minima = [
            (m.id(), m.energy, m.coords.tobytes(), m.user_data) for m in land.database.minima()
        ]
        states = [
            (t.id(), t.energy, t.coords.tobytes(), t.minimum1.id(), t.minimum2.id(), t.user_data)
            for t in land.database.transition_states()
        ]
        result[point.label] = minima, states, Journal(land.database).all_jobs()
        land.close()
    return result


def compare(sweep, serial):
    found, wanted = contents(sweep), contents(serial)
    same = sum(found[name] == wanted[name] for name in wanted)
    n = sum(len(minima) + len(states) for minima, states, _ in wanted.values())
    print(f"{same} of {len(wanted)} points identical to the serial run ({n} stationary points)")


def serial_run(folder):
    serial = nnp.Sweep(folder / "serial", TWELVE)
    began = time.monotonic()
    serial.run(workers=1)
    print(f"serial: {time.monotonic() - began:.1f} s")
    return serial


def start(folder, *options):
    """The command line in a process of its own."""
    import tomli_w

    file = folder / "SWEEP.toml"
    file.write_text(tomli_w.dumps(TWELVE))
    line = [sys.executable, "-m", "nnpotential", "sweep", file, "-o", folder / "sweep", *options]
    return subprocess.Popen(list(map(str, line)), stderr=subprocess.PIPE, text=True)


def workers(folder):
    """A scheduler and four workers, one of them killed every four seconds and replaced."""
    serial = serial_run(folder)

    def dask(what, *options):
        return subprocess.Popen(
            [sys.executable, "-m", "dask", what, *map(str, options)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
        )

    def worker():
        options = ("--no-nanny", "--nthreads", 1, "--no-dashboard", "--host", "127.0.0.1")
        return dask("worker", "--scheduler-file", file, *options)

    file = folder / "scheduler.json"
    local = ("--host", "127.0.0.1", "--port", 0, "--no-dashboard")
    scheduler = dask("scheduler", *local, "--scheduler-file", file)
    while not file.exists():
        time.sleep(0.1)
    crew = [worker() for _ in range(4)]
    from distributed import Client

    with Client(scheduler_file=str(file), set_as_default=False) as client:
        client.wait_for_workers(4, timeout=60)
        address = client.scheduler.address
    began, n_killed, rng = time.monotonic(), 0, random.Random(0)
    process = start(folder, "--scheduler", address)
    while process.poll() is None:
        time.sleep(4)
        chosen = rng.randrange(4)
        crew[chosen].kill()
        crew[chosen].wait()
        crew[chosen] = worker()
        n_killed += 1
    print(
        f"{n_killed} workers killed in {time.monotonic() - began:.1f} s, exit code {process.poll()}"
    )
    print(process.stderr.read())
    for one in (*crew, scheduler):
        one.kill()
        one.wait()
    sweep = nnp.Sweep(folder / "sweep", TWELVE)
    compare(sweep, serial)
    records = [file.stat().st_size for file in (folder / "sweep" / ".points").glob("*.json")]
    print(f"a record has {median(records):.0f} bytes; sent, by point:")
    print(sorted(entry["bytes"] for entry in nnp_records(sweep).entries()))


def nnp_records(sweep):
    from nnpotential.sweep.records import Records

    return Records(sweep.path)


def driver(folder):
    """The sweep's own process killed 20 times, each time after up to three seconds of work."""
    serial, rng, rounds = serial_run(folder), random.Random(0), 0
    for _ in range(20):
        process = start(folder, "--workers", 2)
        time.sleep(rng.uniform(2.0, 5.0))
        rounds += process.poll() is None
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    process = start(folder, "--workers", 2)
    process.communicate()
    print(f"killed {rounds} times before the end, then exit code {process.returncode}")
    compare(nnp.Sweep(folder / "sweep", TWELVE), serial)


def timed(task):
    """As the work on a point, with the CPU seconds of its process."""
    began = time.process_time()
    found = run_point(task)
    found["figures"]["cpu"] = time.process_time() - began
    return found


def cpu_of_workers():
    """Of the server that forks them, its start and all that it has waited for."""
    stat = Path(f"/proc/{forkserver._forkserver._forkserver_pid}/stat").read_text()
    return sum(map(int, stat.rpartition(")")[2].split()[11:15])) / os.sysconf("SC_CLK_TCK")


def elapsed(folder, definition, n_workers):
    """In a process of its own: a sweep, its time and that of its points."""
    sweep = nnp.Sweep(folder / f"{n_workers}", definition)
    run.run_point = timed
    began, cpu = time.monotonic(), time.process_time()
    sweep.run(workers=n_workers)
    seconds, driver = time.monotonic() - began, time.process_time() - cpu
    time.sleep(1)  # the server waits for its last workers
    entries = list(nnp_records(sweep).entries())
    own = sum(entry["seconds"] for entry in entries)
    own_cpu = sum(entry["figures"]["cpu"] for entry in entries)
    n = len(entries)
    print(
        f"{n} points, {n_workers} workers: {seconds:.1f} s, points {own:.1f} s, ratio "
        f"{seconds / own:.3f}, overhead {1e3 * (seconds - own / n_workers) / n:.1f} ms a point"
    )
    print(
        f"  CPU: points {own_cpu:.2f} s, workers besides {cpu_of_workers() - own_cpu:.2f} s, the "
        f"sweep's process {driver:.2f} s; load {os.getloadavg()[0]:.1f}, peak of its memory "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB",
        flush=True,
    )


def in_a_process(function, *arguments):
    if os.fork() == 0:
        function(*arguments)
        os._exit(0)
    os.wait()


def times(folder):
    for n_workers in (1, 2):
        in_a_process(elapsed, folder, TWELVE, n_workers)


def tiny(folder, n=1000):
    elapsed(folder, {**TINY, "seed": list(range(n))}, 2)


class Instant(ThreadPoolExecutor):
    """Answers at once, or after `delay`, with a result that another point had."""

    answer, delay = None, 0.0

    def submit(self, function, task):
        if self.answer is None:
            Instant.answer = function(task)
        future = Future()
        if self.delay:
            return super().submit(lambda: time.sleep(self.delay) or dict(self.answer))
        future.set_result(dict(self.answer))
        return future


def memory(folder):
    """Points that cost nothing: what is left is the sweep's own work."""
    for n in (10, 100, 1000, 10_000):
        in_a_process(instant, folder, n)


def instant(folder, n):
    sweep = nnp.Sweep(folder / str(n), {**TINY, "seed": list(range(n))})
    began = time.monotonic()
    sweep.run(executor=Instant(1))
    seconds = time.monotonic() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{n} points: peak {peak:.0f} MB, {1e3 * seconds / n:.1f} ms a point", flush=True)


def slow(folder):
    """Many workers far away, each answer half a second late: what the sweep's process can feed."""
    for n_workers in (10, 50, 200):
        Instant.delay = 0.5
        sweep = nnp.Sweep(folder / str(n_workers), {**TINY, "seed": list(range(1000))})
        with Instant(n_workers) as executor:
            began = time.monotonic()
            sweep.run(executor=executor, workers=n_workers)
            seconds = time.monotonic() - began
        ideal = 1000 * Instant.delay / n_workers
        print(
            f"{n_workers} workers: {seconds:.1f} s, ideal {ideal:.1f} s, "
            f"{1000 / seconds:.0f} points/s"
        )


def main():
    parts = {f.__name__: f for f in (workers, driver, tiny, memory, slow)} | {"time": times}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=parts)
    parser.add_argument("--points", type=int, default=1000, help="of tiny")
    options = parser.parse_args()
    chosen = options.part
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {load}")
    with tempfile.TemporaryDirectory() as folder:
        more = {"n": options.points} if chosen == "tiny" else {}
        parts[chosen](Path(folder), **more)


if __name__ == "__main__":
    main()
