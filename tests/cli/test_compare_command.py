"""graphnas compare: figures of several searches and learned distributions side by side."""

from __future__ import annotations

import numpy as np
import pytest

from graphnas.cli.main import main
from graphnas.methods import GraphPNAS, GraphPNASConfig
from search_spaces import GEMNet, NASBench201

PNG = b"\x89PNG"


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A distribution over the space of the small search, and one over another space."""
    directory = tmp_path_factory.mktemp("learned")
    for name, space in (("gemnet", GEMNet(4)), ("cell", NASBench201())):
        config = GraphPNASConfig(hidden_size=16, steps=2, n_startup_trials=4, epochs=2)
        method = GraphPNAS(space, config, seed=0)
        for k, architecture in enumerate(space.sample_batch(np.random.default_rng(0), 6)):
            method.tell(architecture, float(k))
        method.distribution().save(directory / f"{name}.pt")
    return directory


def test_searches_and_what_was_learned_side_by_side(searched, learned, tmp_path, capsys):
    what = [str(searched), f"rnn={learned / 'gemnet.pt'}"]
    assert main(["compare", *what, "--output", str(tmp_path / "figures"), "--top", "2"]) == 0
    text = capsys.readouterr().out
    for words in ("graphbo", "random", "rnn", "200 samples", "3 evaluated", "mean path length"):
        assert words in text
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert names == {"properties.png", "properties_learned.png", "best.png", "samples_rnn.png"}
    assert all((tmp_path / "figures" / name).read_bytes().startswith(PNG) for name in names)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (["{searched}", "{learned}/cell.pt"], "cell is of NASBench201"),
        (["{learned}/gemnet.pt", "{learned}/gemnet.pt"], "several are called gemnet; give names"),
        (["{learned}/none"], "is no directory of a search, no database and no learned distribution"),
    ],
)
def test_what_cannot_be_compared(searched, learned, tmp_path, capsys, what, message):
    arguments = [text.format(searched=searched, learned=learned) for text in what]
    assert main(["compare", *arguments, "--output", str(tmp_path / "figures")]) != 0
    assert message in capsys.readouterr().err
    assert not (tmp_path / "figures").exists()
