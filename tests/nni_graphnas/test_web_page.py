"""NNI's web page in a browser: parameters, values and the best architecture can be read there."""

from __future__ import annotations

import json

import pytest
from browser import chromium
from manager import experiment
from test_nnictl import by_class, config, end

pytestmark = pytest.mark.e2e

EXPAND = "[data-automation-key='_expand'] i"


def test_names_values_and_the_best_architecture_can_be_read(tmp_path):
    with chromium(tmp_path / "browser") as page, experiment(tmp_path / "experiment") as manager:
        manager.create(config(manager.home, by_class(), trials=3))
        manager.wait_for("DONE")
        values = {trial["trialJobId"]: _value(trial) for trial in manager.trials()}
        best = max(values, key=lambda trial: values[trial])

        page.open(f"http://127.0.0.1:{manager.port}/oview")
        page.wait_for("document.querySelectorAll('.ms-DetailsRow').length === 3")
        shown = page.value("document.body.innerText")
        assert f"{values[best]:.6f}".rstrip("0").rstrip(".") in shown.partition("Best metric")[0]
        # The best trial stands first among the top ones.
        assert best in page.value("document.querySelector('.ms-DetailsRow').innerText")

        page.open(f"http://127.0.0.1:{manager.port}/detail")
        page.wait_for(f'document.querySelectorAll("{EXPAND}").length === 3')
        rows = "[...document.querySelectorAll('.ms-DetailsRow')]"
        page.value(
            f"{rows}.find(row => row.innerText.includes('{best}')).querySelector(\"{EXPAND}\").click()"
        )
        page.wait_for("document.body.innerText.includes('Copy as json')")
        shown = page.value("document.body.innerText")
        (trial,) = (trial for trial in manager.trials() if trial["trialJobId"] == best)
        for name, value in json.loads(trial["hyperParameters"][0])["parameters"].items():
            assert f"{name}:{json.dumps(value)}" in shown
        end(manager)


def _value(trial):
    reported = json.loads(json.loads(trial["finalMetricData"][0]["data"]))
    return reported["default"] if isinstance(reported, dict) else reported
