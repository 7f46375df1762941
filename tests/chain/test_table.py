"""A chain prints: at most so many columns, every name as text, nothing that is not zero as 0, and what is left out is said."""

import json

import numpy as np
import pytest

from tinygrad_vg import Chain, Scalar, Tensor, nn, square, tanh
from tinygrad_vg.chain.table import side_by_side
from tinygrad_vg.text.lines import width as columns
from tinygrad_vg.text.tables import folded, table


def lstm(T=4, n=5):
    states = nn.unroll(nn.LSTMCell(3, n, rng=0), np.random.default_rng(0).normal(size=(T, 3)))
    return Chain(square(states[-1][0]).sum().named("loss"), states[0][1], through=states[1:])


def rnn(T=4, activation="tanh", n=5):
    states = nn.unroll(nn.RNNCell(3, n, activation, rng=0), np.random.default_rng(0).normal(size=(T, 3)))
    return Chain(square(states[-1]).sum().named("loss"), states[0], through=states)


def test_typical_and_worst_stand_beside_the_gain():
    chain = rnn()
    lines = chain.table().splitlines()
    assert lines[0].split() == ["link", "multiplied", "by", "gain", "typical", "worst", "log10", "product"]
    J = chain.links[2].dense()
    gain, typical, worst = map(float, numbers(lines, "h[2] → h[3]"))
    assert gain == pytest.approx(chain.links[2].gain, rel=5e-3)
    assert typical == pytest.approx(np.linalg.norm(J) / np.sqrt(5), rel=5e-3)
    assert worst == pytest.approx(np.linalg.norm(J, 2), rel=5e-3)


def numbers(lines, name):
    """Gain, typical and worst of the row that starts so."""
    (line,) = [line for line in lines if line.startswith(name)]
    return [word for word in line.split() if word.replace(".", "").isdigit()][-3:]


def test_a_column_that_says_nothing_is_left_out():
    x = Scalar(0.5, name="x")
    assert "typical" not in Chain(tanh(x * 2.0), x).table()
    wide = Tensor(np.ones(300), name="wide")
    assert "typical" not in Chain(tanh(wide * 2.0), wide, seed=np.ones(300)).table()


@pytest.mark.parametrize("chain", [lstm(), rnn(), rnn(60), rnn(60, n=9), lstm(50)], ids=str)
@pytest.mark.parametrize("detail", [False, True])
@pytest.mark.parametrize("width", [60, 80, 120])
def test_tables_keep_to_their_width(chain, detail, width):
    lines = chain.table(detail=detail, width=width).splitlines()
    assert max(map(len, lines)) <= width
    assert len(lines) <= 42
    assert ("…" in "".join(line[:4] for line in lines)) == (len((chain.detailed() if detail else chain).links) > 40)


def test_detail_is_a_row_for_each_op():
    chain = rnn(3)
    names = [link.name for link in chain.detailed().links]
    assert names[:3] == ["h[0] → linear", "linear → z[1]", "z[1] → h[1]"]
    assert chain.detailed().gradients[0] == pytest.approx(chain.gradients[0], rel=1e-14)
    assert "diag(1 - h[1] * h[1])" in chain.table(detail=True, width=140)


def test_groups_and_skips_name_the_direct_way():
    assert [link.factor for link in lstm(2).links] == ["diag(f[1]) + …", "diag(f[2]) + …", "(2 ops that branch)"]
    states = nn.unroll(nn.GRUCell(3, 5, rng=0), np.ones((2, 3)))
    assert Chain(states[-1].sum(), states[0], through=states).links[0].factor == "(diag(z[1]) + branch)"
    x = Tensor(np.ones(4), name="x")
    assert Chain(nn.Residual(nn.Linear(4, 4, rng=0))(x).sum(), x).links[0].factor == "(1 + branch)"


def test_nothing_that_is_not_zero_prints_as_0():
    x = Scalar(1.0, name="x")
    y = (x * 1e-200).named("a") * 1.0000001 * 1e-150
    text = Chain(y, x).table()
    assert "1.00e-200" in text
    gains = [line.split()[-3] for line in text.splitlines()[1:]]
    assert "0" not in gains


def test_several_chains_in_one_table():
    text = side_by_side([rnn(), rnn(60, "sigmoid"), lstm()], ["tanh", "sigmoid", "LSTM"])
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["links", "tanh", "sigmoid", "LSTM"]
    assert any("more rows" in line for line in lines)
    assert lines[2].split()[0] == "1"
    with pytest.raises(ValueError, match="a name for each; got 1 chains and 2 names"):
        side_by_side([rnn()], ["a", "b"])


def test_html_is_escaped_and_runs_nothing():
    x = Scalar(0.5, name="<script>alert(1)</script>")
    page = Chain(tanh(x * 2.0).named('"><img src=x onerror=y>'), x)._repr_html_()
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page
    assert " links, together" in rnn(60)._repr_html_()


def test_a_bar_is_two_columns_a_decade_in_every_table_and_marked_where_it_is_longer():
    x = Scalar(1.0, name="x")
    for decades, drawn in [(-0.5, "█"), (-3, "██████"), (-6, "█" * 12), (-6.1, "█" * 11 + "»"), (-300, "█" * 11 + "»"), (4, "▒" * 8), (9, "▒" * 11 + "»")]:
        for chain in (Chain(x * 10.0**decades, x), Chain(x * 10.0**decades * 1e-9, x)):
            last, legend = chain.table().splitlines()[-2:]
            assert legend == "bar: 2 columns a decade, ▒ above 1, » beyond 6"
        assert Chain(x * 10.0**decades, x).table().splitlines()[1].split()[-1] == drawn


def test_a_table_whose_figures_are_too_many_goes_on_below_beside_the_same_names():
    head, row = [f"figure {k}" for k in range(20)], [f"{k}.5" for k in range(20)]
    for names in (["W"], ["重みの行列と偏りの長い名前" * 4], []):
        text = table([[*names, *row], "a note"], [*["name"] * len(names), *head], left=len(names))
        parts = [part.splitlines() for part in text.split("\n\n")]
        assert len(parts) > 1 and max(map(columns, text.splitlines())) <= 80
        assert [word for part in parts for word in part[1].split()[len(names) :]] == row
        assert all(part[2] == "a note" for part in parts)
        assert not names or len({part[1].split()[0][:2] for part in parts}) == 1


def test_a_long_name_gives_way_in_its_middle_and_no_figure_does():
    name = "the beginning of a name that is far too long for any table of eighty columns, and its end"
    line, short = table([(name, "1234567.5"), ("b", "")]).splitlines()
    assert line.startswith("the begin") and line.endswith("its end 1234567.5") and len(line) == 80 and short == "b"


@pytest.mark.parametrize("n", [3, 40, 41, 100])
def test_of_many_rows_the_first_the_least_and_the_last_are_shown_and_the_others_counted(n):
    shown = folded(range(n), lambda k: abs(k - 25), lambda out: f"{out[0]} to {out[-1]}", 40)
    kept = [k for k in shown if not isinstance(k, str)]
    told = [range(int(a), int(b) + 1) for a, _, b in (k.strip(" …").split() for k in shown if isinstance(k, str))]
    assert sorted([*kept, *(k for out in told for k in out)]) == list(range(n))
    assert len(kept) == (n if n <= 40 else 21) and (n <= 25 or 25 in kept)


def test_no_colour_is_ever_used(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    chain = rnn()
    for text in (chain.table(), str(chain), str(chain.blame()), str(chain.horizon()), side_by_side([chain, chain])):
        assert "\x1b" not in text


def test_the_dictionary_keeps_every_digit():
    chain = rnn()
    assert json.loads(json.dumps(chain.to_dict()))["log_product"] == chain.log_product
