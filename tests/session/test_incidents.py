"""What fails beside the training is reported, numbered and bounded, and ends nothing."""

import contextlib
from types import SimpleNamespace

import pytest

from gan_cli.errors import FinishedWithFailures, Interrupted, NonFiniteError
from gan_cli.runs import directory
from gan_cli.session.incidents import KEPT, Incidents, beside

ENTRY = {"number": 1, "step": 3, "what": "a", "reason": "b"}


@pytest.fixture
def run(tmp_path):
    run = directory.RunDirectory(tmp_path)
    yield run
    run.close()


def failing(error):
    def part(state, given):
        raise error

    return part


def test_a_failure_is_reported_at_once_and_the_rest_goes_on(run):
    shown = []
    incidents = Incidents(run, shown.append, 0)
    probe = beside(failing(ValueError("no such\naxis")), lambda step: f"probe {step}", incidents, dict)
    assert probe(SimpleNamespace(step=7), None) == {}
    line = "failed at step 7: probe 7: ValueError: no such axis (test_incidents.py, line 24); the training continues"
    assert shown == [line]
    assert line in (run.path / directory.LOG).read_text()
    reason = "ValueError: no such axis (test_incidents.py, line 24)"
    entry = {"number": 1, "step": 7, "what": "probe 7", "reason": reason}
    assert directory.read_status(run.path)["failures"] == [entry]
    with pytest.raises(FinishedWithFailures, match="probe 7 at step 7: ValueError: no such axis") as caught:
        incidents.check()
    assert caught.value.exit_code == 3


def test_what_works_is_returned_and_nothing_is_reported(run):
    incidents = Incidents(run, pytest.fail, 0)
    assert beside(lambda state, given: given + 1, str, incidents, int)(None, 2) == 3
    incidents.check()


@pytest.mark.parametrize("error", [NonFiniteError("nan"), Interrupted("stop", 15), KeyboardInterrupt(), SystemExit()])
def test_what_ends_the_training_still_does(run, error):
    with pytest.raises(type(error)):
        beside(failing(error), str, Incidents(run, pytest.fail, 0), int)(SimpleNamespace(step=1), None)


def test_run_json_keeps_the_newest_with_their_numbers(run):
    incidents = Incidents(run, lambda text: None, 0)
    for step in range(30):
        incidents.failed(step, "x", OSError(28, "No space left on device", "file"))
    kept = directory.read_status(run.path)["failures"]
    assert [entry["number"] for entry in kept] == list(range(31 - KEPT, 31))
    assert kept[0]["reason"] == "file: No space left on device"
    with pytest.raises(FinishedWithFailures, match=r"x at step 0: .*, and 29 more"):
        incidents.check()


def test_an_earlier_sessions_failures_stay_up_to_its_checkpoint(run):
    later = {**ENTRY, "number": 2, "step": 9}
    run.status = {"failures": [ENTRY, later], "warnings": "damaged"}
    incidents = Incidents(run, lambda text: None, 5)
    assert incidents.facts() == {"failures": [ENTRY], "warnings": []}
    incidents.failed(6, "x", ValueError())
    assert [entry["number"] for entry in incidents.facts()["failures"]] == [1, 2]
    with pytest.raises(FinishedWithFailures, match="a at step 3: b, and 1 more"):
        incidents.check()


def test_a_failure_that_lasts_is_reported_by_every_later_session_and_another_by_its_own(run):
    for failed, codes in (("a tracker", [3, 0]), ("a picture", [3, 3, 3])):
        run.status = {}
        for session, code in enumerate(codes):
            incidents = Incidents(run, lambda text: None, 5)
            if not session:
                incidents.failed(5, failed, ValueError(), lasting=failed == "a picture")
            with pytest.raises(FinishedWithFailures, match=failed) if code else contextlib.nullcontext():
                incidents.check()


@pytest.mark.parametrize(
    "entry", [None, 3, {}, {**ENTRY, "step": "3"}, {**ENTRY, "number": True}, {**ENTRY, "what": []}]
)
def test_what_is_no_incident_in_run_json_goes(run, entry):
    run.status = {"failures": [entry, ENTRY]}
    assert Incidents(run, pytest.fail, 5).facts()["failures"] == [ENTRY]


def test_a_disk_too_full_for_the_line_leaves_the_screen(run, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    shown = []
    incidents = Incidents(run, shown.append, 0)
    monkeypatch.setattr(run._log, "write", full)
    monkeypatch.setattr(directory, "replace_file", full)
    incidents.warn(4, "collapsed critic", "why")
    assert shown == ["warning at step 4: collapsed critic: why"]
    assert incidents.facts()["warnings"][0]["step"] == 4
