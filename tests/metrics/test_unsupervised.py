"""uMSE, uPSNR and CSS: unbiased where they should be, and wrong as told where they are not."""

import numpy as np
import pytest

from stemjax.metrics.unsupervised import common_window, css, references, umse, upsnr_difference

SCENE = 2 + np.sin(np.arange(64) / 3)[:, None] * np.cos(np.arange(64) / 5)


def recorded(frames: int = 20, seed: int = 0, scene=SCENE) -> np.ndarray:
    return np.random.default_rng(seed).poisson(np.broadcast_to(scene, (frames, 64, 64))).astype(float)


def test_references_are_the_nearest_frames_that_the_denoiser_did_not_see():
    chosen = {t: rest for t, *rest in references(20, (1, 1))}
    assert chosen[10] == [12, 8, 13]
    assert chosen[0] == [2, 3, 4] and chosen[19] == [17, 16, 15]
    assert chosen[2] == [4, 0, 5]
    for window in ((0, 0), (1, 1), (2, 2), (2, 0)):
        for t, *rest in references(9, window):
            assert len({t, *rest}) == 4
            assert not any(-window[0] <= s - t <= window[1] for s in rest)
    assert common_window([(1, 1), (0, 2), (0, 0)]) == (1, 2)


@pytest.mark.parametrize("frames, window, enough", [(3, (0, 0), False), (4, (0, 0), True), (5, (1, 1), True)])
def test_too_few_frames_are_said_plainly(frames, window, enough):
    if enough:
        assert references(frames, window)
        return
    with pytest.raises(ValueError, match="insufficient frames: 3 of them.*at least 4"):
        references(frames, window)


def test_umse_is_unbiased_for_a_denoiser_that_is_off_by_a_known_error():
    off = 0.3 * np.random.default_rng(1).standard_normal((64, 64))
    found = [umse(recorded(seed=seed), np.broadcast_to(SCENE + off, (20, 64, 64)), (1, 1)) for seed in range(12)]
    true = np.mean(off**2)
    values = np.array([estimate.umse for estimate in found])
    assert abs(values.mean() - true) < 3 * values.std(ddof=1) / np.sqrt(len(values))
    covered = sum(estimate.umse_low <= true <= estimate.umse_high for estimate in found)
    assert covered >= 9  # 95 % of 12
    best = found[0]
    assert best.upsnr_db == pytest.approx(10 * np.log10(best.peak**2 / best.umse))
    assert best.upsnr_low_db < best.upsnr_db < best.upsnr_high_db and best.frames == 20 and best.verdict == ""


def test_overlapping_frames_flatter_a_method_that_copies_its_neighbours():
    noisy = recorded()
    copied = (noisy[[1, *range(19)]] + noisy[[*range(1, 20), 18]]) / 2
    true = np.mean((copied - SCENE) ** 2)
    assert umse(noisy, copied, (1, 1)).umse == pytest.approx(true, rel=0.05)
    assert umse(noisy, copied, (1, 1), overlap=True).umse < 0.3 * true


def test_steady_motion_makes_umse_too_small():
    moving = np.stack([np.roll(SCENE, t, axis=1) for t in range(20)])
    found = umse(10 * recorded(scene=100 * moving) / 1000, moving, (1, 1))  # little noise
    expected = 0.0
    chosen = references(20, (1, 1))
    for t, *others in chosen:
        x, a, b, c = moving[[t, *others]]
        expected += np.mean((a - x) ** 2 + (b - x) ** 2 - ((b - c) ** 2 + (a - c) ** 2) / 2) / 2 / len(chosen)
    assert expected < -0.005
    assert found.umse == pytest.approx(expected, rel=0.2)


def test_an_error_that_cannot_be_told_from_zero_is_said():
    found = [umse(recorded(6, seed), np.broadcast_to(SCENE, (6, 64, 64)), (1, 1)) for seed in range(6)]
    assert any(np.isnan(estimate.upsnr_db) for estimate in found)
    assert all(estimate.umse_low <= 0 for estimate in found)
    assert found[0].verdict.startswith("insufficient frames")


def test_a_region_has_the_error_of_its_own_pixels():
    off = np.zeros((64, 64))
    off[10:40, 5:30] = 0.5  # a corner of several tiles
    region, denoised = off > 0, np.broadcast_to(SCENE + off, (20, 64, 64))
    found = [umse(recorded(seed=seed), denoised, (1, 1), region=region) for seed in range(12)]
    values = np.array([estimate.umse for estimate in found])
    assert abs(values.mean() - 0.25) < 4 * values.std() / 12**0.5 and values.std() < 0.05
    whole = umse(recorded(), denoised, (1, 1))
    assert found[0].peak == whole.peak and found[0].umse_low < found[0].umse < found[0].umse_high
    assert umse(recorded(), denoised, (1, 1), region=np.ones((64, 64), bool)) == whole
    for wrong in (np.zeros((64, 64), bool), np.ones((64, 64)), region[:32]):
        with pytest.raises(ValueError, match="a region is True in some pixels of a frame .64, 64.; this one is"):
            umse(recorded(), denoised, (1, 1), region=wrong)


def test_the_difference_of_two_methods_is_known_better_than_either():
    noisy = recorded()
    one, other = (np.broadcast_to(SCENE + shift, noisy.shape) for shift in (0.20, 0.22))
    difference, low, high = upsnr_difference(noisy, one, other, (1, 1))
    assert low < 20 * np.log10(0.22 / 0.20) < high and low < difference < high
    alone = umse(noisy, one, (1, 1))
    assert high - low < (alone.upsnr_high_db - alone.upsnr_low_db) / 2


def test_movies_that_do_not_fit_together_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        umse(recorded(), recorded()[:5])


def test_frames_that_are_copies_of_each_other_are_refused():
    """Their noise is the same, so that b - c would say that there is none."""
    movie = recorded()
    movie[7] = movie[3]
    with pytest.raises(
        ValueError, match="frames 3 and 7 are copies of each other, but it needs noise that is independ"
    ):
        umse(movie, np.broadcast_to(SCENE, movie.shape))
    dark = np.zeros((6, 64, 64))  # equal frames that hold nothing: that the frames do not suffice is said already
    assert umse(dark, dark).verdict.startswith("insufficient frames")


def test_css_is_one_for_a_constant_and_low_for_noise():
    noise = np.random.default_rng(0).uniform(size=(5, 32, 32))
    assert css(np.full((4, 8, 8), 0.5)) == pytest.approx(1)
    assert abs(css(noise)) < 0.1
    assert css(np.broadcast_to(noise[0], (3, 32, 32))) == pytest.approx(1)
    assert css(np.stack([noise[0], 1 - noise[0]])) < -0.9
    with pytest.raises(ValueError, match="at least two"):
        css(noise[:1])
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        css(2 * noise)
