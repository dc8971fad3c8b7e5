"""What people see of a training: a progress bar on a terminal, a line per event elsewhere."""

import sys
from typing import Any


def quality(measured: dict[str, Any]) -> str:
    """How good a network is on validation images, of what `validation.validation` measured."""
    texts = []
    if (db := measured.get("validation_psnr_db")) is not None:
        texts.append(f"{db:.2f} dB on validation images")
    if (loss := measured.get("validation_loss")) is not None:
        texts.append(f"validation loss {loss:.4g}")
    return ", ".join(texts)


class Report:
    """Shows the log: a progress bar on a terminal, a line per event elsewhere."""

    def __init__(self, steps: int):
        self.steps, self.bar = steps, None

    def __enter__(self):
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

            columns = BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), TimeRemainingColumn()
            self.bar = Progress(*columns, console=Console(stderr=True))
            self.bar.start()
            self.task = self.bar.add_task("compiling", total=self.steps)
        return self

    def __call__(self, event: dict) -> None:
        text = ", ".join(filter(None, [f"step {event['step']}/{self.steps}, loss {event['loss']:.4g}", quality(event)]))
        if self.bar:
            self.bar.update(self.task, completed=event["step"], description=text)
        else:
            print(f"{text}, {event['time_s']:.0f} s", file=sys.stderr, flush=True)

    def __exit__(self, *error) -> None:
        if self.bar:
            self.bar.stop()
