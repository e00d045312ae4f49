"""What takes longer than a second is said on stderr, and a template is built anew if asked."""

from __future__ import annotations

import pytest

TEST = """
    def test_it(sync_session): ...
    def test_another(sync_session): ...
"""


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [("-q",), ("-n", "2"), ("-s",)])
def test_a_slow_template(harbour, arguments):
    """The lines say what is done, how long it took and where the template is kept."""
    result = harbour(TEST, *arguments, process=True)
    result.assert_outcomes(passed=2)
    lines = [line for line in result.stderr.lines if line.startswith("crucible: ")]
    assert len(lines) == 2
    assert "building the template crucible_t_" in lines[0]
    assert "crucible_load = " in lines[0]
    assert lines[1].startswith("crucible: the template is built, and kept for later runs in ")
    assert lines[1].endswith(" s")
    assert not [line for line in harbour(TEST, *arguments, process=True).stderr.lines if line.startswith("crucible: ")]


@pytest.mark.parametrize("arguments", [(), pytest.param(("-n", "2"), marks=pytest.mark.slow)])
def test_rebuild(harbour, arguments, monkeypatch):
    """With --crucible-rebuild the template is built anew, once in a run of however many processes."""
    monkeypatch.delenv("PYTEST_XDIST_TESTRUNUID", raising=False)  # it would make one run of all
    for options, said in [((), True), (("--crucible-rebuild",), True), ((), False)]:
        result = harbour(TEST, *arguments, *options, load=False)
        result.assert_outcomes(passed=2)
        assert ("crucible: 1 template built" in result.stdout.lines) == said
