"""The benchmark of spaces of one's own runs, and its rules are what they say."""

from __future__ import annotations

import numpy as np
import pytest
from benchmark_run import run

from benchmarks.searches.own_spaces import RULES, FewEdges, FewEdgesAtOnce, accepted_share
from graphnas import ArchitectureBatch

RULE = "5 nodes, at most 6 edges, different operations"


def test_it_counts_the_calls_of_the_rule(tmp_path):
    printed, record = run(
        "searches.own_spaces", "--trials", "8", "--rules", RULE, output=tmp_path / "own.json"
    )
    row = record["rules"][RULE]
    assert row["accepted"] == pytest.approx(0.021, abs=0.001)
    assert f"{RULE}: 2.1 % of random graphs are valid" in printed
    for name, search in row["runs"].items():
        assert len(search["seconds"]) == len(search["calls"]) == 8
        assert min(search["calls"]) > 0
        assert search["valid"] == 8 or name == "Optuna TPE"
        assert name in printed


@pytest.mark.parametrize("rule", RULES)
def test_both_forms_of_a_rule_agree(rule):
    nodes, edges, operations, different = RULES[rule]
    slow = FewEdges(nodes, edges, operations, different=different)
    fast = FewEdgesAtOnce(nodes, edges, operations, different=different)
    rng = np.random.default_rng(0)
    some = [fast.sample(rng) for _ in range(20)]
    batch = ArchitectureBatch.from_architectures([*some, *(b for a in some[:5] for b in slow.neighbors(a))])
    drawn = slow.layout.from_choices(rng.integers(slow.layout.counts, size=(300, len(slow.layout))))
    batch = ArchitectureBatch.cat([batch, drawn])
    mask = slow.valid_batch(batch)
    assert mask.tolist() == fast.valid_batch(batch).tolist()
    assert 20 <= mask.sum() < len(batch)


def test_a_share_is_counted():
    """Of 1,024 graphs of five nodes, one is the chain."""
    assert accepted_share((5, 4, 1, False)) == pytest.approx(1 / 1024, rel=0.15)
