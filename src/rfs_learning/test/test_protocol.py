"""The protocol: how often, which objects, spread over the table; and what a wrong one is told."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rfs_learning.protocol import Protocol
from rfs_learning.table_region import TableRegion
from rfs_sim_bridge.episodes import draw
from rfs_sim_bridge.objects import find_object, object_names
from rfs_sim_bridge.task_config import TaskConfig

TASK = TaskConfig.default()


def cells_of(protocol, jobs):
    places = [draw(seed, find_object(name), TASK).start.object_position for name, seed in jobs]
    return [protocol.region.cell_of((x, y)) for x, y, _ in places]


def test_the_papers_protocol():
    protocol = Protocol.load("paper")
    jobs = protocol.jobs(TASK)
    counts = Counter(job.object for job in jobs)
    assert [counts[name] for name in protocol.known] == [20, 20]
    assert [counts[name] for name in protocol.unknown] == [10] * 7
    assert set(protocol.known) <= set(object_names("train"))
    assert set(protocol.unknown) <= set(object_names("heldout"))
    assert len({job.seed for job in jobs}) == len(jobs) == 110
    assert (protocol.region.x, protocol.region.y) == ((0.45, 0.65), (-0.2, 0.2))
    assert jobs == protocol.jobs(TASK)


def test_every_cell_gets_its_share():
    protocol = Protocol.load("paper")
    jobs = protocol.jobs(TASK)
    for name, share in (("bottle", 2), ("mug", 1)):
        chosen = [job for job in jobs if job.object == name]
        assert Counter(cells_of(protocol, chosen)) == dict.fromkeys(range(10), share)


@given(st.integers(1, 12), st.integers(1, 3), st.integers(1, 3))
def test_shares_differ_by_one_at_most(trials, rows, columns):
    region = TableRegion(rows=rows, columns=columns)
    protocol = Protocol(("box",), (), known_trials=trials, region=region)
    counts = Counter(cells_of(protocol, protocol.jobs(TASK)))
    filled = [counts[cell] for cell in range(region.cells)]
    assert sum(filled) == trials
    assert max(filled) - min(filled) <= 1


@given(st.floats(0.45, 0.65), st.floats(-0.2, 0.2))
def test_cells_cover_the_region(x, y):
    region = TableRegion()
    cell = region.cell_of((x, y))
    assert cell is not None
    row, column = divmod(cell, region.columns)
    assert abs(x - (0.50 + 0.10 * row)) <= 0.05 + 1e-9
    assert abs(y - (-0.16 + 0.08 * column)) <= 0.04 + 1e-9


def test_outside_the_region_is_no_cell():
    assert TableRegion().cell_of((0.44, 0.0)) is None
    assert TableRegion().cell_of((0.5, 0.21)) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("known: [unicorn]", "unknown object 'unicorn'"),
        ("known: [box]\nunknown: [box]", "stands twice"),
        ("known: []", "no objects"),
        ("known: [box]\ntrials: 3", "unknown entry 'trials'"),
        ("known: [box]\nknown_trials: 0", "at least 1"),
        ("known: [box]\nregion: {x: [1, 0]}", "region.x"),
        ("known: [box]\nregion: {rows: 0}", "region.rows"),
        ("- box", "must have entries"),
        ("known: [box", "cannot be used"),
    ],
)
def test_a_wrong_protocol_is_named(tmp_path, text, words):
    file = tmp_path / "protocol.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=words):
        Protocol.load(str(file))


def test_no_protocol_there():
    with pytest.raises(ValueError, match="give 'paper'"):
        Protocol.load("/nowhere.yaml")


def test_a_task_that_does_not_reach_the_region():
    task = TaskConfig.from_dict({"reset": {"object_x": [0.45, 0.5]}})
    with pytest.raises(ValueError, match=r"reset\.object_x"):
        Protocol(("box",), ()).jobs(task)
