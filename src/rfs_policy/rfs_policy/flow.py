"""Conditional flow matching on action chunks (paper, section 3.1). Flow time t = 0 is noise, t = 1 is action.

A velocity field is any callable v(a, t): a (B, H, D) normalized chunk, t (B,) flow time, result (B, H, D).
The observation that conditions it is bound by the caller (`FlowNetwork.velocity`). Everything is
differentiable.
"""

from collections.abc import Callable

from torch import Tensor

Velocity = Callable[[Tensor, Tensor], Tensor]


def push(velocity: Velocity, a0: Tensor, steps: int) -> Tensor:
    """Push(o, a0): integrate da/dt = v from t = 0 to 1 with `steps` Euler steps (equation 2).

    Args:
        a0: (B, H, D) initial noise.
        steps: K, at least 1.

    Returns:
        (B, H, D) normalized action chunk a1.
    """
    a = a0
    for k in range(_checked(steps)):
        a = a + velocity(a, a.new_full((len(a),), k / steps)) / steps
    return a


def reverse(velocity: Velocity, a1: Tensor, steps: int) -> Tensor:
    """The noise that `push` carries to a1: integrate back from t = 1 to 0 with `steps` Euler steps.

    Euler's steps forward and back use the field at their own ends, so push(reverse(a1)) differs from a1 by
    O(1 / steps).

    Args:
        a1: (B, H, D) normalized action chunk.

    Returns:
        (B, H, D) noise a0.
    """
    a = a1
    for k in range(_checked(steps), 0, -1):
        a = a - velocity(a, a.new_full((len(a),), k / steps)) / steps
    return a


def flow_matching_loss(velocity: Velocity, a1: Tensor, a0: Tensor, t: Tensor) -> Tensor:
    """Mean of |v(a_t, t) - (a1 - a0)|^2 with a_t = (1 - t) a0 + t a1 (equation 3).

    Args:
        a1: (B, H, D) normalized actions of the data.
        a0: (B, H, D) noise, drawn from N(0, I).
        t: (B,) flow times, drawn from U[0, 1].

    Returns:
        scalar, averaged over B, H and D.
    """
    weight = t[:, None, None]
    a_t = (1 - weight) * a0 + weight * a1
    return (velocity(a_t, t) - (a1 - a0)).square().mean()


def _checked(steps: int) -> int:
    if steps < 1:
        raise ValueError(f"{steps} integration steps: at least 1 is needed")
    return steps
