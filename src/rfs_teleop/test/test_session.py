"""The session keeps its promises whatever the operator asks, and whichever service fails."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rfs_teleop.bag_reader import Bag
from rfs_teleop.episode_conduct import Counts, Ending, Scene, ServiceError
from rfs_teleop.session import Session
from rfs_teleop.session_commands import Command, Phase, refusal
from rfs_teleop.session_plan import SessionPlan, Tally
from test_bag import write_bag


@dataclass
class World:
    """Bridge, policy, executor and recorder. `meanwhile` is called while a service is being called."""

    failing: set[str] = field(default_factory=set)
    meanwhile: Callable[[], None] = lambda: None
    engaged: bool = False
    paused: bool = False
    latched: bool = False
    recording: str = ""
    bags: dict[str, str] = field(default_factory=dict)
    seeds: list[int] = field(default_factory=list)

    @property
    def moving(self) -> bool:
        return self.engaged and not self.paused and not self.latched

    def _called(self, name: str) -> None:
        self.meanwhile()
        if name in self.failing:
            raise ServiceError(f"{name} is refused")

    def engage(self, wanted: bool, patient: bool = False) -> None:
        self._called("engage" if wanted else "hold")
        if wanted and self.latched:
            raise ServiceError("stopped")
        self.engaged, self.paused = wanted, False

    def pause(self, wanted: bool) -> None:
        self._called("pause")
        if wanted and (self.latched or not self.engaged):
            raise ServiceError("nothing to pause")
        self.paused = wanted

    def stop(self, wanted: bool) -> None:
        self._called("stop")
        if wanted != self.latched:
            self.engaged = self.paused = False
        self.latched = wanted

    def reset_scene(self, seed: int, name: str) -> Scene:
        self._called("reset")
        self.seeds.append(seed)
        return Scene(name or f"object{seed}", 0)

    def new_scene(self) -> Scene:
        return Scene("", 0)

    def reset_policy(self, seed: int) -> None:
        self._called("policy")

    def start_recorder(self, episode: str, name: str, seed: int) -> str:
        self._called("record")
        assert not self.recording
        self.recording = episode
        return f"/nowhere/{episode}"

    def stop_recorder(self, outcome: str, notes: str) -> Counts:
        self._called("close")
        assert self.recording
        if outcome != "discarded":
            self.bags[self.recording] = outcome
        self.recording = ""
        return Counts(10, 10)


def session(world: World, tally: Tally | None = None, **plan: object) -> Session:
    ids = iter(range(10**6))
    return Session(
        SessionPlan(**plan),  # type: ignore[arg-type]
        world,
        lambda number, name: f"{next(ids)}-{number}-{name}",
        tally=tally or Tally(),
    )


def settle(it: Session) -> None:
    while it.busy:
        it.step()


def give(it: Session, *commands: Command) -> None:
    for command in commands:
        assert it.command(command) == ""
        settle(it)


EVENTS: dict[str, Callable[[Session], object]] = {
    "success": lambda it: it.judged(True),
    "time": lambda it: it.out_of_time(8.0),
    "broken": lambda it: it.broken("the policy node does not answer"),
    "latched": lambda it: it.stopped("stopped by the operator"),
}
FAILING = st.sets(st.sampled_from(["engage", "pause", "reset", "policy", "record"]), max_size=2)
ACTIONS = st.lists(
    st.one_of(st.sampled_from(list(Command)), st.sampled_from(list(EVENTS)), FAILING), max_size=40
)


def act(it: Session, world: World, action: Command | str | set[str]) -> None:
    if isinstance(action, Command):
        it.command(action)
    elif isinstance(action, str):
        if action == "latched":
            world.latched, world.engaged, world.paused = True, False, False
        EVENTS[action](it)
    else:
        world.failing = action


def check_at_rest(it: Session, world: World) -> None:
    assert bool(world.recording) == it.is_open, it.phase
    assert world.moving == (it.phase == Phase.RUNNING), it.phase
    if it.phase in (Phase.WAITING, Phase.FINISHED):
        assert not it.is_open
        assert not world.engaged
    assert it.phase != Phase.RESETTING


@settings(max_examples=300, deadline=None)
@given(ACTIONS, st.booleans(), st.booleans(), st.integers(0, 4))
def test_at_rest_nothing_is_open_or_engaged_that_should_not_be(
    actions: list[Command | str | set[str]], simulator: bool, attended: bool, episodes: int
) -> None:
    world = World()
    it = session(world, simulator=simulator, attended=attended, episodes=episodes)
    settle(it)
    for action in actions:
        act(it, world, action)
        settle(it)
        check_at_rest(it, world)
    it.close("the session was ended")
    assert not world.recording
    assert not world.engaged


@settings(max_examples=300, deadline=None)
@given(ACTIONS, st.randoms(use_true_random=False), st.booleans())
def test_commands_in_the_middle_of_a_service_call_are_taken_too(
    actions: list[Command | str | set[str]], random: object, simulator: bool
) -> None:
    world, left = World(), list(actions)
    it = session(world, simulator=simulator, episodes=5)

    def interfere() -> None:
        if left and random.random() < 0.5:  # type: ignore[attr-defined]
            act(it, world, left.pop())

    world.meanwhile = interfere
    while left or it.busy:
        if it.busy:
            it.step()
        else:
            act(it, world, left.pop())
    check_at_rest(it, world)


@given(st.sampled_from(list(Command)), st.sampled_from(list(Phase)), st.booleans(), st.booleans())
def test_a_stop_is_never_refused_and_refusals_are_sentences(
    command: Command, phase: Phase, is_open: bool, time_over: bool
) -> None:
    text = refusal(command, phase, is_open, time_over)
    if command == Command.STOP and phase != Phase.FINISHED:
        assert text == ""
    assert text == "" or len(text.split()) > 3


def test_in_simulation_episodes_follow_by_themselves_until_all_are_done() -> None:
    world = World()
    it = session(world, episodes=3, attended=False)
    for success in (True, False, True):
        settle(it)
        assert it.phase == Phase.RUNNING
        it.judged(success)
    settle(it)
    assert it.phase == Phase.FINISHED
    assert list(world.bags.values()) == ["success", "failure", "success"]
    assert (it.tally.successes, it.tally.failures) == (2, 1)


def test_a_person_starts_first_and_each_time_on_hardware() -> None:
    world = World()
    it = session(world, simulator=False, objects=["mug", "box"], episodes=2)
    settle(it)
    assert it.phase == Phase.WAITING
    assert it.message == "place mug, then start the episode"
    give(it, Command.START, Command.FAILURE)
    assert it.phase == Phase.WAITING
    assert it.message == "place box, then start the episode"
    give(it, Command.START, Command.SUCCESS)
    assert it.phase == Phase.FINISHED


def test_a_discarded_episode_does_not_count_and_its_scene_does_not_come_back() -> None:
    world = World()
    it = session(world, episodes=2, objects=["mug", "box"])
    give(it, Command.START)
    assert it.object == "mug"
    give(it, Command.DISCARD)
    assert (it.phase, it.number, it.object) == (Phase.RUNNING, 1, "mug")
    assert world.bags == {}
    assert world.seeds == [0, 1]
    give(it, Command.SUCCESS)
    assert (it.number, it.tally.discarded) == (2, 1)


def test_on_hardware_the_time_limit_asks_for_a_mark() -> None:
    world = World()
    it = session(world, simulator=False)
    give(it, Command.START)
    it.out_of_time(20.0)
    settle(it)
    assert it.phase == Phase.PAUSED
    assert "mark success, failure or discard" in it.message
    assert not world.moving
    assert "time of this episode is over" in it.command(Command.RESUME)
    give(it, Command.FAILURE)
    assert list(world.bags.values()) == ["failure"]


def test_after_a_stop_the_robot_moves_only_on_resume_after_release() -> None:
    world = World()
    it = session(world)
    give(it, Command.START, Command.STOP)
    assert (it.phase, world.latched) == (Phase.STOPPED, True)
    assert "release the stop first" in it.command(Command.RESUME)
    assert "release the stop first" in it.command(Command.START)
    give(it, Command.RELEASE)
    assert (it.phase, world.engaged, world.latched) == (Phase.PAUSED, False, False)
    give(it, Command.RESUME)
    assert (it.phase, world.moving) == (Phase.RUNNING, True)


def test_a_stopped_episode_can_be_marked_and_the_next_one_waits_for_a_start() -> None:
    world = World()
    it = session(world)
    give(it, Command.START, Command.STOP, Command.SUCCESS)
    assert it.phase == Phase.STOPPED
    give(it, Command.RELEASE)
    assert (it.phase, it.number) == (Phase.WAITING, 2)
    give(it, Command.START)
    assert it.phase == Phase.RUNNING


def test_a_stop_while_an_episode_is_made_ready_leaves_nothing_of_it() -> None:
    world = World()
    it = session(world)
    assert it.command(Command.START) == ""

    def stop_once() -> None:
        if world.recording and it.phase != Phase.STOPPED:
            it.stopped("stopped by the operator")
            world.latched = True

    world.meanwhile = stop_once
    settle(it)
    assert (it.phase, world.recording, world.bags) == (Phase.STOPPED, "", {})


@pytest.mark.parametrize("attended", [True, False])
def test_a_full_disk_ends_the_episode_and_says_why(attended: bool) -> None:
    world = World()
    ended: list[tuple[str, Ending]] = []
    it = session(world, attended=attended)
    it.ended = lambda outcome, bag, ending: ended.append((outcome, ending))
    if attended:
        give(it, Command.START)
    settle(it)
    it.broken("recorder: no space left on the device")
    settle(it)
    assert not world.engaged
    assert ended[0][0] == "unknown"
    assert "no space left" in it.message
    assert it.phase == (Phase.WAITING if attended else Phase.FINISHED)
    assert it.failed == ("" if attended else "recorder: no space left on the device")


def test_finish_ends_after_the_running_episode() -> None:
    it = session(World())
    give(it, Command.START, Command.FINISH)
    assert it.phase == Phase.RUNNING
    give(it, Command.SUCCESS)
    assert it.phase == Phase.FINISHED
    assert "finished" in it.command(Command.START)


def test_a_mark_just_before_the_finish_counts() -> None:
    world = World()
    it = session(world)
    give(it, Command.START, Command.STOP)
    for command in (Command.SUCCESS, Command.FINISH):
        assert it.command(command) == ""
    settle(it)
    assert (it.phase, list(world.bags.values())) == (Phase.FINISHED, ["success"])


def test_a_finish_while_an_episode_is_made_ready_is_the_end() -> None:
    world = World()
    it = session(world)
    assert it.command(Command.START) == ""

    def stop_and_finish() -> None:
        if world.recording and it.phase == Phase.RESETTING:
            it.stopped("stopped by the operator")
            assert it.command(Command.FINISH) == ""

    world.meanwhile = stop_and_finish
    settle(it)
    assert (it.phase, world.recording, world.engaged) == (Phase.FINISHED, "", False)


def test_an_earlier_start_is_continued() -> None:
    world = World()
    it = session(world, Tally(successes=2, failures=1, discarded=1, begun=4), episodes=5, seed=10)
    assert it.number == 4
    give(it, Command.START)
    assert world.seeds[-1] == 14


def test_a_session_that_is_complete_does_not_begin() -> None:
    it = session(World(), Tally(successes=5), episodes=5, attended=False)
    assert it.phase == Phase.FINISHED


def answers(commands: Sequence[Command]) -> list[str]:
    it = session(World())
    settle(it)
    return [it.command(command) for command in commands]


def test_what_makes_no_sense_is_refused() -> None:
    assert answers([Command.SUCCESS]) == ["no episode is running: start one first"]
    assert answers([Command.PAUSE]) == ["no episode is running that could be paused"]
    assert answers([Command.RESUME]) == ["no episode is paused"]
    assert answers([Command.START, Command.START])[1].startswith("an episode is just being")


def test_a_stop_is_not_undone_by_a_release_from_before_it() -> None:
    world = World()
    it = session(world)
    give(it, Command.START, Command.STOP)
    for command in (Command.RELEASE, Command.STOP):
        assert it.command(command) == ""
    settle(it)
    assert (it.phase, world.latched) == (Phase.STOPPED, True)
    give(it, Command.RELEASE)
    assert (it.phase, world.latched) == (Phase.PAUSED, False)


def test_a_stop_while_the_release_is_under_way_is_not_undone_either() -> None:
    world = World()
    it = session(world)
    give(it, Command.START, Command.STOP)

    def stop() -> None:
        world.meanwhile = lambda: None
        it.command(Command.STOP)

    world.meanwhile = stop
    give(it, Command.RELEASE)
    assert (it.phase, world.latched) == (Phase.STOPPED, True)
    give(it, Command.RELEASE)
    assert (it.phase, world.latched) == (Phase.PAUSED, False)


class BagsOnDisk(World):
    """Records into real bags; `gone`: the recorder died and answers no more."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder, self.gone = folder, False

    def start_recorder(self, episode: str, name: str, seed: int) -> str:
        super().start_recorder(episode, name, seed)
        write_bag(self.folder / episode, [("/a", "x")], flush_every=1)._file.close()
        return str(self.folder / episode)

    def stop_recorder(self, outcome: str, notes: str) -> Counts:
        if self.gone:
            raise ServiceError("the recorder node does not answer")
        return super().stop_recorder(outcome, notes)


@pytest.mark.parametrize(("command", "kept"), [(Command.DISCARD, 0), (Command.SUCCESS, 1)])
def test_the_mark_counts_when_the_recorder_died(tmp_path: Path, command: Command, kept: int) -> None:
    world = BagsOnDisk(tmp_path)
    it = session(world, simulator=False)
    give(it, Command.START)
    world.gone = True
    give(it, command)
    bags = list(tmp_path.iterdir())
    assert len(bags) == kept
    assert [Bag(bag).contract["outcome"] for bag in bags] == ["unknown"] * kept
    assert it.tally.discarded == (not kept)
    assert ("was deleted" if not kept else "was repaired") in it.message


def test_a_discarded_episode_is_not_kept_because_the_robot_was_not_held() -> None:
    world = World()
    it = session(world, simulator=False)
    give(it, Command.START)
    world.failing = {"hold"}
    give(it, Command.DISCARD)
    assert (world.bags, it.tally.discarded) == ({}, 1)
