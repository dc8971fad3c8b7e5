"""Work that is spread over processes of one thread each, and that a kill cannot spoil."""

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import connection, get_context, parent_process
from pathlib import Path

from simulation.folder import reporter


def run_tasks(
    make: Callable, tasks: list[tuple], out: Path, what: str, total: int, workers: int | None, progress: bool
) -> None:
    """Call ``make(*task)`` for every task, the first ones first.

    Parameters
    ----------
    make : function
        At the top of a module, so that other processes can import it.
    out : Path
        The folder that it writes to, for messages.
    what : str
        What a task makes, in the plural; `total` is how many of them there are, finished ones included.
    workers : int, optional
        Processes; default: one per core.

    Raises
    ------
    OSError
        If a worker dies.
    """
    if not tasks:
        return
    with _one_thread_each(), reporter(what, total - len(tasks), total, progress) as report:
        count = min(workers or os.cpu_count(), len(tasks))
        pool = ProcessPoolExecutor(count, get_context("spawn"), initializer=_start_worker)
        try:
            pending = {pool.submit(make, *task) for task in tasks}
            while pending:
                done, pending = wait(pending, timeout=1, return_when=FIRST_COMPLETED)
                for future in done:
                    future.result()
                report(total - len(pending))
        except BrokenProcessPool as error:
            raise OSError(f"{out}: a worker died (out of memory?); run again with fewer workers to continue") from error
        finally:
            pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    """Leave Ctrl-C to the parent, and end with it even if it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def end_with_parent():
        connection.wait([parent_process().sentinel])
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()


@contextmanager
def _one_thread_each():
    """Environment of the workers: one thread each (the last bits depend on it), and no accelerator."""
    threads = ("NPROC", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    settings = dict.fromkeys(threads, "1") | {"JAX_PLATFORMS": "cpu"}
    before = {key: os.environ.get(key) for key in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for key, value in before.items():
            os.environ.pop(key) if value is None else os.environ.update({key: value})
