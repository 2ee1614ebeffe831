"""The tuners without a manager: every type of search space, data from elsewhere, errors, arguments."""

from __future__ import annotations

import json
import math

import nni
import nni_cases as cases
import numpy as np
import pytest
import yaml
from nni.tools.nnictl.config_schema import AlgoSchema
from nni.tools.package_utils import get_algo_meta
from nni.tools.package_utils.tuner_factory import create_builtin_class_instance, create_validator_instance
from schema import SchemaError

import nni_graphnas
from graphnas import ProductSpace
from graphnas.cli.main import main
from graphnas.errors import DataNotFound, InvalidArgument, MissingExtra
from nni_graphnas.tuner import (
    TUNERS,
    GraphBOArgumentsValidator,
    GraphBOTuner,
    GraphTuner,
    MethodArgumentsValidator,
    NASGEMTuner,
)
from search_spaces import GEMNet, NASBench101, NASBench201

SMALL = "nni_cases:SmallSpace"
TYPES = {
    "choice_str": {"_type": "choice", "_value": ["cat", "dog", "elephant"]},
    "choice_num": {"_type": "choice", "_value": [10, 20, 30.5, 40]},
    "nested": {
        "_type": "choice",
        "_value": [
            {"_name": "conv", "kernel": {"_type": "choice", "_value": [3, 5]}},
            {"_name": "pool", "size": {"_type": "uniform", "_value": [1.0, 2.0]}},
        ],
    },
    "randint": {"_type": "randint", "_value": [1, 5]},
    "uniform": {"_type": "uniform", "_value": [0.0, 1.0]},
    "quniform": {"_type": "quniform", "_value": [0.0, 10.0, 2.5]},
    "loguniform": {"_type": "loguniform", "_value": [0.001, 1000.0]},
    "qloguniform": {"_type": "qloguniform", "_value": [10.0, 1000.0, 20.0]},
    "normal": {"_type": "normal", "_value": [0.0, 1.0]},
    "qnormal": {"_type": "qnormal", "_value": [4.0, 1.0, 0.5]},
    "lognormal": {"_type": "lognormal", "_value": [0.0, 1.0]},
    "qlognormal": {"_type": "qlognormal", "_value": [4.6, 1.0, 0.1]},
}


def is_in(value, spec):
    """Whether NNI allows ``value`` in the domain ``spec``."""
    kind, given = spec["_type"], spec["_value"]
    if kind == "choice":
        if isinstance(value, dict):
            (chosen,) = (choice for choice in given if choice["_name"] == value["_name"])
            return chosen.keys() == value.keys() and all(
                is_in(value[name], chosen[name]) for name in chosen if name != "_name"
            )
        return value in given
    if kind == "randint":
        return isinstance(value, int) and given[0] <= value < given[1]
    if not isinstance(value, float | int) or not math.isfinite(value):
        return False
    if kind.startswith("q"):
        steps = value / given[2]
        on_bound = value in given[:2]
        return (abs(steps - round(steps)) < 1e-6 or on_bound) and (
            "normal" in kind or given[0] <= value <= given[1]
        )
    if "normal" in kind:
        return value > 0 or kind == "normal"
    return given[0] <= value <= given[1]


def tuner(search_space=None, *, method="RandomSearch", space=SMALL, **options):
    options.setdefault("seed", 0)
    made = GraphTuner(space, method=method, **options)
    made.update_search_space({**nni_graphnas.search_space(cases.SPACE), **(search_space or {})})
    return made


def run(made, trials, *, value=cases.quality, start=0):
    """Runs ``trials`` trials one after the other; returns their parameters."""
    chosen = []
    for number in range(start, start + trials):
        (parameters,) = made.generate_multiple_parameters([number], st_callback=None)
        chosen.append(json.loads(json.dumps(parameters)))
        made.receive_trial_result(number, parameters, value(cases.SPACE.from_parameters(parameters)))
        made.trial_end(number, True)
    return chosen


METHODS = ["RandomSearch", "RegularizedEvolution", "GraphBO"]


# ---------------------------------------------------------------- what NNI asks of its own tuners


@pytest.mark.parametrize("name", [*TYPES, "all", "none"])
def test_every_type_of_search_space(name):
    others = {"all": TYPES, "none": {}}.get(name) or ({name: TYPES[name]} if name in TYPES else {})
    made = tuner(others)
    for round_ in range(3):
        ids = list(range(50 * round_, 50 * (round_ + 1)))
        proposals = made.generate_multiple_parameters(ids, st_callback=None)
        assert len(proposals) == 50
        for number, parameters in zip(ids, proposals, strict=True):
            architecture = nni_graphnas.architecture(parameters, cases.SPACE)
            assert parameters.keys() == {*cases.SPACE.parameters(), *others}
            for key, spec in others.items():
                assert is_in(parameters[key], spec), (key, parameters[key])
            value = cases.quality(architecture)
            made.receive_trial_result(
                number, parameters, value if number % 2 else {"default": value, "loss": 1}
            )
            made.trial_end(number, True)
    results = made.results()
    assert [result.value for result in results] == [cases.quality(result.architecture) for result in results]
    assert all(result.parameters.keys() == others.keys() for result in results)
    assert len({cases.SPACE.key(result.architecture) for result in results[:150]}) == 150


@pytest.mark.parametrize(
    "spec",
    [
        {"_type": "layer_choice", "_value": ["a", "b"]},
        {"_type": "magic", "_value": [1, 2]},
        {"_type": "uniform", "_value": [2.0, 1.0]},
        {"_type": "uniform", "_value": [1.0]},
        {"_type": "choice"},
        [1, 2],
    ],
)
def test_unsupported_types_raise(spec):
    with pytest.raises(InvalidArgument, match="odd"):
        tuner({"odd": spec})


@pytest.mark.parametrize("method", METHODS)
def test_data_is_imported_before_and_during_the_search(method):
    others = {"rate": TYPES["uniform"]}
    known = [cases.SPACE.to_parameters(a) for a in list(cases.SPACE.enumerate())[:40]]
    data = [
        {"parameter": {**p, "rate": 0.5}, "value": cases.quality(cases.SPACE.from_parameters(p))}
        for p in known
    ]
    data[3]["value"] = {"default": data[3]["value"]}
    made = tuner(others, method=method)
    made.import_data(data[:20])
    before = len(made.results())
    assert before == len({cases.SPACE.key(cases.SPACE.from_parameters(p)) for p in known[:20]})
    made.import_data(data[:20])  # the same once more
    assert len(made.results()) == before
    chosen = run(made, 20)
    made.import_data([*data, {"parameter": {"rate": 1.0}, "value": 3}, {"value": 3}, {}, "text"])
    chosen += run(made, 20, start=20)
    keys = [cases.SPACE.key(cases.SPACE.from_parameters(parameters)) for parameters in chosen]
    assert len(set(keys)) == 40
    assert not set(keys) & {cases.SPACE.key(cases.SPACE.from_parameters(p)) for p in known[:20]}
    assert len({cases.SPACE.key(result.architecture) for result in made.results()}) == len(made.results())


@pytest.mark.parametrize("method", METHODS)
def test_the_search_goes_on_as_its_method_would_alone(method):
    made = tuner(method=method)
    chosen = run(made, 30)
    alone = type(made.session.method)(cases.SPACE, seed=0)
    for parameters in chosen:
        architecture = alone.ask()[0]
        assert cases.SPACE.to_parameters(architecture) == parameters
        alone.tell(architecture, cases.quality(architecture))


def test_the_optimum_is_found_also_where_small_is_good():
    made = tuner(method="GraphBO", optimize_mode="minimize")
    run(made, 60, value=lambda architecture: -cases.quality(architecture))
    assert made.best().value == -cases.BEST


def test_the_inner_tuner_learns():
    made = tuner({"rate": TYPES["uniform"]}, inner_tuner_args={"tpe_args": {"n_startup_jobs": 5}})
    errors = []
    for number in range(60):
        parameters = made.generate_parameters(number)
        errors.append(abs(parameters["rate"] - 0.8))
        made.receive_trial_result(number, parameters, -errors[-1])
    assert np.mean(errors[30:]) < 0.6 * np.mean(errors[:10])


@pytest.mark.parametrize("name", ["Random", "Evolution", "TPE", "GridSearch"])
def test_any_tuner_of_nni_may_be_the_inner_one(name):
    made = tuner({"rate": TYPES["uniform"], "size": TYPES["choice_num"]}, inner_tuner=name)
    for parameters in run(made, 20):
        assert is_in(parameters["rate"], TYPES["uniform"])
        assert is_in(parameters["size"], TYPES["choice_num"])


def test_a_small_inner_space_repeats_while_architectures_are_new():
    chosen = run(tuner({"size": {"_type": "choice", "_value": [1, 2]}}), 40)
    assert {parameters["size"] for parameters in chosen} == {1, 2}
    assert len({str(parameters) for parameters in chosen}) == 40


def test_an_inner_tuner_that_fails_costs_nothing_but_itself(caplog):
    made = tuner({"rate": TYPES["uniform"]})
    made.session._inner._tuner.generate_parameters = lambda number: 1 / 0
    made.session._inner._tuner.receive_trial_result = lambda *args: 1 / 0
    assert all(is_in(parameters["rate"], TYPES["uniform"]) for parameters in run(made, 5))
    assert "drawn at random" in caplog.text
    assert len(made.results()) == 5


# ---------------------------------------------------------------- failures


@pytest.mark.parametrize("value", [None, float("nan"), "high", {}, {"loss": 1.0}, [3]])
def test_a_trial_without_a_number_counts_as_failed(value):
    made = tuner()
    first = made.generate_parameters(0)
    made.receive_trial_result(0, first, value)
    made.trial_end(0, True)
    assert [result.value for result in made.results()] == [None]
    second = made.generate_parameters(1)
    assert second != first
    made.trial_end(1, False)
    made.generate_parameters(2)
    assert len(made.results()) == 2


def test_the_echo_of_a_trial_has_the_last_word():
    made = tuner()
    first, second = made.generate_multiple_parameters([0, 1], st_callback=None)
    architecture = cases.SPACE.from_parameters(second)
    made.receive_trial_result(
        0, "", {"default": 5.0, "architecture": architecture.to_json()}, trial_job_id="abc"
    )
    (result,) = made.results()
    assert (result.architecture, result.value, result.trial) == (architecture, 5.0, "abc")
    assert first != second


def test_an_error_of_the_method_does_not_reach_nni(caplog, monkeypatch):
    made = tuner(method="GraphBO")
    run(made, 3)
    monkeypatch.setattr(made.session.method, "ask", lambda *args: 1 / 0)
    assert len(made.generate_multiple_parameters([3, 4], st_callback=None)) == 2
    assert "ZeroDivisionError" in caplog.text


def test_the_end_of_a_stranger_is_harmless():
    made = tuner()
    made.trial_end(12, True)
    made.receive_trial_result(12, {}, 3.0)
    assert made.results() == []


def test_when_nothing_is_left_architectures_repeat():
    made = GraphTuner("gemnet", space_options={"num_nodes": 3}, method="RandomSearch", seed=0)
    space = GEMNet(3)
    made.update_search_space(nni_graphnas.search_space(space))
    chosen = [str(made.generate_parameters(number)) for number in range(20)]
    assert len(set(chosen)) == len({space.key(a) for a in space.enumerate()}) < 20


# ---------------------------------------------------------------- journal and resumption


def test_the_journal_lies_with_the_experiment_and_a_new_tuner_goes_on(tmp_path, monkeypatch):
    monkeypatch.setenv("NNI_CHECKPOINT_DIRECTORY", str(tmp_path))
    whole = run(tuner(method="GraphBO", journal=str(tmp_path / "elsewhere")), 20)
    first = run(tuner(method="GraphBO"), 12)
    second = tuner(method="GraphBO", seed=None)
    # NNI imports what it believes to know: here the values of others, as it does after a swap.
    wrong = [{"parameter": parameters, "value": 99.0} for parameters in first]
    second.import_data(wrong)
    assert [result.value for result in second.results()] == [
        cases.quality(cases.SPACE.from_parameters(p)) for p in first
    ]
    assert first + run(second, 8) == whole
    assert nni_graphnas.best(tmp_path) == second.best()
    assert len(nni_graphnas.results(tmp_path)) == 20


def test_trials_that_nni_runs_again_are_not_proposed_meanwhile():
    made = tuner()
    running = made.generate_parameters(0)
    later = tuner()
    later.expect_resumed_trials({7: running, 8: {"odd": 1}})
    assert later.generate_parameters(0) != running
    later.import_data([{"parameter": running, "value": 2.0}])
    assert later.results()[0].value == 2.0


# ---------------------------------------------------------------- the search space and the arguments


def test_the_architecture_may_be_left_out_of_the_search_space_but_not_be_another():
    made = GraphTuner(SMALL, method="RandomSearch", seed=0)
    made.update_search_space({"rate": TYPES["uniform"]})
    assert made.generate_parameters(0).keys() == {*cases.SPACE.parameters(), "rate"}
    made.update_search_space({})  # NNI may change it while the experiment runs
    assert made.generate_parameters(1).keys() == set(cases.SPACE.parameters())

    written = nni_graphnas.search_space(GEMNet(5))
    wrong = GraphTuner("gemnet", space_options={"num_nodes": 6}, method="RandomSearch")
    with pytest.raises(InvalidArgument, match=r"gemnet/op_5.*missing"):
        wrong.update_search_space(written)
    with pytest.raises(InvalidArgument, match="no such parameter"):
        wrong.update_search_space(nni_graphnas.search_space(GEMNet(7)))
    with pytest.raises(InvalidArgument, match="dictionary"):
        wrong.update_search_space([1])


BAD = [
    ({}, "space"),
    ({"space": 3}, "space"),
    ({"space": "nowhere"}, "nowhere"),
    ({"space": "nni_cases:Nothing"}, "Nothing"),
    ({"space": "nni_cases:quality"}, "quality"),
    ({"space": "json:JSONDecoder"}, "no GraphSpace"),
    ({"space": "gemnet", "space_options": {"size": 3}}, "size"),
    ({"space": "gemnet", "preset": "fast"}, "fast"),
    ({"space": "gemnet", "config": {"speed": 3}}, "speed"),
    ({"space": "gemnet", "config": {"candidates": 0}}, "candidates"),
    ({"space": "gemnet", "seed": -1}, "seed"),
    ({"space": "gemnet", "seed": "one"}, "seed"),
    ({"space": "gemnet", "optimize_mode": "max"}, "optimize_mode"),
    ({"space": "gemnet", "inner_tuner": "Magic"}, "Magic"),
    ({"space": "gemnet", "inner_tuner_args": {"magic": 1}}, "magic"),
    ({"space": "gemnet", "colour": "red"}, "colour"),
]


@pytest.mark.parametrize("made", TUNERS)
@pytest.mark.parametrize(("arguments", "named"), BAD)
def test_the_validator_names_what_is_wrong(made, arguments, named):
    validator = next(
        v for v in MethodArgumentsValidator.__subclasses__() if v.method_name == made.method_name
    )
    with pytest.raises(InvalidArgument, match=named):
        validator().validate_class_args(**arguments)
    validator().validate_class_args(
        space="gemnet", space_options={"num_nodes": 6}, seed=0, inner_tuner="Random"
    )


def test_prior_data(tmp_path):
    """Files of other tasks; the first proposal is the best of them, in the direction of the experiment."""
    space = GEMNet(4)
    rows = [space.sample(np.random.default_rng(k)) for k in range(30)]
    path = tmp_path / "other.json"
    content = [{"architecture": a.to_dict(), "value": float(a.num_edges)} for a in rows]
    path.write_text(json.dumps(content))
    arguments = {"space": "gemnet", "space_options": {"num_nodes": 4}, "prior": [str(path)], "seed": 0}
    GraphBOArgumentsValidator().validate_class_args(**arguments)
    edges = {}
    for mode in ("maximize", "minimize"):
        tuner = GraphBOTuner(**arguments, optimize_mode=mode)
        tuner.update_search_space(nni_graphnas.search_space(space))
        proposed = tuner.generate_parameters(0)
        edges[mode] = space.from_parameters(proposed).num_edges
    assert edges["maximize"] > edges["minimize"] + 2
    with pytest.raises(InvalidArgument, match="NASGEM cannot use prior tasks"):
        NASGEMTuner(**arguments)
    with pytest.raises(InvalidArgument, match=r"prior must be a list of files, got 'a.csv'"):
        GraphBOTuner("gemnet", prior="a.csv")
    with pytest.raises(DataNotFound, match=r"no file a\.csv"):
        GraphBOArgumentsValidator().validate_class_args(space="gemnet", prior=["a.csv"])


@pytest.mark.parametrize("made", TUNERS)
def test_every_tuner_proposes(made):
    quick = {"encoder": cases.QUICK_NASGEM.encoder} if made.method_name == "NASGEM" else {}
    tuner = made(SMALL, seed=0, config=quick)
    tuner.update_search_space({})
    assert len(run(tuner, 8)) == 8


def test_inside_the_dispatcher_an_error_waits_for_the_first_command(monkeypatch):
    with pytest.raises(InvalidArgument, match="nowhere"):
        GraphBOTuner("nowhere")
    monkeypatch.setenv("SDK_PROCESS", "dispatcher")
    made = GraphBOTuner("nowhere")
    with pytest.raises(InvalidArgument, match="nowhere"):
        made.update_search_space({})
    made.trial_end(0, True)
    made._on_exit()


# ---------------------------------------------------------------- registration and the command line


def test_registered_tuners_are_known_to_nni_with_their_validators(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("NNI_CONFIG_DIR", str(tmp_path))
    assert main(["nni", "register"]) == main(["nni", "register"]) == 0
    printed = capsys.readouterr().out
    for made in TUNERS:
        assert f"{made.method_name}: nni_graphnas.tuner.{made.__name__}, in {tmp_path}" in printed
        assert get_algo_meta(made.method_name).class_name == f"nni_graphnas.tuner.{made.__name__}"
        built = create_builtin_class_instance(made.method_name, {"space": "gemnet", "seed": 1}, "tuners")
        assert isinstance(built, made)
        with pytest.raises(InvalidArgument, match="colour"):
            create_validator_instance("tuners", made.method_name).validate_class_args(
                space="gemnet", colour=1
            )
    file = yaml.safe_load((tmp_path / "registered_algorithms.yml").read_text())
    assert len(file["tuners"]) == len(TUNERS)


def test_where_nni_checks_arguments_ours_are_checked(tmp_path, monkeypatch):
    """NNI 3.0 does so for configurations of version 1 only; for others the tuner does, see test_nnictl.py."""
    monkeypatch.setenv("NNI_CONFIG_DIR", str(tmp_path))
    main(["nni", "register"])
    config = {"builtinTunerName": "GraphBO", "classArgs": {"space": "gemnet", "seed": 0}}
    AlgoSchema("tuner").validate(config)
    config["classArgs"]["space"] = "nowhere"
    with pytest.raises(SchemaError, match="unknown search space 'nowhere'"):
        AlgoSchema("tuner").validate(config)


def test_the_exported_space_is_what_the_tuner_wants(capsys):
    assert main(["nni", "export-space", "gemnet", "--nodes", "6"]) == 0
    written = json.loads(capsys.readouterr().out)
    assert written == json.loads(json.dumps(nni_graphnas.search_space(GEMNet(6))))
    made = GraphBOTuner("gemnet", space_options={"num_nodes": 6})
    made.update_search_space(written)
    GEMNet(6).validate(nni_graphnas.architecture(made.generate_parameters(0), GEMNet(6)))
    assert main(["nni", "export-space", "nowhere"]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_results_are_printed(tmp_path, capsys):
    journal = tmp_path / "journal"
    made = GraphBOTuner("nasbench201", seed=0, journal=str(journal))
    made.update_search_space({"rate": TYPES["uniform"]})
    for number in range(6):
        parameters = made.generate_parameters(number)
        made.receive_trial_result(
            number, parameters, float(number) if number else None, trial_job_id=f"t{number}"
        )
    assert main(["nni", "results", str(journal), "--top", "2"]) == 0
    printed = capsys.readouterr().out
    assert "nasbench201: 5 trials with a value, 1 failed" in printed
    assert [line.split()[:2] for line in printed.splitlines()[2:4]] == [["5.0000", "t5"], ["4.0000", "t4"]]
    assert "rate=0." in printed
    assert made.best().architecture.to_json() in printed
    assert main(["nni", "results", str(tmp_path)]) == 2
    assert "no journal" in capsys.readouterr().err


# ---------------------------------------------------------------- in the trial


def test_the_trial_reports_its_architecture_with_the_value(monkeypatch):
    reported = []
    monkeypatch.setattr(nni, "report_final_result", reported.append)
    architecture = NASBench201().at(7)
    nni_graphnas.report_final_result(93.5, architecture)
    assert reported == [{"default": 93.5, "architecture": architecture.to_json()}]


def test_without_nni_the_error_names_the_command(monkeypatch):
    import sys

    from nni_graphnas.host import require_nas, require_nni

    for name in [name for name in sys.modules if name.split(".")[0] in ("nni", "pytorch_lightning")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pytorch_lightning", None)
    with pytest.raises(MissingExtra, match=r'pip install "graphnas\[nni\]"'):
        require_nas()
    monkeypatch.setitem(sys.modules, "nni", None)
    with pytest.raises(MissingExtra, match=r'nni is not installed; run: pip install "graphnas\[nni\]"'):
        require_nni()
    with pytest.raises(MissingExtra, match=r"graphnas\[nni\]"):
        nni_graphnas.report_final_result(1.0, NASBench201().at(7))


# ---------------------------------------------------------------- several architectures, other spaces


def test_a_product_is_searched_with_parameters_beside_it():
    space = ProductSpace(encoder=cases.SPACE, decoder=GEMNet(3))
    made = GraphTuner("graphnas:ProductSpace", space_options=space.arguments(), method="RandomSearch", seed=0)
    made.update_search_space({**nni_graphnas.search_space(space), "encoder/lr": TYPES["uniform"]})
    for number in range(6):
        chosen = made.generate_parameters(number)
        architecture = nni_graphnas.architecture(chosen, space)
        assert 0 <= chosen["encoder/lr"] <= 1
        made.receive_trial_result(number, chosen, float(architecture.num_edges))
    assert len({space.key(result.architecture) for result in made.results()}) == 6


def test_the_search_space_of_another_space_is_refused_naming_both():
    for other in (NASBench101(), GEMNet(5)):
        made = GraphTuner("nasbench201", method="RandomSearch")
        with pytest.raises(InvalidArgument, match=f"{other.name}.*'nasbench201'.*space: {other.name}"):
            made.update_search_space(nni_graphnas.search_space(other))
    made = GraphTuner("nasbench201", method="RandomSearch")
    made.update_search_space({"gemnet/lr": TYPES["uniform"]})  # a parameter of the user's
    assert "gemnet/lr" in made.generate_parameters(0)
