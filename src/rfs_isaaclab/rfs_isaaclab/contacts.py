"""Which parts of the hand touch the object, from the contacts of MuJoCo inside Newton."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rfs_sim_bridge.scene import CONTACT_BODIES

from rfs_isaaclab.newton_shapes import NOTHING, geom_bodies, hand_part, model, object_bodies, solver


class ContactReader:
    """Reads flags (n, 5) in the order of `scene.CONTACT_BODIES` for n environments."""

    def __init__(self, num_envs: int, objects: Sequence[str]) -> None:
        self._num_envs = num_envs
        bodies, labels = geom_bodies(), model().body_label
        self._part = np.array([NOTHING if body < 0 else hand_part(labels[body]) for body in bodies])
        number = {int(body): index for index, body in enumerate(object_bodies(objects)[0])}
        self._object = np.array([number.get(int(body), NOTHING) for body in bodies])

    def read(self, active: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Contacts of each environment's object, which is number `active` (n,) of them."""
        flags = np.zeros((self._num_envs, len(CONTACT_BODIES)), bool)
        geoms, worlds = _pairs()
        for first, second in ((0, 1), (1, 0)):
            part, item = self._part[geoms[:, first]], self._object[geoms[:, second]]
            touching = (part != NOTHING) & (item == active[worlds])
            flags[worlds[touching], part[touching]] = True
        return flags


def _pairs() -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Geoms (c, 2) that touch, and the environments (c,) where they do."""
    if solver().use_mujoco_cpu:
        contact = solver().mj_data.contact
        geoms, distance = np.asarray(contact.geom).reshape(-1, 2), np.asarray(contact.dist)
        worlds = np.zeros(len(geoms), np.intp)
    else:
        data = solver().mjw_data
        count = min(int(data.nacon.numpy()[0]), data.naconmax)
        geoms, distance = data.contact.geom.numpy()[:count], data.contact.dist.numpy()[:count]
        worlds = data.contact.worldid.numpy()[:count].astype(np.intp)
    touching = distance < 0.0
    return geoms[touching].astype(np.intp), worlds[touching]
