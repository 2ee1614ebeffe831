"""A trial for the tests of real experiments: quick, and every fifth one goes wrong in one of four ways."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import nni
import psutil
from small_space import SmallSpace, fingerprint

import nni_graphnas


def main(log: Path, mode: str) -> None:
    started = psutil.Process().create_time()
    number = int(os.environ["NNI_TRIAL_SEQ_ID"])
    wrong = number // 5 % 4 if mode == "wrong" and number % 5 == 4 else None
    if wrong == 0:
        os._exit(1)  # before it asks for its parameters
    space = SmallSpace()
    architecture = nni_graphnas.architecture(nni.get_next_parameter(), space)
    if mode == "slow":
        time.sleep(1.5)
    with (log / f"{number}.{os.getpid()}.json").open("w") as file:
        record = {"started": started, "ended": time.time(), "wrong": wrong}
        json.dump({**record, "architecture": architecture.to_dict()}, file)
    if wrong == 1:
        os._exit(1)
    if wrong == 2:
        nni.report_final_result(float("nan"))
    if wrong is None:
        nni.report_intermediate_result(0.5)
        value = fingerprint(architecture)
        if (
            mode == "slow"
        ):  # and killed: NNI may pair what it then imports wrongly, but not what names its architecture
            nni_graphnas.report_final_result(value, architecture)
        else:
            nni.report_final_result(value)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
