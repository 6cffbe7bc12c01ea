import pytest
import torch
import torch.nn.functional as F
from one_layer import OneLayer, normal

from solver_cli.errors import ConfigError
from solver_cli.layers.normalization import OverBatch, moments


@pytest.mark.parametrize("size", [1, 3, 5, 9])
@pytest.mark.parametrize("beta", [0.75, 0.5, 1.5])
def test_lrn_across_channels_is_torchs(size, beta):
    layer = OneLayer(f'type: "LRN" lrn_param {{ local_size: {size} alpha: 0.5 beta: {beta} k: 2 }}', (2, 6, 3, 2))
    x = normal(2, 6, 3, 2)
    torch.testing.assert_close(layer(x), F.local_response_norm(x, size, 0.5, beta, 2))
    assert layer.gradcheck(x)


def test_lrn_window_wider_than_the_channels():
    layer = OneLayer('type: "LRN" lrn_param { local_size: 9 alpha: 2 beta: 1 }', (1, 3, 2, 2))
    x = normal(1, 3, 2, 2)
    torch.testing.assert_close(layer(x), x / (1 + 2 / 9 * x.square().sum(1, keepdim=True)))
    assert layer.gradcheck(x)


def test_lrn_within_a_channel_divides_border_windows_by_the_whole_square_and_ignores_k():
    text = "local_size: 3 alpha: 2 beta: 0.75 norm_region: WITHIN_CHANNEL"
    layer = OneLayer(f'type: "LRN" lrn_param {{ {text} k: 5 }}', (2, 2, 4, 3))
    x = normal(2, 2, 4, 3)
    sums = F.unfold(x.flatten(0, 1).unsqueeze(1), 3, padding=1).square().sum(1).view_as(x)
    torch.testing.assert_close(layer(x), x * (1 + 2 * sums / 9) ** -0.75)
    assert layer.gradcheck(x)


def test_lrn_refuses_what_caffe_refuses():
    with pytest.raises(ConfigError, match="local_size 4 must be odd"):
        OneLayer('type: "LRN" lrn_param { local_size: 4 }', (1, 4, 3, 3))
    with pytest.raises(ConfigError, match="must have 4 axes"):
        OneLayer('type: "LRN"', (1, 4, 3))


SHAPES = [(6, 3), (4, 3, 5), (2, 3, 2, 3), (2, 3, 2, 1, 3), (2, 3, 2, 1, 1, 2)]


def statistics(x):
    """Mean and unbiased variance of each channel."""
    values = x.detach().transpose(0, 1).flatten(1)
    return values.mean(1), values.var(1)


@pytest.mark.parametrize("shape", SHAPES)
def test_batch_norm_in_training(shape):
    layer = OneLayer('type: "BatchNorm" batch_norm_param { eps: 0.01 }', shape)
    x = normal(*shape)
    values = layer(x).detach().transpose(0, 1).flatten(1)
    torch.testing.assert_close(values.mean(1), torch.zeros(3, dtype=torch.float64))
    biased = x.detach().transpose(0, 1).flatten(1).var(1, unbiased=False)
    torch.testing.assert_close(values.var(1, unbiased=False), biased / (biased + 0.01))
    assert layer.gradcheck(x)


def test_batch_norm_sums_statistics_and_counts_them_in_the_factor():
    """factor <- f factor + 1, sums <- f sums + the batch's; the variance unbiased."""
    layer = OneLayer('type: "BatchNorm" batch_norm_param { moving_average_fraction: 0.5 }', (4, 3, 2))
    batches = [normal(4, 3, 2, seed=seed) for seed in range(3)]
    for x in batches:
        layer(x)
    means, variances = zip(*map(statistics, batches), strict=True)
    weights = [0.25, 0.5, 1]
    expected = [sum(w * s for w, s in zip(weights, stats, strict=True)) for stats in (means, variances)]
    torch.testing.assert_close(layer.params[0].data, expected[0])
    torch.testing.assert_close(layer.params[1].data, expected[1])
    assert layer.params[2].tolist() == [1.75]


@pytest.mark.parametrize("text, phase", [("", "TEST"), ("batch_norm_param { use_global_stats: true }", "TRAIN")])
@pytest.mark.parametrize("shape", SHAPES)
def test_batch_norm_by_stored_statistics(shape, text, phase):
    layer = OneLayer(f'type: "BatchNorm" {text}', shape, phase=phase)
    stored = [torch.tensor([1.0, 2, 3]), torch.tensor([4.0, 5, 6]), torch.tensor([2.0])]
    for blob, value in zip(layer.params, stored, strict=True):
        blob.data.copy_(value)
    x = normal(*shape)
    by_channel = (1, 3, *(1,) * (len(shape) - 2))
    mean, variance = (stored[i].double().view(by_channel) / 2 for i in (0, 1))
    torch.testing.assert_close(layer(x), (x - mean) / (variance + 1e-5).sqrt(), rtol=1e-6, atol=1e-6)
    assert layer.gradcheck(x)
    assert [blob.tolist() for blob in layer.params] == [s.tolist() for s in stored]


def test_batch_norm_without_statistics_takes_them_as_0():
    x = normal(2, 3, 2)
    top = OneLayer('type: "BatchNorm" batch_norm_param { eps: 0.25 }', (2, 3, 2), phase="TEST")(x)
    torch.testing.assert_close(top, x * 2)


def test_batch_norm_told_to_use_the_batch_does_so_in_testing():
    layer = OneLayer('type: "BatchNorm" batch_norm_param { use_global_stats: false }', (4, 3), phase="TEST")
    layer(normal(4, 3))
    assert layer.params[2].tolist() == [1]


def test_batch_norm_of_one_value_a_channel_is_0():
    layer = OneLayer('type: "BatchNorm"', (1, 2, 1, 1))
    x = normal(1, 2, 1, 1)
    top = layer(x)
    top.sum().backward()
    assert not top.any() and not x.grad.any()
    assert layer.params[0].tolist() == x.flatten().tolist() and layer.params[1].tolist() == [0, 0]


def test_batch_norm_statistics_start_at_0_and_are_not_learned():
    layer = OneLayer('type: "BatchNorm"', (2, 3))
    assert [blob.tolist() for blob in layer.params] == [[0] * 3, [0] * 3, [0]]
    assert not any(blob.requires_grad for blob in layer.params)


MANY = [(2, 3, 131, 127), (4100, 2), (3, 5, 7, 11, 13), (1, 4, 1, 4099)]


def channels_last(x):
    """The same values with the channels last in memory."""
    return x.movedim(1, -1).contiguous().movedim(-1, 1)


@pytest.mark.parametrize("shape", MANY)
def test_batch_norm_of_many_values_is_as_accurate_with_the_channels_last(shape):
    """Sums of so many float32 numbers one by one would be off by 1e-5."""
    layer = OneLayer('type: "BatchNorm"', shape)
    layer.net.float()
    x = channels_last(normal(*shape).detach().float() + 1).requires_grad_()
    exact = x.detach().double().requires_grad_()
    assert x.movedim(1, -1).is_contiguous()
    weights = torch.linspace(0, 2, x.numel()).view(shape)
    top = layer(x)
    (top * weights).sum().backward()
    expected = F.batch_norm(exact, None, None, training=True)
    (expected * weights).sum().backward()
    for stored, wanted in zip(layer.params, statistics(exact), strict=False):
        torch.testing.assert_close(stored.double(), wanted, rtol=5e-7, atol=0)
    torch.testing.assert_close(top.double(), expected, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(x.grad.double(), exact.grad, rtol=1e-5, atol=1e-6)
    assert x.grad.stride() == x.stride()


@pytest.mark.parametrize("learned", [True, False])
def test_the_gradients_of_batch_norm_with_the_channels_last(learned):
    x = channels_last(normal(3, 2, 4, 5).detach()).requires_grad_()
    scale, bias = (normal(2, seed=1), normal(2, seed=2)) if learned else (None, None)

    def over_batch(x, scale, bias):
        return OverBatch.apply(x, *moments(x.detach()), scale, bias, 0.1)

    torch.testing.assert_close(over_batch(x, scale, bias), F.batch_norm(x, None, None, scale, bias, True, eps=0.1))
    plain = lambda *given: over_batch(*given, *(None,) * (3 - len(given)))  # noqa: E731
    assert torch.autograd.gradcheck(plain, [x, scale, bias] if learned else [x])


def test_batch_norm_refuses_one_axis():
    with pytest.raises(ConfigError, match="at least 2 axes"):
        OneLayer('type: "BatchNorm"', (5,))


@pytest.mark.parametrize(
    "shape, across",
    [((3, 4), "true"), ((2, 3, 6), "true"), ((2, 3, 6), "false"), ((2, 2, 3, 4), "true"), ((2, 2, 3, 4), "false")],
)
@pytest.mark.parametrize("variance", ["true", "false"])
def test_mvn(shape, across, variance):
    text = f"across_channels: {across} normalize_variance: {variance}"
    layer = OneLayer(f'type: "MVN" mvn_param {{ {text} }}', shape)
    x = normal(*shape)
    top = layer(x)
    assert top.shape == (*shape, *(1,) * (4 - len(shape)))
    groups, values = (t.detach().flatten(1) if across == "true" else t.detach().flatten(2) for t in (top, x))
    torch.testing.assert_close(groups.mean(-1), torch.zeros_like(groups[..., 0]))
    deviation = torch.ones_like(groups[..., 0]) if variance == "true" else values.std(-1, unbiased=False)
    torch.testing.assert_close(groups.std(-1, unbiased=False), deviation)
    assert layer.gradcheck(x)


def test_mvn_adds_eps_to_the_deviation_and_its_gradient_is_finite_for_constant_pictures():
    x = torch.full((1, 1, 2, 2), 3.0, dtype=torch.float64, requires_grad=True)
    top = OneLayer('type: "MVN" mvn_param { eps: 0.5 }', (1, 1, 2, 2))(x)
    top[0, 0, 0, 0].backward()
    assert not top.any()
    torch.testing.assert_close(x.grad.flatten(), torch.tensor([1.5, -0.5, -0.5, -0.5], dtype=torch.float64))


def test_mvn_refuses_five_axes():
    with pytest.raises(ConfigError, match="at most 4 axes"):
        OneLayer('type: "MVN"', (1, 2, 1, 1, 1))


def test_batch_norm_without_eps():
    x = normal(4, 3, 5)
    layer = OneLayer('type: "BatchNorm" batch_norm_param { eps: 0 }', (4, 3, 5))
    mean, variance = x.mean((0, 2), keepdim=True), x.var((0, 2), correction=0, keepdim=True)
    torch.testing.assert_close(layer(x), (x - mean) / variance.sqrt())
    with pytest.raises(ConfigError, match=r"eps must be 0 or more, not -0\.1"):
        OneLayer('type: "BatchNorm" batch_norm_param { eps: -0.1 }', (4, 3, 5))
