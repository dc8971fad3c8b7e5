"""What `stemjax denoise` does for movies besides: frames put in place first, and a quality figure after."""

import sys
from pathlib import Path

LARGEST = 2e9  # bytes of a movie that is looked at as a whole


def put_in_place(path: Path, target: Path, axes: str | None, reach: float | None, overwrite: bool) -> Path:
    """Register a movie and write its frames, moved by whole pixels, beside a table of its drift; returns the new file.

    Raises
    ------
    ValueError
        If it is no movie, or cannot be registered; the message says why.
    OSError
        If the result is there already and is not to be replaced.
    """
    import numpy as np

    from stemjax import files
    from stemjax.apply import registration
    from stemjax.data.recordings import read_frames

    image = read_frames(path, axes)
    registered = target.with_name(f"{path.stem}_registered.tif")
    if registered.exists() and not overwrite:
        raise OSError(f"{path}: {registered} is there already; --overwrite replaces it")
    try:
        found = registration.put_in_place(image.data, reach)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    drift = found.drift
    said = {"registered_from": str(path), "gaussian_px": found.gaussian_px}
    said |= {"disagreement_px": round(drift.disagreement, 3)}
    registered.parent.mkdir(parents=True, exist_ok=True)
    files.write_frames(registered, found.movie, found.movie.shape, image, said)
    lines = "".join(f"{t},{y:.3f},{x:.3f}\n" for t, (y, x) in enumerate(drift.path))
    table = registered.with_suffix(".csv")
    files.write_whole(table, lambda stream: stream.write(f"frame,y_px,x_px\n{lines}".encode()))
    span, step = np.ptp(drift.path, axis=0).max(), np.abs(np.diff(drift.path, axis=0)).max()
    print(
        f"registered: drift of {span:.1f} px in all and {step:.1f} px in one frame at most, to "
        f"{drift.disagreement:.1f} px between halves of a frame; {table}"
    )
    if found.is_doubtful:
        print(
            f"warning: {path}: frames agree with the mean of all others, but neighbours by themselves disagree by "
            f"{drift.neighbours:.1f} px: where a lattice fills the frame, frames may be whole spacings off; look at "
            f"{registered}, or give --reach below half the spacing",
            file=sys.stderr,
        )
    return registered


def report_quality(path: Path, target: Path, model, axes: str | None, binned: int) -> None:
    """Print uPSNR of a denoised movie, channel by channel, or why there is none."""
    import numpy as np

    from stemjax import files
    from stemjax.data.recordings import read_frames
    from stemjax.denoisers.protocol import ask
    from stemjax.files import Image
    from stemjax.metrics.unsupervised import umse

    noisy = read_frames(path, axes).data
    if noisy.ndim != 4 or len(noisy) < 2:
        return
    if np.prod(noisy.shape) * 4 > LARGEST:
        print(f"{path}: too large for uPSNR, which looks at the movie as a whole", file=sys.stderr)
        return
    written = {3: "THW", 4: "THWC"}[np.load(target, "r").ndim] if target.suffix == ".npy" else None
    denoised = files.read_image(target, written, mapped=True).data
    if binned > 1:
        noisy = np.stack([Image(np.asarray(frame, np.float32)).bin(binned).data for frame in noisy])
    noisy = np.asarray(noisy, np.float32)
    window = ask(model.denoiser, "frames") or (0, 0)
    for channel in range(noisy.shape[-1]):
        name = f"channel {channel}: " * (noisy.shape[-1] > 1)
        try:
            found = umse(noisy[..., channel], np.asarray(denoised[..., channel]), window)
        except ValueError as error:
            print(f"{name}uPSNR: {error}")
            continue
        if found.verdict:
            print(f"{name}uPSNR: {found.verdict}")
            continue
        ends = f"[{found.upsnr_low_db:.1f}, {found.upsnr_high_db:.1f}]"
        print(f"{name}uPSNR {found.upsnr_db:.1f} dB {ends}, from {found.frames} frames; motion biases it")
