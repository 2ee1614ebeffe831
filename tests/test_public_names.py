"""The public names are there, under the modules that documents and users name."""

from __future__ import annotations

import importlib

import pytest

PUBLIC = {
    "graphnas": [
        "Architecture",
        "ArchitectureBatch",
        "Evaluation",
        "GraphSpace",
        "ProductSpace",
        "SearchMethod",
        "__version__",
    ],
    "graphnas.graph": ["WeisfeilerLehman", "canonical_key", "graph_properties", "wl_hash"],
    "graphnas.methods": [
        "GraphBO",
        "GraphBOConfig",
        "NASGEM",
        "GraphPNAS",
        "LatentBO",
        "RandomSearch",
        "RegularizedEvolution",
        "LocalSearch",
    ],
    "graphnas.autoencoders": ["DVAE", "GCN", "SVAE", "GraphRNN", "VSGAE", "PerformancePredictor"],
    "graphnas.evaluate": [
        "TabularEvaluator",
        "OracleEvaluator",
        "SupernetEvaluator",
        "ZeroCostFeatures",
        "efficiency_score",
    ],
    "graphnas.export": ["FORMATS", "Exported", "export_model", "network_source"],
    "graphnas.surrogate": ["Explanation", "MotifEffect", "PriorTask", "explain", "prior_of_features"],
    "search_spaces": [
        "ENASMacro",
        "ENASMacro6",
        "GEMNet",
        "NASBench101",
        "NASBench201",
        "RandWire",
        "get_space",
        "space_names",
    ],
    "optuna_graphnas.visualization": [
        "plot_architectures",
        "plot_contributions",
        "plot_effects",
        "plot_generations",
        "plot_latent_space",
        "plot_motifs",
        "plot_regret",
    ],
    "optuna_graphnas": [
        "DashboardCallback",
        "GraphBOSampler",
        "NASGEMSampler",
        "GraphPNASSampler",
        "LatentBOSampler",
        "GraphSampler",
        "Objective",
        "continue_study",
        "explain",
        "suggest_architecture",
    ],
}


@pytest.mark.parametrize(("module", "name"), [(m, name) for m, names in PUBLIC.items() for name in names])
def test_public_name(module, name):
    package = importlib.import_module(module)
    assert getattr(package, name) is not None
    assert name in dir(package)
    assert name in package.__all__


@pytest.mark.parametrize("module", PUBLIC)
def test_every_exported_name_resolves_and_no_other_does(module):
    package = importlib.import_module(module)
    for name in package.__all__:
        assert hasattr(package, name), name
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = package.no_such_name
