"""What looks wrong in a session, in plain words, so that a person sees it before training does. No ROS."""

from collections.abc import Iterator, Sequence

from rfs_teleop.episode_figures import AXES, EpisodeFigures
from rfs_teleop.session_record import SessionRecord

_MANY = 5  # episodes from which on "all" means something
_WAYS = {"x": "along x", "y": "along y", "z": "along z", "closing": "with the fingers"}
_EXPECTED = ("x", "y", "closing")  # the packaged devices leave the palm's height to the policy


def findings(record: SessionRecord) -> list[str]:
    """Sentences, the gravest first; empty when nothing stands out."""
    rows = [row for row in record.episodes if row.outcome in ("success", "failure")]
    return [
        *_bags(record),
        *_robots(rows),
        *_clocks(record.episodes),
        *_outcomes(rows),
        *_corrections(rows),
        *_loop(rows),
    ]


def _bags(record: SessionRecord) -> Iterator[str]:
    for name, why in record.skipped.items():
        yield f"The bag {name} is not counted: {why}."
    for row in record.episodes:
        if row.drops:
            yield f"{row.id}: {row.drops} messages were sent and are not in the bag."
        if row.outcome not in ("success", "failure"):
            yield f"{row.id}: it broke off{f' ({row.notes})' if row.notes else ''} and does not count."


def _robots(rows: Sequence[EpisodeFigures]) -> Iterator[str]:
    robots = sorted({row.robot or "not noted" for row in rows})
    if len(robots) > 1:
        yield f"The episodes are of several robots ({', '.join(robots)}): one session should be of one."


def _clocks(rows: Sequence[EpisodeFigures]) -> Iterator[str]:
    for row in rows:
        if row.jumps:
            more = f" (and {len(row.jumps) - 1} more)" if len(row.jumps) > 1 else ""
            yield f"{row.id}: {row.jumps[0]}{more}. Keep the machines' clocks together, as with chrony."


def _outcomes(rows: Sequence[EpisodeFigures]) -> Iterator[str]:
    successes = sum(row.outcome == "success" for row in rows)
    if len(rows) >= _MANY and successes == len(rows):
        yield (
            f"All {len(rows)} episodes are successes: what a value function learns from them hardly depends "
            "on the action. Keep failures too, and take harder objects or starts."
        )
    if len(rows) >= _MANY and successes == 0:
        yield f"All {len(rows)} episodes are failures: nothing shows what the operator's corrections are for."
    silent = [row.id for row in rows if not row.reward]
    if silent:
        yield f"No reward was recorded in {_episodes(silent, len(rows))}."


def _corrections(rows: Sequence[EpisodeFigures]) -> Iterator[str]:
    corrected = sum(row.corrected for row in rows)
    if rows and not corrected:
        yield "Nobody corrected anything: look at the device, its dead band, and the height limit."
        return
    untouched = sum(not row.corrected for row in rows)
    if untouched > len(rows) / 2:
        yield f"{untouched} of {len(rows)} episodes have no correction at all."
    for axis in _EXPECTED if rows else ():
        if not sum(row.axes[AXES.index(axis)] for row in rows):
            yield f"The operator never corrected {_WAYS[axis]}: does that axis of the device work?"
    saturated = sum(row.saturated for row in rows)
    if saturated > corrected / 2:
        yield (
            f"The residual was at its bound in {100 * saturated / corrected:.0f} % of the corrected ticks: "
            "the policy is further off than corrections can reach, or the device's gain is too high."
        )


def _loop(rows: Sequence[EpisodeFigures]) -> Iterator[str]:
    held = [row.id for row in rows if row.held > 0.1 * (row.ticks + row.held)]
    if held:
        yield f"The robot held or paused in more than a tenth of the ticks of {_episodes(held, len(rows))}."
    uneven = [
        row.id for row in rows if row.sim_time != "lockstep" and row.cadence_p99 > 1.5 * row.cadence_p50
    ]
    if uneven:
        where = _episodes(uneven, len(rows))
        yield f"Commands came unevenly (p99 of the period over 1.5 times its median) in {where}."


def _episodes(names: Sequence[str], total: int) -> str:
    if len(names) == total > 1:
        return f"all {total} episodes"
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
