"""`stemjax denoise --train` and `--fine-tune`: a network learns from the very movie that it is to denoise."""

from dataclasses import dataclass, replace
from pathlib import Path

from stemjax.denoisers.protocol import ask

SELF_SUPERVISED = "noise2void"  # what `--train` takes unless told otherwise
SINGLE = "noise2void-single"


@dataclass(frozen=True)
class Training:
    """How a network is trained on a movie; the fields are options of the verb."""

    model: str
    settings: tuple[str, ...]
    fine_tune: Path | None
    size: str
    steps: int | None
    seed: int
    runs: Path
    time_limit: float | None
    axes: str | None
    sampling: float | None
    fill_nonfinite: bool | None  # None: the verb has no such option
    wandb: bool = False

    def run(self, path: Path):
        """Train on a file or folder until the loss on what is held out falls no longer; returns the `train.Outcome`."""
        from stemjax.cli.training import train_and_report
        from stemjax.data.recordings import open_recording
        from stemjax.training.recipes import holds_out_pixels, learns_from_clips, recorded_run

        movie = open_recording(path, self.axes, self.fill_nonfinite)
        movie = replace(movie, sampling=self.sampling or movie.sampling)
        changes = {"steps": self.steps} if self.steps else {}
        if self.fine_tune:
            denoiser, initial, more = self._old(path, movie)
            changes |= more
        else:
            denoiser, initial = self._new(path, movie.movie.shape[-1]), None
        run = recorded_run(denoiser, self.size, movie, self.seed, **changes)
        chosen = run.selection.images(movie, "train")
        held = f"{len(chosen)} of {len(movie.movie)} frames"
        if chosen.corner is not None:
            held = f"{len(chosen)} pieces of {chosen.side} px out of {len(movie.movie)} frames"
        elif len(movie.movie) == 1 and not learns_from_clips(denoiser):
            held = "a tenth of its pixels held out" if holds_out_pixels(denoiser) else "by which it is judged, too"
        print(f"training on {path}, {held}, in {self.runs / run.hash}", flush=True)
        return train_and_report(run, movie, self.runs, self.wandb, initial=initial, time_limit=self.time_limit)

    def _new(self, path: Path, channels: int):
        """The preset's denoiser, for so many channels together."""
        from stemjax.config import with_settings
        from stemjax.models.presets import find_preset
        from stemjax.training.recipes import learns_from_clips

        name = self.model
        if channels == 1 and name == SELF_SUPERVISED:
            print(f"{path}: one channel, so this is {SINGLE}")
            name = SINGLE
        denoiser = with_settings(find_preset(name).at(self.size), self.settings)
        if not ask(denoiser, "self_supervised"):
            raise ValueError(f"{name} does not learn from noisy images alone: train --model {SELF_SUPERVISED}")
        if name == SINGLE and channels > 1:
            raise ValueError(f"{path}: {channels} channels, but {name} is for one: train --model {SELF_SUPERVISED}")
        if learns_from_clips(denoiser):
            return denoiser
        return replace(denoiser, network=denoiser.network.clone(channels_out=channels))

    def _old(self, path: Path, movie):
        """Denoiser, weights and changes to the run, of a training that goes on with another one's weights."""
        from stemjax.data.recordings import RecordedImaging
        from stemjax.training.recipes import learns_from_clips
        from stemjax.training.train import load_run

        run, variables, info = load_run(self.fine_tune)
        if not ask(run.denoiser, "self_supervised"):
            raise ValueError(f"{self.fine_tune} does not learn from noisy images alone: fine-tune a run of Noise2Void")
        if learns_from_clips(run.denoiser):
            return run.denoiser, variables, {"initial": info["digest"]}
        channels, found = run.imaging.channels, movie.movie.shape[-1]
        if len(channels) != found:
            known = f"{len(channels)} ({', '.join(channels)})"
            raise ValueError(
                f"{path}: {found} channel{'s' * (found > 1)}, but {self.fine_tune} is for {known}: give all of them in "
                "one file, with --axes if need be, or use --train"
            )
        imaging = RecordedImaging(channels, movie.sampling)
        return run.denoiser, variables, {"initial": info["digest"], "imaging": imaging}
