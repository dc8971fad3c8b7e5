"""PSNR, SSIM and NRMSE of one image under a named protocol: nothing is inferred from dtype or values.

========= ============================================= =======================================
protocol  images, and what is done to them              data range
========= ============================================= =======================================
``sbd``   counts; / dose scale, x 255, clamp [0, 255]   255
``stem``  any unit, each channel by itself, unchanged   max - min of the clean channel
``photo`` [0, 1], unchanged                             1
``glyph`` [0, 1] after the paper's rescaling, unchanged 1
``movie`` one frame in counts, unchanged                given: max - min of the clean movie
========= ============================================= =======================================

PSNR, SSIM and NRMSE are scikit-image's (SSIM: uniform 7 x 7 window, sample covariance, K1 0.01, K2 0.03; NRMSE: its
default, "euclidean"). Under every protocol NRMSE is the root mean square error over the root mean square of the clean
image (under ``movie``, of the frame), after the same preparation. It depends on the offset of the image, as PSNR does
not: divided by the data range, the error would be 10^(-PSNR/20), which says nothing that PSNR does not say.
"""

import numpy as np

PROTOCOLS = ("sbd", "stem", "photo", "glyph", "movie")
# Of what the scores mean. 1: NRMSE over the range of the clean image (of the clean movie under ``movie``). 2: over its
# root mean square. A record says which; `records.comparable` knows what changed.
METRICS_VERSION = 2


def score(
    image_true: np.ndarray,
    image_test: np.ndarray,
    protocol: str,
    *,
    dose_scale: float = 1.0,
    clamp: bool = True,
    data_range: float | None = None,
) -> dict[str, float]:
    """PSNR [dB], SSIM and NRMSE of a test image against the clean one.

    Parameters
    ----------
    image_true, image_test : [H, W] or [H, W, C]
        Clean image and the image to judge, in the unit of the protocol.
    protocol : str
        "sbd", "stem", "photo", "glyph" or "movie", as in the table above.
    dose_scale : float
        ``sbd`` alone: counts per vacuum pixel / 0.45, which both images are divided by.
    clamp : bool
        ``sbd`` alone: False leaves values outside [0, 255] as they are, which is how the paper printed its raw row.
    data_range : float, optional
        ``movie`` alone, and needed there: max - min of the whole clean movie.

    Returns
    -------
    dict
        "psnr_db", "ssim" and "nrmse"; under ``stem`` the mean over channels, so give one channel for its own score.

    Raises
    ------
    ValueError
        If shapes differ, a value is NaN or infinite, the protocol is unknown, or an option of another one is given; or
        if the clean image has no scale to measure an error by: constant under ``stem``, zero everywhere under others.

    Notes
    -----
    The sets of the SBD paper hold images of one channel; its scores are means over images.
    """
    true, test = np.asarray(image_true, np.float32), np.asarray(image_test, np.float32)
    _check(true, test, protocol, dose_scale, clamp, data_range)
    if protocol == "stem" and true.ndim == 3:
        channels = [score(true[..., c], test[..., c], protocol) for c in range(true.shape[-1])]
        return {name: float(np.mean([channel[name] for channel in channels])) for name in channels[0]}
    true, data_range = prepared(true, protocol, dose_scale=dose_scale, clamp=clamp, data_range=data_range)
    return _scores(true, _scaled(test, protocol, dose_scale, clamp), data_range)


def prepared(
    image_true: np.ndarray,
    protocol: str,
    *,
    dose_scale: float = 1.0,
    clamp: bool = True,
    data_range: float | None = None,
) -> tuple[np.ndarray, float]:
    """The clean image as it is compared, float32, and the data range; parameters as of `score`, one channel."""
    true = _scaled(np.asarray(image_true, np.float32), protocol, dose_scale, clamp)
    if protocol == "stem":
        return true, _span(true)
    return true, {"sbd": 255.0, "movie": data_range}.get(protocol, 1.0)


def contracts(contract: dict, clean: np.ndarray, unit: np.ndarray) -> list[dict]:
    """The arguments of `score` for each of the images: under ``movie`` with the range of the clean movie.

    Parameters
    ----------
    contract : dict
        The imaging's.
    clean : [M, H, W, C]
        Clean images; the range of a movie is that of all its frames among them.
    unit : [M]
        Movie of each.
    """
    if contract["protocol"] != "movie":
        return [contract] * len(clean)
    ranges = {movie: float(np.ptp(clean[unit == movie])) for movie in set(unit.tolist())}
    return [contract | {"data_range": ranges[movie]} for movie in unit.tolist()]


def _scaled(image: np.ndarray, protocol: str, dose_scale: float, clamp: bool) -> np.ndarray:
    if protocol != "sbd":
        return image
    image = image / np.float32(dose_scale) * np.float32(255)
    return np.clip(image, 0, 255) if clamp else image


def _scores(true: np.ndarray, test: np.ndarray, data_range: float) -> dict[str, float]:
    # Loading it takes a second, and who reads records or trains without scores does not wait for it.
    from skimage.metrics import normalized_root_mse, peak_signal_noise_ratio, structural_similarity

    channel_axis = -1 if true.ndim == 3 else None
    same = np.array_equal(true, test)  # whose ratio to an error of zero would warn
    if not same and not true.any():
        raise ValueError("the clean image is zero everywhere, so NRMSE has no scale for it: leave it out")
    return {
        "psnr_db": float("inf") if same else float(peak_signal_noise_ratio(true, test, data_range=data_range)),
        "ssim": float(structural_similarity(true, test, data_range=data_range, channel_axis=channel_axis)),
        "nrmse": 0.0 if same else float(normalized_root_mse(true, test, normalization="euclidean")),
    }


def _span(channel: np.ndarray) -> float:
    span = float(np.ptp(channel))
    if span == 0:
        raise ValueError("the clean image is constant, so protocol 'stem' has no data range for it: leave it out")
    return span


def _check(true, test, protocol, dose_scale, clamp, data_range) -> None:
    if protocol not in PROTOCOLS:
        raise ValueError(f"unknown protocol {protocol!r}: choose from {', '.join(PROTOCOLS)}")
    if true.shape != test.shape or true.ndim not in (2, 3):
        raise ValueError(
            f"image_true {true.shape} and image_test {test.shape} must have one shape, [H, W] or [H, W, C]"
        )
    for name, image in (("image_true", true), ("image_test", test)):
        if not np.isfinite(image).all():
            raise ValueError(f"{name} holds {np.sum(~np.isfinite(image))} NaN or infinite pixels: it cannot be scored")
    if protocol != "sbd" and (dose_scale != 1.0 or not clamp):
        raise ValueError(f"dose_scale and clamp belong to protocol 'sbd', not {protocol!r}: leave them out")
    if (protocol == "movie") != (data_range is not None):
        raise ValueError("give data_range (max - min of the clean movie) with protocol 'movie', and with no other")
