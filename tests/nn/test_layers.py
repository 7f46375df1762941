"""A layer is its formula, on arrays, on Tensors and on one node per number; its gradient is right in every variant."""

import copy

import numpy as np
import pytest

from tinygrad_vg import Scalar, Tensor, grad, gradcheck, history, nn, no_grad, scalars, tanh
from tinygrad_vg.nn.layers import ACTIVATIONS, Dropout, Linear, Module, Residual
from tinygrad_vg.nn.mlp import MLP
from tinygrad_vg.nn.norms import BatchNorm, LayerNorm

SMOOTH = ["sigmoid", "tanh", "elu", "gelu", "gelu_tanh", "softplus", "identity", "linear"]
KINKED = ["relu", "leaky_relu"]
VARIANTS = [
    {},
    {"norm": "batch"},
    {"norm": "layer"},
    {"residual": True},
    {"residual": 0.5, "norm": "batch"},
    {"residual": 0.3, "norm": "layer", "dropout": 0.4},
    {"dropout": 0.4},
]


def values(x):
    return np.vectorize(lambda s: s.data if isinstance(s, Scalar) else s, otypes=[float])(x if isinstance(x, np.ndarray) else x.data)


def gradients(leaf):
    return np.vectorize(lambda s: s.grad, otypes=[float])(leaf) if isinstance(leaf, np.ndarray) else leaf.grad


def randomised(model, rng):
    """The model with every parameter, biases and scales too, drawn at random."""
    for leaf in model.parameters().values():
        for one in leaf.flat if isinstance(leaf, np.ndarray) else [leaf]:
            one.data = rng.normal(0.4, 0.6, one.shape)
    return model


def with_parameters(model, leaves):
    """A copy of the model whose parameters are `leaves`: nodes or arrays, of any dtype."""
    model = copy.deepcopy(model)
    for path, module in model.modules():
        for name in vars(module):
            if path + name in leaves:
                vars(module)[name] = leaves[path + name]
    return model


def checked(model, x):
    """gradcheck of the model's output with respect to its input and every parameter."""
    names = list(model.parameters())

    def output(x, *leaves):
        return with_parameters(model, dict(zip(names, leaves)))(x)

    return gradcheck(output, x, *model.parameters().values())


@pytest.mark.parametrize("activation", SMOOTH + KINKED)
@pytest.mark.parametrize("norm", [None, "batch", "layer"])
def test_the_gradient_of_an_mlp_is_right_for_every_activation_and_norm(activation, norm):
    rng = np.random.default_rng(1)
    assert checked(randomised(MLP([3, 4, 4, 2], activation, norm=norm, rng=rng), rng), rng.normal(size=(3, 3)))


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_the_gradient_of_an_mlp_is_right_with_every_remedy(variant):
    rng = np.random.default_rng(2)
    assert checked(randomised(MLP([3, 4, 4, 4, 2], **variant, rng=rng), rng), rng.normal(size=(3, 3)))


@pytest.mark.parametrize("seeds", [None, 2])
def test_the_gradient_of_each_layer_is_right(seeds):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(4, 3) if seeds is None else (seeds, 4, 3))
    for layer in (Linear(3, 3, rng=rng, seeds=seeds), BatchNorm(3, seeds=seeds), LayerNorm(3, seeds=seeds), Dropout(0.5, rng, seeds=seeds),
                  BatchNorm(3, seeds=seeds).eval(), Residual(Linear(3, 3, rng=rng, seeds=seeds), a=Tensor(0.7))):  # fmt: skip
        assert checked(randomised(layer, rng), x), layer


def test_the_checker_would_notice_a_norm_whose_mean_is_a_constant():
    norm = randomised(BatchNorm(3), np.random.default_rng(4))

    def wrong(x):
        centred = x - (x.data if isinstance(x, Tensor) else x).mean(axis=0)
        return norm.gamma * centred + norm.beta

    with pytest.raises(AssertionError, match="the engine says"):
        gradcheck(wrong, np.random.default_rng(4).normal(size=(4, 3)))


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu"])
def test_an_mlp_of_scalars_and_one_of_tensors_agree(variant, activation):
    x, target = np.random.default_rng(5).normal(size=(3, 2)), np.random.default_rng(6).normal(size=(3, 2))
    runs = []
    for leaf in (Tensor, scalars):
        model, start = randomised(MLP([2, 3, 3, 2], activation, **variant, leaf=leaf, rng=7), np.random.default_rng(8)), leaf(x)
        output = model(start)
        nn.mse(output, target).backward()
        runs.append([values(output), gradients(start), *map(gradients, model.parameters().values()), *model.buffers().values()])
    for of_tensors, of_scalars in zip(*runs):
        assert np.max(np.abs(of_tensors - of_scalars)) < 1e-13


@pytest.mark.parametrize("shape", [(3,), (4, 3)])
def test_layers_of_scalars_and_of_tensors_agree_on_one_example_and_on_a_batch(shape):
    x = np.random.default_rng(9).normal(size=shape)
    layers = [lambda leaf: Linear(3, 2, leaf=leaf, rng=1), lambda leaf: LayerNorm(3, leaf=leaf)]
    layers += [lambda leaf: BatchNorm(3, leaf=leaf), lambda leaf: BatchNorm(3, leaf=leaf).eval()] if len(shape) == 2 else []
    for make in layers:
        runs = []
        for leaf in (Tensor, scalars):
            layer, start = randomised(make(leaf), np.random.default_rng(2)), leaf(x)
            output = layer(start)
            nn.mse(output, np.zeros(np.shape(output))).backward()
            runs.append([values(output), gradients(start), *map(gradients, layer.parameters().values())])
        assert all(np.max(np.abs(a - b)) < 1e-13 for a, b in zip(*runs))


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_an_mlp_runs_on_plain_arrays_without_a_graph(variant):
    model, x = MLP([2, 3, 3, 2], **variant), np.random.default_rng(1).normal(size=(4, 2))
    recorded = copy.deepcopy(model)(x)
    plain = with_parameters(model, {name: leaf.data for name, leaf in model.parameters().items()})
    assert plain.parameters() == {}
    assert type(y := plain(x)) is np.ndarray and np.array_equal(y, recorded.data)
    with no_grad():
        assert model(x).parents == ()


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize("seeds", [3, [5, 11, 17]])
def test_a_leading_axis_of_seeds_equals_runs_one_by_one(variant, seeds):
    rng = np.random.default_rng(8)
    x, target = rng.normal(size=(3, 4, 2)), rng.normal(size=(3, 4, 2))
    together = MLP([2, 3, 3, 2], seeds=seeds, rng=7, **variant)
    y = together(x)
    nn.mse(y, target).backward()
    for s, one in enumerate(np.random.default_rng(7).spawn(3) if seeds == 3 else seeds):
        alone = MLP([2, 3, 3, 2], rng=one, **variant)
        z = alone(x[s])
        (nn.mse(z, target[s]) / 3).backward()
        assert np.max(np.abs(y.data[s] - z.data)) < 1e-14
        for name, leaf in together.parameters().items():
            assert np.array_equal(leaf.data[s], alone.parameters()[name].data)
            assert np.max(np.abs(leaf.grad[s] - alone.parameters()[name].grad)) < 1e-14
        for name, array in together.buffers().items():
            assert np.max(np.abs(array[s] - alone.buffers()[name])) < 1e-14


def test_with_seeds_an_input_without_their_axis_is_refused():
    with pytest.raises(ValueError, match="linear"):
        MLP([2, 3, 2], seeds=3)(np.ones((3, 2)))
    for norm in (BatchNorm(3, seeds=2), LayerNorm(3, seeds=2)):
        with pytest.raises(ValueError, match=r"of 3 units takes x of shape \(2, batch, 3\); got \(2, 3\)"):
            norm(np.ones((2, 3)))


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_a_float32_model_stays_float32(variant):
    net = MLP([2, 3, 3, 1], leaf=lambda array, name: Tensor(array.astype(np.float32), name), **variant)
    for mode in (True, False):
        y = net.train(mode)(np.ones((4, 2), np.float32) * np.arange(4, dtype=np.float32)[:, None])
        nn.mse(y, np.zeros((4, 1), np.float32)).backward()
        assert y.dtype == np.float32
    assert {array.dtype for array in net.state_dict().values()} == {np.dtype(np.float32)}


def test_second_derivatives_go_through_a_norm():
    norm = randomised(LayerNorm(3), np.random.default_rng(1))
    assert gradcheck(lambda x: norm(x), np.array([0.3, -0.2, 0.9]), order=2)
    assert gradcheck(lambda x: BatchNorm(2)(x), np.random.default_rng(2).normal(size=(3, 2)), order=2)


def test_layers_carry_their_number_and_norms_name_what_they_make():
    model = MLP([2, 3, 3, 1], norm="batch")
    names = [str(node.name) for node in history(model(Tensor(np.eye(2), name="x"))) if node.name and node.name.index]
    assert names == ["z[1]", "mean[1]", "var[1]", "x̂[1]", "h[1]", "z[2]", "mean[2]", "var[2]", "x̂[2]", "h[2]", "z[3]"]
    of_scalars = MLP([2, 3, 1], leaf=scalars)(np.ones((4, 2)))
    assert str(of_scalars[3, 0].name) == "z[2,3,0]"
    assert [str(node.name) for node in history(MLP([2, 2, 2], "linear")(np.ones(2))) if node.name.index] == ["h[1]", "z[2]"]


def test_parameters_have_dotted_names_and_a_shared_leaf_appears_once():
    assert list(MLP([2, 3, 1], norm="layer").parameters()) == [
        "layer1.W", "layer1.b", "norm1.gamma", "norm1.beta", "layer2.W", "layer2.b"]  # fmt: skip
    assert str(MLP([2, 3, 1]).parameters()["layer2.W"].name) == "layer2.W"

    class Tied(Module):
        def __init__(self):
            self.blocks, self.heads = [Linear(2, 2), Residual(tanh, a=Scalar(0.5))], {"left": Linear(2, 2)}
            self.blocks[0].W = self.heads["left"].W
            self.last, self.again, self.gains = Tensor(1.0) * 2, self.blocks[0], (Tensor(1.0), 2.0)

    assert list(Tied().parameters()) == ["gains.0", "blocks.0.W", "blocks.0.b", "blocks.1.a", "heads.left.b"]


def test_a_model_copies_and_the_copy_goes_its_own_way():
    model = MLP([2, 3, 1], norm="batch", dropout=0.5)
    twin = copy.deepcopy(model)
    x = np.random.default_rng(0).normal(size=(5, 2))
    assert np.array_equal(model(x).data, twin(x).data)
    twin.layer1.W.data = twin.layer1.W.data + 1
    twin.eval()
    assert model.training and model.norm1.training and not np.array_equal(model.layer1.W.data, twin.layer1.W.data)
    assert copy.deepcopy(MLP([2, 2], leaf=scalars)).layer1.W[0, 0].data == MLP([2, 2], leaf=scalars).layer1.W[0, 0].data


def test_state_dict_holds_copies_of_parameters_and_buffers():
    model = MLP([2, 3, 1], norm="batch")
    state = model.state_dict()
    assert list(state) == [*model.parameters(), "norm1.running_mean", "norm1.running_var"]
    state["layer1.W"][:] = 0
    state["norm1.running_var"][:] = 0
    assert np.all(model.layer1.W.data != 0) and np.all(model.norm1.running_var == 1)
    assert MLP([2, 2], leaf=scalars).state_dict()["layer1.W"].dtype == float


def test_batch_norm_normalises_with_the_batch_in_training_and_with_the_running_statistics_in_use():
    rng, norm = np.random.default_rng(1), BatchNorm(2)
    x = rng.normal(3, 2, size=(50, 2))
    y = norm(x)
    assert np.max(np.abs(y.data.mean(0))) < 1e-12 and y.data.var(0) == pytest.approx(1, abs=1e-4)
    assert norm.running_mean == pytest.approx(0.1 * x.mean(0), rel=1e-12)
    assert norm.running_var == pytest.approx(0.9 + 0.1 * x.var(0, ddof=1), rel=1e-12)
    kept = norm.state_dict()
    assert norm.eval()(x[0:1]).data == pytest.approx((x[0:1] - kept["running_mean"]) / np.sqrt(kept["running_var"] + 1e-5))
    assert all(np.array_equal(norm.state_dict()[name], kept[name]) for name in kept)
    assert not np.array_equal(norm.train()(x).data, norm.eval()(x).data)


@pytest.mark.parametrize("shape", [(3,), (2, 4), (), (2, 3, 2)])
def test_a_norm_refuses_what_does_not_have_its_units(shape):
    with pytest.raises(ValueError, match=r"BatchNorm of 3 units takes x of shape \(batch, 3\); got"):
        BatchNorm(3)(np.ones(shape))


def test_batch_norm_refuses_a_batch_of_one_in_training_and_takes_it_in_use():
    with pytest.raises(ValueError, match="two or more in training"):
        BatchNorm(2)(np.ones((1, 2)))
    assert BatchNorm(2).eval()(np.ones((1, 2))).shape == (1, 2)


def test_layer_norm_normalises_each_example():
    x = np.random.default_rng(2).normal(5, 3, size=(4, 6))
    y = LayerNorm(6)(x).data
    assert np.max(np.abs(y.mean(1))) < 1e-12 and y.var(1) == pytest.approx(1, abs=1e-4)
    assert np.array_equal(LayerNorm(6)(x[0]).data, y[0])


def test_dropout_keeps_the_mean_and_is_off_in_use():
    x, drop = np.full((200, 500), 3.0), Dropout(0.3, rng=1)
    y = drop(Tensor(x))
    assert np.mean(y.data == 0) == pytest.approx(0.3, abs=0.01)
    assert np.mean(y.data) == pytest.approx(3.0, abs=0.03)
    assert set(np.unique(y.data)) == {0.0, 3.0 / 0.7}
    assert drop.eval()(x) is x and Dropout(0.0)(x) is x
    assert not np.array_equal(Dropout(0.5, rng=1)(x), Dropout(0.5, rng=2)(x))
    t = Tensor(np.ones(1000))
    (g,) = grad(y := Dropout(0.5, rng=3)(t), [t], seed=np.ones(1000))
    assert np.array_equal(g, y.data)
    for p in (1.0, -0.1, float("nan")):
        with pytest.raises(ValueError, match="0 ≤ p < 1"):
            Dropout(p)


def test_a_residual_block_adds_its_input_and_refuses_another_shape():
    x = Tensor(np.ones((2, 3)))
    assert np.array_equal(Residual(lambda x: x * 2, 0.5)(x).data, x.data * 2)
    with pytest.raises(ValueError, match=r"got f\(x\) \(2, 4\) and x \(2, 3\)"):
        Residual(Linear(3, 4))(x)
    block = Residual(Linear(3, 3), a=Tensor(1.0, name="a"))
    assert list(block.parameters()) == ["a", "f.W", "f.b"]


def test_a_residual_mlp_skips_where_the_sizes_match():
    model = MLP([2, 3, 3, 3, 1], residual=0.0)
    h = {node.name.index[0]: node for node in history(model(np.ones(2))) if node.name and node.name.base == "h"}
    assert np.array_equal(h[2].data, h[1].data) and np.array_equal(h[3].data, h[1].data) and np.all(h[1].data != 0)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_is_known_by_name(name):
    x = np.linspace(-3, 3, 7)
    assert np.array_equal(MLP([1, 1], name).activation(x), ACTIVATIONS[name](x))


def test_what_an_mlp_cannot_be_is_said():
    for sizes, options in (([2], {}), ([2, 3], {"norm": "group"})):
        with pytest.raises(ValueError, match="needs sizes .* and norm None, 'batch' or 'layer'"):
            MLP(sizes, **options)
    with pytest.raises(ValueError, match="activation must be a function or one of"):
        MLP([2, 3], "tanhh")


def test_a_model_prints_its_parameters_and_no_address():
    assert repr(Linear(2, 3)) == "Linear(W 3×2, b 3)"
    assert repr(MLP([4] * 12)) == "MLP(22 parameters)"
