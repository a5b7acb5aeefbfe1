"""A Dask cluster of separate processes, with workers that are killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tomli_w
from small_sweep import DEFINITION, command, found
from troubled import Troubled

import nnpotential as nnp

distributed = pytest.importorskip("distributed")


class Cluster:
    def __init__(self, folder):
        paths = [Path(nnp.__file__).parents[1], Path(__file__).parents[1]]
        self._env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
        self._folder, self.workers = folder, []
        file = folder / "scheduler.json"
        where = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", file]
        self._scheduler = self._start("scheduler", *where)
        until = time.monotonic() + 60
        while not file.exists() and time.monotonic() < until:
            time.sleep(0.1)
        with distributed.Client(scheduler_file=str(file), set_as_default=False) as client:
            self.address = client.scheduler.address
            for _ in range(3):
                self.add()
            client.wait_for_workers(3, timeout=60)

    def _start(self, what, *options, **more):
        return subprocess.Popen(
            [sys.executable, "-m", "dask", what, *map(str, options)],
            cwd=self._folder,
            env={**self._env, **more},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def add(self, **more):
        options = ["--no-nanny", "--nthreads", 1, "--no-dashboard", "--host", "127.0.0.1"]
        self.workers.append(self._start("worker", self.address, *options, **more))

    def close(self):
        for process in (*self.workers, self._scheduler):
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path):
    cluster = Cluster(tmp_path)
    yield cluster
    cluster.close()


def test_a_cluster_gives_the_same_though_workers_are_killed(cluster, tmp_path, serial):
    path, file = tmp_path / "s", tmp_path / "SWEEP.toml"
    file.write_text(tomli_w.dumps(DEFINITION))
    process = command(file, "-o", path, "--scheduler", cluster.address)
    while process.poll() is None and not list(path.glob(".points/*.json")):
        time.sleep(0.05)
    for worker in cluster.workers[:2]:
        time.sleep(0.3)
        os.kill(worker.pid, signal.SIGKILL)
    _, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    assert found(nnp.Sweep(path)) == serial


def test_workers_without_the_package_are_refused(cluster, tmp_path):
    (tmp_path / "nnpotential-0.0.1.dist-info").mkdir()
    (tmp_path / "nnpotential-0.0.1.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: nnpotential\nVersion: 0.0.1\n"
    )
    cluster.add(PYTHONPATH=str(tmp_path))
    with distributed.Client(cluster.address, set_as_default=False) as client:
        client.wait_for_workers(4, timeout=60)
    with pytest.raises(nnp.InputError, match=r"has nnpotential 0\.0\.1, this is"):
        nnp.Sweep(tmp_path / "s", DEFINITION).run(scheduler=cluster.address)
    assert not (tmp_path / "s").exists()


def test_workers_that_cannot_import_the_system_are_refused(cluster, tmp_path):
    system = {"name": Troubled.kind, "directory": str(tmp_path)}
    definition = {"system": system, "search": {"quenches": 3, "soft_modes": 0}}
    cluster.add(PYTHONPATH=str(Path(nnp.__file__).parents[1]))  # the others have the tests' folder
    with distributed.Client(cluster.address, set_as_default=False) as client:
        client.wait_for_workers(4, timeout=60)
    with pytest.raises(nnp.InputError, match=r"cannot import troubled, .* No module named"):
        nnp.Sweep(tmp_path / "s", definition).run(scheduler=cluster.address)
    assert not (tmp_path / "s").exists()
