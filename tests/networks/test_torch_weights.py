"""Weights under their PyTorch names: agreement with the authors' own outputs, and what a wrong checkpoint is told."""

import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stemjax.networks import DURR, DnCNN, UNet, dncnn, durr, unet

REFERENCE = Path(os.environ.get("STEMJAX_REFERENCE", Path(__file__).parents[3] / "shared" / "reference"))
TOLERANCE = 5e-5  # of the largest value


@pytest.fixture(scope="module")
def parity():
    path = REFERENCE / "parity" / "sbd_unet_s2_b4.npz"
    if not path.exists():
        pytest.skip("the authors' outputs are not here: set STEMJAX_REFERENCE to the folder that holds parity/")
    with np.load(path) as arrays, jax.default_matmul_precision("highest"):
        yield dict(arrays)


def entries(arrays, prefix):
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def nhwc(array):
    return jnp.asarray(array.transpose(0, 2, 3, 1))


def assert_close(ours, theirs):
    def check(a, b):
        assert jnp.abs(a - b).max() <= TOLERANCE * jnp.abs(b).max()

    jax.tree.map(check, ours, theirs)


@pytest.mark.parametrize("size", ["0", "1"], ids=["even", "odd"])
def test_unet_evaluates_as_the_authors_do(parity, size):
    network = UNet(scales=2, width=4)
    variables = unet.from_torch(entries(parity, "param/"), network)
    assert_close(jax.jit(network.apply)(variables, nhwc(parity["x" + size])), nhwc(parity["y" + size]))


def test_unet_trains_as_the_authors_do(parity):
    network = UNet(scales=2, width=4)
    state = entries(parity, "param/")
    variables = unet.from_torch(state, network)

    def loss(params):
        x = nhwc(parity["train_x"])
        y, after = network.apply({**variables, "params": params}, x, train=True, mutable=["batch_stats"])
        return jnp.sum((y - nhwc(parity["train_t"])) ** 2) / 8, (y, after["batch_stats"])

    (value, (y, batch_stats)), gradients = jax.jit(jax.value_and_grad(loss, has_aux=True))(variables["params"])
    assert_close(value, parity["train_loss"])
    assert_close(y, nhwc(parity["train_y"]))
    assert_close(gradients, unet.from_torch(state | entries(parity, "grad/"), network)["params"])
    assert_close(batch_stats, unet.from_torch(state | entries(parity, "after/"), network)["batch_stats"])


def dncnn_state():
    rng = np.random.default_rng(0)
    shapes = {
        "first_layer.weight": (2, 1, 3, 3),
        "hidden_layer_list.0.weight": (2, 2, 3, 3),
        "bn_layer_list.0.weight": (2,),
        "bn_layer_list.0.bias": (2,),
        "bn_layer_list.0.running_mean": (2,),
        "bn_layer_list.0.running_var": (2,),
        "bn_layer_list.0.num_batches_tracked": (),
        "last_layer.weight": (1, 2, 3, 3),
    }
    return {name: rng.uniform(0.1, 1, shape) for name, shape in shapes.items()}


def test_dncnn_names():
    variables = dncnn.from_torch(dncnn_state(), DnCNN(depth=3, width=2))
    assert variables["batch_stats"]["bn_layer_list_0"].keys() == {"var"}
    expected = dncnn_state()["hidden_layer_list.0.weight"].transpose(2, 3, 1, 0)
    assert np.allclose(variables["params"]["hidden_layer_list_0"]["kernel"], expected)


def test_durr_names():
    network = DURR(width=2, bias=False)
    inputs = {1: (2, 1, 5), 2: (2, 2, 3), 3: (4, 2, 3), 4: (4, 4, 3), 5: (4, 4, 3), 6: (4, 4, 3), 7: (4, 4, 4)}
    inputs |= {8: (2, 6, 3), 9: (1, 2, 5)}
    state = {f"conv{i}.weight": np.ones((a, b, k, k)) for i, (a, b, k) in inputs.items()}
    assert durr.from_torch(state, network)["params"]["conv7"]["transposed_kernel"].shape == (4, 4, 4, 4)


def test_wrong_checkpoints_name_the_arrays():
    network = DnCNN(depth=3, width=2)
    state = dncnn_state()
    with pytest.raises(ValueError, match=r"DnCNN\(depth=3.*extra.weight is unknown"):
        dncnn.from_torch(state | {"extra.weight": np.zeros(1)}, network)
    with pytest.raises(ValueError, match="last_layer.weight is missing"):
        dncnn.from_torch({name: a for name, a in state.items() if name != "last_layer.weight"}, network)
    with pytest.raises(ValueError, match=r"first_layer.weight has shape \(3, 1, 3, 3\)"):
        dncnn.from_torch(state | {"first_layer.weight": np.zeros((3, 1, 3, 3))}, network)
    with pytest.raises(ValueError, match="first_layer.bias is missing"):
        dncnn.from_torch(state, network.clone(bias=True))
