"""Repairs of NNI 3.0 at run time: each replaces one function of NNI, if it is the one expected.

NNI is no longer maintained; 3.0 is from 2023. Our strategies, tuners and validators call :func:`apply`.
Nothing is replaced in another version of NNI, nor a function that is not the one a repair was written for.
:func:`remove` restores the originals.

===================  ==================================================================================
dispatcher_error     an exception in a tuner left the experiment RUNNING for ever; now it ends as ERROR,
                     with the traceback on the web page
resumed_trials       a resumed experiment ran interrupted trials again without telling the tuner
intermediate_result  the tuner was not told of intermediate results, which only the assessor got
trial_stopped        ... nor that the assessor had ended a trial early
slow_start           a busy machine had three seconds to start the server; now it has a minute
checkpoint_load      ``NasExperiment.resume`` could not read its checkpoint with torch 2.6 or newer
unknown_command      ... and then the first command that it did not know ended the listening thread
trial_torchvision    NAS trials ended at once where torchvision's operators do not fit torch
===================  ==================================================================================
"""

from __future__ import annotations

import functools
import importlib
import inspect
import logging
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nni_graphnas.host import require_nas, require_nni

VERSION = "3.0"
START_SECONDS = 60

_logger = logging.getLogger(__name__)
_lock = threading.Lock()
_replaced: dict[str, tuple[Any, str, Any]] = {}


@dataclass(frozen=True)
class Repair:
    """One replacement.

    Attributes:
        name: As in the table above.
        module: Module that defines the function.
        owner: The class that it is a method of; empty for a function of the module.
        function: Its name.
        expects: A piece of the source that the repair was written for.
        wrap: Makes the new function from the old one.
        nas: Whether it concerns ``nni.nas``.
    """

    name: str
    module: str
    owner: str
    function: str
    expects: str
    wrap: Callable[[Callable[..., Any]], Callable[..., Any]]
    nas: bool = False


def apply(*, nas: bool = False) -> list[str]:
    """Make the repairs that this NNI needs and that have not been made yet.

    Args:
        nas: Whether to repair ``nni.nas`` too, which imports it.

    Returns:
        Names of all repairs that are in place now.
    """
    if nas:
        require_nas()
    version = require_nni().__version__
    with _lock:
        for repair in REPAIRS if version == VERSION else ():
            if repair.name in _replaced or (repair.nas and not nas):
                continue
            owner: Any = importlib.import_module(repair.module)
            if repair.owner:
                owner = getattr(owner, repair.owner, None)
            function = getattr(owner, repair.function, None)
            if function is None or repair.expects not in _source(function):
                _logger.info("repair %s is not for this NNI", repair.name)
                continue
            setattr(owner, repair.function, functools.wraps(function)(repair.wrap(function)))
            _replaced[repair.name] = (owner, repair.function, function)
        return sorted(_replaced)


def remove() -> None:
    """Put NNI's own functions back."""
    with _lock:
        for owner, name, function in _replaced.values():
            setattr(owner, name, function)
        _replaced.clear()


def _source(function: Any) -> str:
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        return ""


# ---------------------------------------------------------------- tuners


def _dispatcher_error(process_command: Callable[..., Any]) -> Callable[..., Any]:
    def process(self: Any, command: Any, data: Any) -> Any:
        try:
            return process_command(self, command, data)
        except Exception:
            # NNI logs the exception and ends the dispatcher, but does not report it to the manager.
            self.report_error(traceback.format_exc())
            raise

    return process


def _resumed_trials(handle: Callable[..., Any]) -> Callable[..., Any]:
    def handle_add_customized_trial(self: Any, data: Any) -> Any:
        result = handle(self, data)
        tell = getattr(getattr(self, "tuner", None), "expect_resumed_trials", None)
        if tell is not None:
            tell(dict(self.recovered_trial_params))
        return result

    return handle_add_customized_trial


def _intermediate_result(handle: Callable[..., Any]) -> Callable[..., Any]:
    def handle_report_metric_data(self: Any, data: Any) -> Any:
        take = getattr(getattr(self, "tuner", None), "receive_intermediate_result", None)
        number = data.get("parameter_id")
        if take is not None and data["type"] == "PERIODICAL" and not self.is_created_in_previous_exp(number):
            try:
                from nni import load

                take(number, load(data["value"]), int(data["sequence"]), str(data["trial_job_id"]))
            except Exception:  # what a method may learn from must not end the experiment
                _logger.exception("an intermediate result could not be taken: %s", data)
        return handle(self, data)

    return handle_report_metric_data


def _trial_stopped(send: Callable[..., Any]) -> Callable[..., Any]:
    def send_and_tell(self: Any, command: Any, data: Any) -> Any:
        tell = getattr(getattr(self, "tuner", None), "trial_stopped", None)
        if tell is not None and getattr(command, "name", "") == "KillTrialJob":
            try:
                from nni import load

                tell(str(load(data)))
            except Exception:
                _logger.exception("a stopped trial could not be noted: %s", data)
        return send(self, command, data)

    return send_and_tell


def _slow_start(check: Callable[..., Any]) -> Callable[..., Any]:
    def check_rest_server(port: int, retry: int = START_SECONDS, url_prefix: str | None = None) -> Any:
        return check(port, retry, url_prefix)

    return check_rest_server


# ---------------------------------------------------------------- NAS


def _checkpoint_load(load: Callable[..., Any]) -> Callable[..., Any]:
    def load_everything(self: Any, path: Any) -> Any:
        import torch
        from nni.nas.utils.serializer import _find_path_with_prefix

        # The file is NNI's own checkpoint of this experiment, and holds objects of NNI's.
        file = _find_path_with_prefix(path, self.suffix)
        return torch.load(str(file), map_location=self._map_location, weights_only=False)

    return load_everything


def _unknown_command(receive: Callable[..., Any]) -> Callable[..., Any]:
    def receive_known(self: Any) -> Any:
        while True:
            try:
                return receive(self)
            except ValueError as error:
                if not str(error).startswith("Unknown command type"):
                    raise
                _logger.debug("skipped: %s", error)

    return receive_known


def _trial_torchvision(canonicalize: Callable[..., Any]) -> Callable[..., Any]:
    def canonicalize_with_launcher(self: Any, parents: Any) -> Any:
        if self._trial_command_params is None and _torchvision_lacks_operators():
            # The whole command may not be changed, but what stands for "python" in it may.
            self._trial_command_params = {"python": f"{sys.executable} -m nni_graphnas.trial"}
        return canonicalize(self, parents)

    return canonicalize_with_launcher


def _torchvision_lacks_operators() -> bool:
    extension = sys.modules.get("torchvision.extension")
    return extension is not None and not extension._has_ops()


REPAIRS = (
    Repair(
        "dispatcher_error",
        "nni.runtime.msg_dispatcher_base",
        "MsgDispatcherBase",
        "process_command",
        "Unsupported command",
        _dispatcher_error,
    ),
    Repair(
        "resumed_trials",
        "nni.runtime.msg_dispatcher",
        "MsgDispatcher",
        "handle_add_customized_trial",
        "self.recover_parameter_id(data)",
        _resumed_trials,
    ),
    Repair(
        "intermediate_result",
        "nni.runtime.msg_dispatcher",
        "MsgDispatcher",
        "handle_report_metric_data",
        "if self.assessor is not None:",
        _intermediate_result,
    ),
    Repair(
        "trial_stopped",
        "nni.runtime.msg_dispatcher_base",
        "MsgDispatcherBase",
        "send",
        "self._channel._send(command, data)",
        _trial_stopped,
    ),
    Repair(
        "slow_start",
        "nni.experiment.launcher",
        "",
        "_check_rest_server",
        "retry: int = 3",
        _slow_start,
    ),
    Repair(
        "checkpoint_load",
        "nni.nas.utils.serializer",
        "TorchSerializer",
        "load",
        "return torch.load(str(path), map_location=self._map_location)",
        _checkpoint_load,
        nas=True,
    ),
    Repair(
        "unknown_command",
        "nni.runtime.tuner_command_channel",
        "TunerCommandChannel",
        "receive",
        "raise ValueError(f'Unknown command type: {command_type}')",
        _unknown_command,
        nas=True,
    ),
    Repair(
        "trial_torchvision",
        "nni.nas.experiment.config.experiment",
        "NasExperimentConfig",
        "_canonicalize",
        "-m nni.nas.execution.training_service trial",
        _trial_torchvision,
        nas=True,
    ),
)
