"""Each repair: the defect without it, its absence with it, and nothing at all on another NNI."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import nni
import numpy as np
import pytest
from nni.experiment import launcher
from nni.nas.experiment.config import NasExperimentConfig
from nni.nas.utils.serializer import TorchSerializer
from nni.runtime.msg_dispatcher import MsgDispatcher
from nni.runtime.tuner_command_channel import CommandType, TunerCommandChannel
from nni.runtime.tuner_command_channel.command_type import RequestTrialJobs

import nni_graphnas
from nni_graphnas import repairs
from nni_graphnas.tuner import GraphTuner
from search_spaces import GEMNet

NAMES = [repair.name for repair in repairs.REPAIRS]


@pytest.fixture(autouse=True)
def unrepaired():
    """Every test begins with NNI as it is installed, and leaves it so."""
    repairs.remove()
    yield
    repairs.remove()


@pytest.fixture(params=["without", "with"])
def repaired(request):
    if request.param == "with":
        assert repairs.apply(nas=True) == sorted(NAMES)
    return request.param == "with"


class Channel:
    """What a dispatcher or an engine sends and receives, kept in lists instead of a socket."""

    def __init__(self, *commands):
        self.incoming = list(commands)
        self.sent = []

    def send(self, command):
        self.sent.append(command)

    def receive(self):
        return self.incoming.pop(0) if self.incoming else None

    def disconnect(self):
        """Nothing to close."""


def tuner():
    return GraphTuner("gemnet", space_options={"num_nodes": 4}, method="RandomSearch", seed=0)


def dispatcher(made, *commands, repaired):
    found = MsgDispatcher("ws://_unittest_repairs", made)
    if not repaired:
        repairs.remove()  # our tuners apply repairs when they are made
    found._channel._channel = Channel(*commands)
    return found


def command(kind, content=""):
    return {"type": kind.value, "content": content if isinstance(content, str) else json.dumps(content)}


# ---------------------------------------------------------------- tuners


def test_dispatcher_error(repaired):
    """NNI's dispatcher ends after an exception of the tuner, and the manager never hears of it."""
    other = nni_graphnas.search_space(GEMNet(6))  # an error of ours: the tuner's space is another
    found = dispatcher(tuner(), command(CommandType.Initialize, other), repaired=repaired)

    def receive():  # the manager says nothing more, but pings
        channel = found._channel._channel
        if channel.incoming:
            return channel.incoming.pop(0)
        threading.Event().wait(0.05)
        return command(CommandType.Ping)

    found._channel._channel.receive = receive
    found.run()
    errors = [sent for sent in found._channel._channel.sent if sent["type"] == CommandType.Error.value]
    assert len(errors) == (1 if repaired else 0)
    if repaired:
        assert "gemnet/op_" in errors[0]["content"]


def test_resumed_trials(repaired):
    """NNI tells the dispatcher which trials run again, and the dispatcher keeps that to itself."""
    made = tuner()
    found = dispatcher(made, repaired=repaired)
    made.update_search_space({})
    chosen = made.session.space.to_parameters(made.session.method.ask()[0])
    resumed = {"parameter_id": 3, "parameter_source": "resumed", "parameters": chosen}
    found.handle_add_customized_trial([resumed])
    proposed = made.generate_parameters(4)
    assert (proposed != chosen) == repaired


def test_slow_start(repaired, monkeypatch):
    """NNI asks its server four times in three seconds, and then kills it."""
    asked = []

    def get(port, path, prefix):
        asked.append(path)
        if len(asked) < 12:
            raise ConnectionError("refused")

    monkeypatch.setattr(launcher.rest, "get", get)
    monkeypatch.setattr(launcher.time, "sleep", lambda seconds: None)
    if repaired:
        launcher._check_rest_server(8080, url_prefix=None)
        assert len(asked) == 12
    else:
        with pytest.raises(ConnectionError):
            launcher._check_rest_server(8080, url_prefix=None)
        assert len(asked) == 4


# ---------------------------------------------------------------- NAS


def test_checkpoint_load(repaired, tmp_path: Path):
    """The state of NNI's own strategies holds numpy objects, which torch 2.6 refuses to load by default."""
    state = {"strategy": {"random_state": np.random.RandomState(0).get_state()}, "engine": {}}
    TorchSerializer().save(state, tmp_path / "state.ckpt")
    if repaired:
        loaded = TorchSerializer().load(tmp_path / "state.ckpt")
        assert np.array_equal(loaded["strategy"]["random_state"][1], state["strategy"]["random_state"][1])
    else:
        with pytest.raises(Exception, match="weights_only"):
            TorchSerializer().load(tmp_path / "state.ckpt")


def test_unknown_command(repaired):
    """A manager that resumes sends what an engine does not know, and that ends the thread that listens."""
    channel = TunerCommandChannel("ws://_unittest_repairs")
    channel._channel = Channel(
        command(CommandType.Initialize, {}),
        command(CommandType.ImportData, []),
        command(CommandType.AddCustomizedTrialJob, []),
        command(CommandType.RequestTrialJobs, "2"),
    )
    heard = []
    channel.on_request_trial_jobs(heard.append)
    if repaired:
        channel.listen(threading.Event())
        assert heard == [RequestTrialJobs(2)]
    else:
        with pytest.raises(ValueError, match="Unknown command type"):
            channel.listen(threading.Event())
        assert heard == []


@pytest.mark.parametrize("fits", [True, False])
def test_trial_torchvision(repaired, fits, monkeypatch):
    """A trial imports nni.nas before anything of ours, and fails with a torchvision that does not fit."""
    monkeypatch.setattr(repairs, "_torchvision_lacks_operators", lambda: not fits)
    config = NasExperimentConfig("ts", "simplified", "local")
    config.trial_concurrency = 1
    config.max_trial_number = 1
    written = config.canonical_copy().trial_command
    launched = "-m nni_graphnas.trial -m nni.nas.execution.training_service trial" in written
    assert launched == (repaired and not fits)
    assert written.endswith("-m nni.nas.execution.training_service trial")
    assert config.canonical_copy().canonical_copy().trial_command == written


# ---------------------------------------------------------------- all of them


def test_another_nni_is_left_alone(monkeypatch):
    monkeypatch.setattr(nni, "__version__", "3.1")
    assert repairs.apply(nas=True) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_function_that_is_not_the_one_known_is_left_alone(name, monkeypatch):
    repair = next(repair for repair in repairs.REPAIRS if repair.name == name)
    owner = __import__("importlib").import_module(repair.module)
    owner = getattr(owner, repair.owner) if repair.owner else owner

    def repaired_upstream(*arguments, **options):
        return "as NNI 3.0.1 has it"

    monkeypatch.setattr(owner, repair.function, repaired_upstream)
    assert repairs.apply(nas=True) == sorted(set(NAMES) - {name})
    assert getattr(owner, repair.function) is repaired_upstream


def test_done_twice_is_done_once_and_undone_is_undone():
    before = MsgDispatcher.handle_add_customized_trial
    assert (
        repairs.apply()
        == repairs.apply()
        == [*("dispatcher_error", "intermediate_result", "resumed_trials", "slow_start", "trial_stopped")]
    )
    assert MsgDispatcher.handle_add_customized_trial is not before
    repairs.remove()
    assert MsgDispatcher.handle_add_customized_trial is before


def test_the_table_of_the_module_names_every_repair():
    rows = [line.split()[0] for line in repairs.__doc__.splitlines() if line.startswith(tuple(NAMES))]
    assert rows == NAMES


class _Assessor:
    """Ends every trial whose second result is below 1, and knows nothing of tuners."""

    def assess_trial(self, trial_job_id, trial_history):
        last = trial_history[-1]
        return len(trial_history) < 2 or (last["default"] if isinstance(last, dict) else last) >= 1

    def trial_end(self, trial_job_id, success):
        """Nothing is kept."""


@pytest.mark.parametrize("form", ["number", "dictionary"])
def test_intermediate_results_and_early_ends_reach_the_tuner(repaired, form):
    made = tuner()
    made.update_search_space(nni_graphnas.search_space(made.session.space))
    found = dispatcher(made, repaired=repaired)
    found.assessor = _Assessor()
    found.handle_request_trial_jobs(2)
    sent = found._channel._channel.sent
    good, bad = (json.loads(one["content"])["parameter_id"] for one in sent)

    def report(number, kind, sequence, value):
        found.handle_report_metric_data(
            {
                "parameter_id": number,
                "trial_job_id": f"job{number}",
                "type": kind,
                "sequence": sequence,
                "value": nni.dump({"default": value, "loss": 0.5} if form == "dictionary" else value),
            }
        )

    for sequence in range(2):
        report(good, "PERIODICAL", sequence, 1.5 + sequence)
        report(bad, "PERIODICAL", sequence, 0.5)
    report(good, "FINAL", 0, 3.0)
    assert sent[2:] == [command(CommandType.KillTrialJob, nni.dump(f"job{bad}"))]
    told = [(o.values, o.curve, o.pruned) for o in made.session.method.observations]
    if repaired:
        assert told == [(None, ((0, 0.5), (1, 0.5)), True), ((3.0,), ((0, 1.5), (1, 2.5)), False)]
    else:
        assert told == [((3.0,), (), False)]


def test_what_cannot_be_taken_does_not_reach_nni(caplog):
    made = tuner()
    found = dispatcher(made, repaired=True)
    found.assessor = _Assessor()
    made.receive_intermediate_result = made.trial_stopped = lambda *arguments: 1 / 0
    for sequence in range(2):
        data = {"parameter_id": 0, "trial_job_id": "j", "type": "PERIODICAL", "sequence": sequence}
        found.handle_report_metric_data({**data, "value": "0.5"})
    assert found._channel._channel.sent == [command(CommandType.KillTrialJob, nni.dump("j"))]
    assert sum(record.exc_info is not None for record in caplog.records) == 3


def test_a_tuner_that_knows_nothing_of_intermediate_results_is_left_alone():
    class Plain:
        """Has none of our methods."""

    repairs.apply()
    found = dispatcher(Plain(), repaired=True)
    found.assessor = _Assessor()
    for sequence in range(2):
        data = {"parameter_id": 0, "trial_job_id": "k", "type": "PERIODICAL", "sequence": sequence}
        found.handle_report_metric_data({**data, "value": "0.5"})
    assert found._channel._channel.sent == [command(CommandType.KillTrialJob, nni.dump("k"))]
