"""The network of WCVD: its size, the authors' outputs, its fast forms, blindness, field of view, homogeneity."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stemjax.denoisers.low_pass import fourier_disc
from stemjax.metrics.field_of_view import field_of_view
from stemjax.networks import BlindEnsemble
from stemjax.networks.wcvd import BLOCK, from_torch
from stemjax.networks.weights import parameter_count, variable_shapes

WCVD, WCID = BlindEnsemble(), BlindEnsemble(frames=1)
TOLERANCE = 5e-5  # of the largest value


def drawn(network, least=-0.2):
    """Weights; with none below 0 every subnet is alive at every pixel."""
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda a: rng.uniform(least, 0.5, a.shape).astype(np.float32), variable_shapes(network))


def a_movie(*shape):
    return np.random.default_rng(0).poisson(2.0, (*shape, 1)).astype(np.float32)


FORMS = ("__call__", "fast", "each", "fast_each")


def apply(network, variables, x, *methods):
    """What the methods give, compiled together."""
    return jax.jit(lambda v, x: [network.apply(v, x, method=method) for method in methods])(variables, x)


# ---------------------------------------------------------------------------------------------------- the authors'
@pytest.fixture(scope="module")
def parity(reference):
    path = reference / "parity" / "wcvd.npz"
    if not path.exists():
        pytest.skip(f"the authors' outputs are not here: {path} is missing (set STEMJAX_REFERENCE)")
    with np.load(path) as arrays, jax.default_matmul_precision("highest"):
        yield dict(arrays)


def entries(arrays, prefix):
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def last(array):
    """N, C, T, H, W -> N, T, H, W, C."""
    return np.moveaxis(array, 1, -1)


def assert_close(ours, theirs):
    assert ours.shape == theirs.shape and np.abs(ours - theirs).max() <= TOLERANCE * np.abs(theirs).max()


@pytest.mark.parametrize("case", "012")
def test_outputs_are_the_authors(parity, case):
    variables, x = from_torch(entries(parity, "param/"), WCVD), last(parity["x" + case])
    theirs = np.concatenate([last(parity[f"y{case}_subnet{i}"]) for i in range(3)], -1)
    plain, fast, each, fast_each = apply(WCVD, variables, x, *FORMS)
    for y in (plain, fast):
        assert_close(y, last(parity["y" + case]))
    for y in (each, fast_each):
        assert_close(y, theirs)
    assert_close(fourier_disc(fast, 3, isotropic=False), last(parity["lp" + case]))


def test_gradients_are_the_authors(parity):
    state, x = entries(parity, "param/"), last(parity["x0"])
    params = from_torch(state, WCVD)["params"]

    def loss(params):
        each = WCVD.apply({"params": params}, x, method="fast_each")
        return jnp.mean((each @ jax.nn.softmax(params["mix_weights"])[:, None] - x[:, 1:-1]) ** 2)

    value, gradients = jax.jit(jax.value_and_grad(loss))(params)
    assert float(value) == pytest.approx(float(parity["train_loss"]), rel=1e-5)
    theirs = from_torch(state | entries(parity, "grad/"), WCVD)["params"]
    assert not np.array_equal(gradients["mix_weights"], params["mix_weights"])
    jax.tree.map(assert_close, gradients, theirs)


def test_a_wrong_checkpoint_is_named():
    state = {"mix_weights": np.zeros(3), "lowpass.mask": np.zeros((1, 1, 1, 7, 7))}
    for i, size in enumerate(WCVD.kernels):
        state[f"subnets.{i}.layers.0.conv.weight"] = np.zeros((3, 1, 3, size, size))
        state |= {f"subnets.{i}.layers.{n}.weight": np.zeros((3, 3, 1, 1, 1)) for n in (1, 3, 5, 7)}
        state[f"subnets.{i}.layers.9.weight"] = np.zeros((1, 3, 1, 1, 1))
    assert jax.tree.map(np.shape, from_torch(state, WCVD)) == jax.tree.map(np.shape, variable_shapes(WCVD))
    with pytest.raises(ValueError, match=r"subnets.2.layers.0.conv.weight has shape \(3, 1, 3, 7, 7\)"):
        from_torch(state, WCID)
    with pytest.raises(ValueError, match="not of BlindEnsemble.*subnets.0.layers.11.weight is missing"):
        from_torch(state, WCVD.clone(layers=5))
    with pytest.raises(ValueError, match="subnets.0.layers.9.weight is unknown"):
        from_torch(state, WCVD.clone(layers=3))


# ---------------------------------------------------------------------------------------------------- theory
def test_published_parameter_count():
    assert parameter_count(WCVD) == 867
    assert parameter_count(WCID) == 867 - 2 * 3 * (9 + 25 + 49)


@pytest.mark.parametrize(
    ("network", "width"),
    [(WCVD, 3 * BLOCK), (WCID, 5), (BlindEnsemble(kernels=(3, 11), features=2, layers=1, frames=5), 21)],
    ids=["wcvd", "wcid", "other"],
)
def test_the_fast_forms_equal_the_plain_one(network, width):
    variables, x = drawn(network, least=0.0), a_movie(2, 6, 9, width) - 1.5
    plain, fast, each, fast_each = apply(network, variables, x, *FORMS)
    assert plain.shape == (2, 7 - network.frames, 9, width, 1) and plain.any()
    np.testing.assert_allclose(fast, plain, atol=1e-5 * np.abs(plain).max())
    np.testing.assert_allclose(fast_each, each, atol=1e-5 * np.abs(each).max())


@pytest.mark.parametrize(("network", "method"), [(WCVD, "__call__"), (WCVD, "fast"), (WCID, "fast_each")])
def test_an_output_pixel_sees_all_its_surroundings_and_never_itself(network, method):
    """The derivatives: exactly 0 at the pixel itself and beyond the field of view, which wraps around; else not."""
    variables, x = drawn(network, least=0.0), jnp.asarray(a_movie(1, network.frames, 16, 18))
    row, column = 1, 16  # near a border
    output = lambda x: network.apply(variables, x, method=method)[0, 0, row, column].sum()
    seen = np.asarray(jax.jit(jax.grad(output))(x))[0, ..., 0] != 0
    expected = np.zeros_like(seen)
    reach = np.arange(-3, 4)
    expected[:, (row + reach[:, None]) % 16, (column + reach) % 18] = True
    expected[network.frames // 2, row, column] = False
    np.testing.assert_array_equal(seen, expected)
    assert field_of_view(network.geometry()) == 7 and seen.sum() == 49 * network.frames - 1


def test_the_middle_stays_hidden_whatever_its_weights():
    variables, x = drawn(WCVD), a_movie(1, 3, 8, 8)
    changed = jax.tree.map(np.copy, variables)
    for i in range(3):
        middle = WCVD.kernels[i] // 2
        changed["params"][f"subnets_{i}"]["blind_kernel"][1, middle, middle] = 100
    pairs = zip(apply(WCVD, variables, x, *FORMS), apply(WCVD, changed, x, *FORMS), strict=True)
    for before, after in pairs:
        np.testing.assert_array_equal(before, after)


def test_it_is_homogeneous_and_periodic_in_space():
    variables, x = drawn(WCVD), a_movie(1, 4, 12, 10)
    y, scaled, rolled = (apply(WCVD, variables, m, "fast")[0] for m in (x, 250 * x, np.roll(x, (5, 3), (2, 3))))
    np.testing.assert_allclose(scaled, 250 * y, atol=1e-5 * np.abs(scaled).max())
    np.testing.assert_allclose(rolled, np.roll(y, (5, 3), (2, 3)), atol=1e-5 * np.abs(y).max())


def test_a_uniform_movie_gives_the_response():
    variables = drawn(WCVD)
    (y,) = apply(WCVD, variables, np.ones((1, 3, 8, 8, 1), np.float32), "each")
    np.testing.assert_allclose(y[0, 0, 2, 3], WCVD.apply(variables, method="responses"), rtol=1e-5)


def test_illegal_networks_say_why():
    for change in ({"kernels": (3, 4)}, {"frames": 2}, {"features": 0}, {"layers": 0}):
        with pytest.raises(ValueError, match="a middle only where its sides are odd"):
            BlindEnsemble(**change)
