"""`stemjax.denoise` and `stemjax.score`: an image in, a denoised image out, and how good that is."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from stemjax import files
from stemjax.apply.inference import HALO
from stemjax.apply.job import Job
from stemjax.metrics import image as metrics
from stemjax.metrics.unsupervised import umse
from stemjax.models.model import load_model

SMALLEST = 7  # px, the side of the window that SSIM looks through


def denoise(
    image: Any,
    model: Any = None,
    *,
    settings: Sequence[str] | dict = (),
    axes: str | None = None,
    sampling: float | None = None,
    bin: int = 1,
    fill_nonfinite: bool = False,
    tile: int | None = None,
    blend: str = HALO,
) -> Any:
    """Denoise an image or a movie.

    Parameters
    ----------
    image : Image, array or path
        As `stemjax.read` gives it; an array [H, W], [T, H, W] or with `axes`; or a file or a folder.
    model : str, path, Model, function or denoiser, optional
        A name from `stemjax.list_models`, a run's folder, what `stemjax.train` returned, or a method of one's own: a
        function of an image [H, W], or an object with a method ``denoise(variables, noisy)`` on arrays [B, H, W, C],
        which says ``on_host = True`` where it computes with NumPy. By default the network that ships with stemjax.
    settings : sequence of str, or dict
        Of the model, such as {"sigma": 2}.
    axes : str, optional
        What the axes of an array mean: T frames, H rows, W columns, C channels, e.g. "HWC".
    sampling : float, optional
        Pixel size [Å], where the image does not say it.
    bin : int
        Sum blocks of so many by so many pixels before denoising.
    fill_nonfinite : bool
        Fill in NaN and infinite pixels, denoise, and set them to NaN again.
    tile : int, optional
        Side of the tiles [px] for images too large for the memory. By default as large as fits.
    blend : {"halo", "average"}
        Keep the middle of tiles that overlap enough, or average tiles as the papers do.

    Returns
    -------
    Image, or an array where an array came in
        An Image has the pixel size of the result, its `provenance`, and the `noisy` image as the model saw it.

    Raises
    ------
    ValueError
        If it is no image that the model takes.

    Warns
    -----
    UserWarning
        Where something speaks against the result: another pixel size than the model was trained at, say.

    Examples
    --------
    >>> noisy = np.random.default_rng(0).poisson(3.0, (32, 32))
    >>> denoise(noisy, "gaussian", settings={"sigma": 2}).shape
    (32, 32)
    """
    model = load_model(model).with_settings(settings)
    job = Job(axes, sampling, bin, fill_nonfinite, tile=tile, blend=blend)
    if isinstance(image, str) or hasattr(image, "__fspath__"):
        source, ndim = files.read(image, axes), None
    else:
        source, ndim = files.as_image(image, axes), None if isinstance(image, files.Image) else np.ndim(image)
    work = job.look(source, model)
    for text in work.warnings:
        job.warn(source.path, text)
    frames = list(job.checked(job.denoised(work, model), work, model))
    data = np.stack(frames).reshape(work.shape)
    if ndim is not None:
        return files.as_array(data, axes, ndim)
    noisy = replace(work.image, data=np.stack(list(job.frames(work.movie))).reshape(work.shape))
    return replace(work.image, data=data, dtype="float32", provenance=job.provenance(work, model), noisy=noisy)


def score(
    denoised: Any,
    clean: Any = None,
    noisy: Any = None,
    *,
    axes: str | None = None,
    data_range: float | None = None,
    window: tuple[int, int] | None = None,
) -> dict[str, float]:
    """How good a denoised image is, against the truth; or a denoised movie without it, against its own noisy frames.

    Parameters
    ----------
    denoised : Image or array
        From `stemjax.denoise`, say.
    clean : Image or array, optional
        The truth, of the same shape and unit.
    noisy : Image or array, optional
        Without the truth: the noisy movie. By default what the image was denoised from.
    axes : str, optional
        What the axes of arrays mean. One of the very shape of the denoised image has its axes.
    data_range : float, optional
        For PSNR and SSIM; by default maximum minus minimum of each clean channel.
    window : (int, int), optional
        Without the truth: how many frames before and after each one the method looked at, (0, 0) where it saw each by
        itself. What `stemjax.denoise` returned knows it; of arrays and files it has to be said.

    Returns
    -------
    dict
        With the truth ``psnr_db``, ``ssim`` and ``nrmse``, means over frames and channels. Without it ``upsnr_db`` with
        its 95 % interval ``upsnr_low_db``, ``upsnr_high_db``, mean over channels, and ``frames`` that it is from.

    Raises
    ------
    ValueError
        If shapes differ, or there is neither truth nor a movie of enough frames.

    Notes
    -----
    uPSNR (Lee et al.) compares a denoised frame with noisy frames that the method did not see; motion biases it.
    """
    result = files.as_image(denoised, axes)
    if clean is not None and noisy is not None:
        raise ValueError("give the truth, clean=, or the noisy movie, noisy=, not both")
    if data_range is not None and not data_range > 0:
        raise ValueError(f"data_range {data_range!r}: give a number above 0")
    if clean is not None:
        truth = _beside(clean, result, axes).data
        if truth.shape != result.data.shape:
            raise ValueError(f"the clean image is {_size(truth)}, but the denoised one is {_size(result.data)}")
        return _against(truth, result.data, data_range)
    other = noisy if noisy is not None else result.noisy
    if other is None:
        raise ValueError("there is nothing to compare with: give clean=, or noisy= for a movie")
    frames = _beside(other, result, axes).data
    if frames.shape != result.data.shape:
        raise ValueError(f"the noisy movie is {_size(frames)}, but the denoised one is {_size(result.data)}")
    if frames.ndim != 4:
        raise ValueError("without the truth it takes a movie; this is a single image: give clean=")
    window = _window(result, window)
    measured = [umse(frames[..., c], result.data[..., c], window) for c in range(frames.shape[-1])]
    if verdict := next((one.verdict for one in measured if one.verdict), None):
        raise ValueError(f"uPSNR: {verdict}")
    names = ("upsnr_db", "upsnr_low_db", "upsnr_high_db")
    return {name: float(np.mean([getattr(one, name) for one in measured])) for name in names} | {
        "frames": measured[0].frames
    }


def _window(result: files.Image, window: tuple[int, int] | None) -> tuple[int, int]:
    """Frames before and after each one that the method looked at.

    Raises
    ------
    ValueError
        If nobody says it, or it is none.
    """
    if window is None and not result.provenance:
        raise ValueError("say window=(before, after), the frames that the method looked at; (0, 0) if each by itself")
    window = tuple(result.provenance.get("frames", (0, 0))) if window is None else window
    if not isinstance(window, tuple) or len(window) != 2 or not all(isinstance(n, int) and n >= 0 for n in window):
        raise ValueError(f"window {window!r}: give two whole numbers of frames, (before, after)")
    return window


def _beside(other: Any, result: files.Image, axes: str | None) -> files.Image:
    """What a denoised image is compared with: where it has the very shape, it has the same axes."""
    alike = not isinstance(other, files.Image) and np.shape(other) == result.data.shape
    return files.as_image(other, result.axes if alike else axes)


def _against(clean: np.ndarray, denoised: np.ndarray, data_range: float | None) -> dict[str, float]:
    """Means over frames and channels of the scores against the truth."""
    if min(clean.shape[-3:-1]) < SMALLEST:
        raise ValueError(f"images of less than {SMALLEST} px have no SSIM: give larger ones")
    contract = {"protocol": "movie", "data_range": data_range} if data_range else {"protocol": "stem"}
    pairs = zip(clean.reshape(-1, *clean.shape[-3:]), denoised.reshape(-1, *clean.shape[-3:]), strict=True)
    each = [
        metrics.score(true[..., c], test[..., c], **contract) for true, test in pairs for c in range(clean.shape[-1])
    ]
    return {name: float(np.mean([one[name] for one in each])) for name in each[0]}


def _size(data: np.ndarray) -> str:
    return " x ".join(map(str, data.shape))
