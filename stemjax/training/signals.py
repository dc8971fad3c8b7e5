"""What a long job does with SIGINT and SIGTERM."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def stop_signal() -> Iterator[list[str]]:
    """Collect SIGINT and SIGTERM instead of dying of them: the loop looks, saves and leaves."""
    caught: list[str] = []
    previous = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            previous[number] = signal.signal(number, lambda n, _: caught.append(signal.Signals(n).name))
    except ValueError:
        pass  # not the main thread: signals stay with whoever owns it
    try:
        yield caught
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
