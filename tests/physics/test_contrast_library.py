"""Rendering against closed forms and slow sums, and its symmetries."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stemjax.physics import contrast_library
from tests.toys import au_graphene as toy_movies
from tests.toys.au_graphene import CELL, FWHM, PATCH, SAMPLING, SITES, SIZE

SHAPE = (30, 26)
VIEW, FRAME = (
    jax.jit(contrast_library.view, static_argnames="sampling"),
    jax.jit(contrast_library.frame, static_argnames="pixels"),
)
NO_DRIFT = np.zeros(2, np.float32)


@pytest.fixture(scope="module")
def library():
    return toy_movies.make_library()


def show(library, positions, rotation=0.0, blur=0.6, drift=NO_DRIFT, shape=SHAPE, rows=5):
    """A frame float32 [H, W, 2] with adatoms at `positions` [n, 2], padded to `rows`."""
    padded = np.zeros((rows, 2), np.float32)
    padded[: len(positions)] = positions
    present = np.arange(rows) < len(positions)
    seen = VIEW(library, rotation, blur, SAMPLING)
    return np.asarray(FRAME(seen, padded, present, np.asarray(drift, np.float32), shape))


def unturn(y, x, rotation):
    """Coordinates in the lattice of a vector in the frame: its products with the turned axes of the lattice."""
    angle = np.deg2rad(rotation)
    return y * np.cos(angle) - x * np.sin(angle), y * np.sin(angle) + x * np.cos(angle)


def bilinear(y, x):
    """Weights of the 9 sites around a point of the lattice, by solving for its fractional coordinates."""
    u, v = 3 * np.linalg.solve([[CELL[1], CELL[1] / 2], [0, CELL[0] / 2]], [x, y])
    weights = np.zeros(9)
    for i in (0, 1):
        for j in (0, 1):
            part = (1 - abs(u - np.floor(u) - i)) * (1 - abs(v - np.floor(v) - j))
            weights[int(np.floor(u) + i) % 3 * 3 + int(np.floor(v) + j) % 3] += part
    return weights


def slow_frame(contrast_at, background_at, positions, rotation, drift, shape=SHAPE):
    """A frame in float64, pixel by pixel from functions of positions in the lattice."""
    y, x = np.meshgrid(*(SAMPLING * np.arange(n) for n in shape), indexing="ij")
    image = background_at(*unturn(y - drift[0], x - drift[1], rotation))
    for row, column in positions:
        weights = bilinear(*unturn(row - drift[0], column - drift[1], rotation))
        image = image + contrast_at(weights, *unturn(y - row, x - column, rotation))
    return image


def decibels(true, test):
    """The lowest PSNR over channels [dB]."""
    error = np.sqrt(np.mean((true - test) ** 2, axis=(0, 1)))
    return (20 * np.log10(np.ptp(true, axis=(0, 1)) / error)).min()


POSITIONS = np.array([[5.3, 4.1], [9.0, 7.77], [-1.2, 3.0], [12.9, 12.6]], np.float32)  # two of them partly outside


@pytest.mark.parametrize(("rotation", "blur"), [(0.0, 0.5), (17.0, 0.8), (-74.0, 0.6)])
def test_gaussians_are_rendered_as_their_closed_form(library, rotation, blur):
    drift = np.array([0.31, -0.83])

    def contrast_at(weights, y, x):
        return weights @ toy_movies.heights(np.arange(9)) * toy_movies.closed_form(y, x, blur)

    def background_at(y, x):
        return toy_movies.closed_form_background(y, x, blur)

    true = slow_frame(contrast_at, background_at, POSITIONS, rotation, drift)
    assert decibels(true, show(library, POSITIONS, rotation, blur, drift)) > 80


def test_any_band_limited_library_is_rendered_exactly():
    """Against the sum over Fourier coefficients in float64; only the taper reaches beyond the band, a little."""
    rng, blur, rotation = np.random.default_rng(1), 0.55, 33.0
    place = (np.arange(SIZE) - SIZE // 2) * PATCH / SIZE
    radius = np.hypot(place[:, None], place)[..., None]
    taper = np.where(radius < PATCH / 2, np.cos(np.pi * radius / PATCH) ** 2, 0)
    contrast = band_limited(rng.normal(size=(9, SIZE, SIZE, 2)), (PATCH, PATCH), 0.9) * taper
    background = band_limited(rng.normal(size=(14, 8, 2)), CELL, 1.5)
    library = contrast_library.Library(
        jnp.asarray(background, jnp.float32), jnp.asarray(contrast, jnp.float32), jnp.asarray(SITES), CELL, PATCH
    )

    def contrast_at(weights, y, x):
        middle = SIZE // 2 * PATCH / SIZE
        image = fourier_sum(np.tensordot(weights, contrast, 1), (PATCH, PATCH), y + middle, x + middle, blur)
        return np.where((np.hypot(y, x) < PATCH / 2)[..., None], image, 0)

    def background_at(y, x):
        return fourier_sum(background, CELL, y, x, blur)

    true = slow_frame(contrast_at, background_at, POSITIONS[:2], rotation, NO_DRIFT, (24, 20))
    assert decibels(true, show(library, POSITIONS[:2], rotation, blur, shape=(24, 20))) > 80


def frequencies(shape, sides):
    """[1/Å]"""
    return np.meshgrid(*(np.fft.fftfreq(n, side / n) for n, side in zip(shape, sides, strict=True)), indexing="ij")


def band_limited(images, sides, limit):
    inside = np.hypot(*frequencies(images.shape[-3:-1], sides)) < limit
    return np.fft.ifft2(np.fft.fft2(images, axes=(-3, -2)) * inside[..., None], axes=(-3, -2)).real


def fourier_sum(image, sides, y, x, blur):
    ky, kx = frequencies(image.shape[:2], sides)
    damping = np.exp(-2 * (np.pi * blur / FWHM) ** 2 * (ky**2 + kx**2))[..., None]
    spectrum = (np.fft.fft2(image, axes=(0, 1), norm="forward") * damping).reshape(-1, 2)
    waves = np.exp(2j * np.pi * (y[..., None] * ky.ravel() + x[..., None] * kx.ravel()))
    return (waves @ spectrum).real


def test_a_quarter_turn_turns_the_frame(library):
    """About pixel (0, 0), hence the drift that brings the frame back into view."""
    back = np.array([0.0, (SHAPE[0] - 1) * SAMPLING])
    turned = np.stack([POSITIONS[:, 1], -POSITIONS[:, 0]], axis=-1) + back
    straight = show(library, POSITIONS)
    quarter = show(library, turned, rotation=90.0, drift=back, shape=SHAPE[::-1])
    np.testing.assert_allclose(quarter, np.rot90(straight, -1), atol=2e-5)


def test_drift_by_whole_pixels_shifts_the_frame(library):
    shift = np.array([3, -2])
    still = show(library, POSITIONS, rotation=10.0)
    moved = show(library, POSITIONS + shift * SAMPLING, rotation=10.0, drift=shift * SAMPLING)
    np.testing.assert_allclose(moved[3:, :-2], still[:-3, 2:], atol=2e-5)


def test_the_lattice_repeats(library):
    """A drift by a lattice vector is none; nor does an adatom's look change from one primitive cell to the next."""
    still = show(library, POSITIONS)
    for vector in ((CELL[0], 0.0), (0.0, CELL[1]), (CELL[0] / 2, CELL[1] / 2)):
        np.testing.assert_allclose(show(library, POSITIONS, drift=vector), still, atol=2e-5)
    assert np.abs(show(library, POSITIONS, drift=(0.5, 0.0)) - still).max() > 1e-3


def test_site_weights():
    primitive = np.array([[0.0, CELL[1]], [CELL[0] / 2, CELL[1] / 2]])  # (y, x) of the two vectors
    at_sites = contrast_library.site_weights(
        jnp.asarray(SITES @ primitive + 3 * primitive[1]), jnp.asarray(SITES), CELL
    )
    np.testing.assert_allclose(at_sites, np.eye(9), atol=1e-5)
    anywhere = np.random.default_rng(0).uniform(-30, 30, (50, 2))
    weights = contrast_library.site_weights(jnp.asarray(anywhere), jnp.asarray(SITES), CELL)
    np.testing.assert_allclose(weights, [bilinear(*point) for point in anywhere], atol=1e-4)


def test_geometry_inverts():
    points = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    there = contrast_library.to_frame(points, 25.0, np.array([1.0, -2.0]))
    np.testing.assert_allclose(contrast_library.to_lattice(there, 25.0, np.array([1.0, -2.0])), points, atol=1e-5)
    np.testing.assert_allclose(
        contrast_library.to_frame(np.array([0.0, 1.0]), 90.0, NO_DRIFT), [1, 0], atol=1e-6
    )  # x to y


def test_absent_and_distant_adatoms_do_not_show(library):
    bare = show(library, np.zeros((0, 2)))
    np.testing.assert_array_equal(show(library, np.zeros((0, 2)), rows=3), bare)
    far = PATCH / 2 + 2 * SAMPLING
    outside = [(-far, 5.0), (5.0, SHAPE[1] * SAMPLING + far), (1e4, 1e4), (-1e4, 3.0)]
    np.testing.assert_array_equal(show(library, outside), bare)
    assert np.abs(show(library, [(-0.5, 5.0)]) - bare).max() > 0.05


def test_a_movie_is_its_frames(library):
    seen = VIEW(library, 5.0, 0.6, SAMPLING)
    positions = np.stack([POSITIONS, POSITIONS + 1])
    present, drift = np.array([[True] * 4, [True, False] * 2]), np.array([[0.0, 0.0], [0.2, 0.1]], np.float32)
    movie = jax.jit(contrast_library.movie, static_argnames="pixels")(seen, positions, present, drift, SHAPE)
    for frame in range(2):
        one = FRAME(seen, positions[frame], present[frame], drift[frame], SHAPE)
        np.testing.assert_allclose(movie[frame], one, atol=1e-6)


def test_it_compiles_once(library):
    traces = []

    @jax.jit
    def draw(rotation, blur, positions, present, drift):
        traces.append(1)
        return contrast_library.frame(
            contrast_library.view(library, rotation, blur, SAMPLING), positions, present, drift, (8, 8)
        )

    for count in range(3):
        draw(1.0 * count, 0.5 + 0.1 * count, POSITIONS + count, np.arange(4) < count, np.full(2, 0.1 * count, "f4"))
    assert len(traces) == 1


def test_gradients_by_position_are_those_of_differences(library):
    seen = VIEW(library, 12.0, 0.6, SAMPLING)
    weights = np.random.default_rng(0).normal(size=(*SHAPE, 2)).astype(np.float32)

    @jax.jit
    def measure(positions):
        return jnp.sum(weights * contrast_library.frame(seen, positions, np.ones(4, bool), NO_DRIFT, SHAPE))

    gradient = np.asarray(jax.jit(jax.grad(measure))(POSITIONS))
    assert np.isfinite(gradient).all()
    for row, axis in ((0, 0), (1, 1), (2, 0)):
        step = np.zeros_like(POSITIONS)
        step[row, axis] = 0.01
        difference = (measure(POSITIONS + step) - measure(POSITIONS - step)) / 0.02
        assert gradient[row, axis] == pytest.approx(float(difference), rel=0.02, abs=2e-3)
