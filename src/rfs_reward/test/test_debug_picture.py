"""The debug picture shows mask, centroid and palm where they are, and copes with what is not known."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from rfs_reward.camera import PinholeCamera
from rfs_reward.debug_picture import draw
from rfs_reward.judge import Judgement
from rfs_reward.tracking import Tracking
from rfs_sim_bridge.pictures import Camera

SIM = Camera()
CAMERA = PinholeCamera(SIM.intrinsics, np.array(SIM.position), SIM.rotation, SIM.width, SIM.height)
GRAY = np.full((120, 160, 3), 90, np.uint8)
NOWHERE = np.full(3, np.nan)


def judgement(**changes: object) -> Judgement:
    nothing = Judgement(
        stamp=1,
        mask=np.zeros((120, 160), bool),
        tracking=Tracking.NONE,
        centroid=NOWHERE,
        palm=NOWHERE,
        palm_distance=np.nan,
        lift=np.nan,
        terms={},
        weights={},
        reward=np.nan,
        success=False,
        confidence=0.0,
        age=0.0,
        problem="nothing stands on the table",
    )
    return replace(nothing, **changes)


def changed(picture: np.ndarray, x: int, y: int) -> bool:
    """Whether anything is drawn within 12 pixels."""
    return bool((picture[y - 12 : y + 13, x - 12 : x + 13] != 90).any())


@settings(max_examples=20, deadline=None)
@given(st.integers(30, 130), st.integers(45, 100))
def test_the_mask_is_tinted_where_it_is(x: int, y: int) -> None:
    mask = np.zeros((120, 160), bool)
    mask[y - 5 : y + 5, x - 5 : x + 5] = True
    picture = draw(GRAY, judgement(mask=mask, tracking=Tracking.SEEN), CAMERA)
    assert picture.shape == (480, 640, 3)
    assert (picture[4 * y, 4 * x] != 90).any()
    rows, columns = np.nonzero((picture[80:] != 90).any(-1))  # below the text
    for drawn, middle in ((rows + 80, y), (columns, x)):
        assert 4 * (middle - 5) - 3 <= drawn.min() <= drawn.max() <= 4 * (middle + 5) + 3


def test_centroid_and_palm_are_marked_where_the_camera_sees_them() -> None:
    """The target of the camera is at the picture's center."""
    here = draw(GRAY, judgement(centroid=np.array(SIM.target), tracking=Tracking.HELD), CAMERA)
    assert changed(here, 320, 240)
    palm = draw(GRAY, judgement(palm=np.array(SIM.target)), CAMERA)
    assert changed(palm, 320, 240)
    assert not changed(draw(GRAY, judgement(), CAMERA), 320, 240)
    behind = 2 * np.array(SIM.position) - SIM.target
    assert not changed(draw(GRAY, judgement(centroid=behind), CAMERA), 320, 240)


def test_state_and_reward_are_written() -> None:
    seen = judgement(tracking=Tracking.SEEN, reward=1.0, lift=0.1)
    texts = [
        draw(GRAY, entry, CAMERA)[:60]
        for entry in (judgement(), seen, replace(seen, reward=2.0), replace(seen, success=True))
    ]
    assert len({text.tobytes() for text in texts}) == 4
