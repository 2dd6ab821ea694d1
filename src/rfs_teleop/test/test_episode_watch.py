"""The watch tells how an episode ends, and which node is missing when it does not go on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rfs_teleop.episode_watch import EpisodeWatch, judging_node

SECOND = 1_000_000_000
START = 20 * SECOND


def watch(lockstep: bool = True, judge: str = "bridge") -> EpisodeWatch:
    return EpisodeWatch(START, limit=8.0, patience=5.0, now=0.0, lockstep=lockstep, judge=judge)


def test_success_ends_an_episode() -> None:
    episode = watch()
    episode.take("reward", START + SECOND, 0.1)
    assert episode.outcome == ""
    episode.take("reward", START + 2 * SECOND, 0.2, success=True)
    assert episode.outcome == "success"
    assert episode.seconds == 2.0


def test_time_ends_an_episode() -> None:
    episode = watch()
    episode.take("reward", START + 8 * SECOND, 0.1)
    assert episode.outcome == "failure"


@given(st.integers(0, START - 1))
def test_messages_of_another_episode_do_not_count(stamp: int) -> None:
    episode = watch()
    episode.take("reward", stamp, 0.1, success=True)
    assert episode.outcome == ""
    assert episode.seconds == 0.0


@pytest.mark.parametrize(
    ("answered", "missing"),
    [
        ([], "bridge"),
        (["reward"], "policy"),
        (["reward", "policy_action"], "executor"),
        (["reward", "policy_action", "executed_action"], "bridge"),
    ],
)
def test_in_lockstep_the_node_that_owes_an_answer_is_named(answered: list[str], missing: str) -> None:
    episode = watch()
    for topic in answered:
        episode.take(topic, START + SECOND, 1.0)
    assert episode.problem(4.9) == ""
    assert f"the {missing} node does not answer" in episode.problem(6.1)


@pytest.mark.parametrize(
    ("silent", "missing"),
    [("reward", "bridge"), ("policy_action", "policy"), ("executed_action", "executor")],
)
def test_in_realtime_the_silent_node_is_named(silent: str, missing: str) -> None:
    episode = watch(lockstep=False)
    for topic in {"reward", "policy_action", "executed_action"} - {silent}:
        episode.take(topic, START + SECOND, 5.0)
    assert f"the {missing} node" in episode.problem(5.5)


@pytest.mark.parametrize("lockstep", [True, False])
@pytest.mark.parametrize(
    ("silent", "missing"),
    [
        ({"reward"}, "reward"),
        ({"policy_action"}, "policy"),
        ({"executed_action"}, "executor"),
        ({"reward", "policy_action", "executed_action"}, "bridge"),
    ],
)
def test_with_a_tracker_its_node_owes_the_reward(silent: set[str], missing: str, lockstep: bool) -> None:
    """And all together are blind where nobody shows them anything."""
    episode = watch(lockstep, judging_node("rgbd"))
    for topic in ("reward", "policy_action", "executed_action"):
        episode.take(topic, START + SECOND, 1.0)
    for topic in {"reward", "policy_action", "executed_action"} - silent:
        episode.take(topic, START + 2 * SECOND, 5.0)
    assert f"the {missing} node does not answer" in episode.problem(6.5)


def test_a_pause_does_not_count_and_nobody_owes_a_message_in_it() -> None:
    episode = watch(lockstep=False)
    episode.take("reward", START + SECOND, 1.0)
    episode.pause()
    assert episode.problem(60.0) == ""
    episode.take("reward", START + 31 * SECOND, 31.0)
    episode.resume(31.0)
    assert episode.problem(32.0) == ""
    episode.take("reward", START + 32 * SECOND, 32.0)
    assert episode.seconds == pytest.approx(2.0)
    assert episode.outcome == ""


def test_without_a_simulator_the_executor_tells_the_time_and_nobody_owes_a_reward() -> None:
    episode = EpisodeWatch(START, 8.0, 5.0, 0.0, lockstep=False, judge="")
    for second in range(1, 9):
        episode.take("policy_action", START + second * SECOND, second)
        episode.take("executed_action", START + second * SECOND, second)
        assert episode.problem(second) == ""
    assert episode.outcome == "failure"
