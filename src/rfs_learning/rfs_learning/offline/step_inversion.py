"""Push inverted one Euler step at a time: x with x + v(x, t_k) / K = y, from the last step to the first.

All steps but the last few are nearly the identity, and a fixed point is found in some evaluations of the
field. The last one is not: a trained flow contracts most directions there almost to a point (singular values
of 0.002 of the shipped policy's last step), so it is solved by Levenberg-Marquardt with the exact Jacobian.
What the step has forgotten stays near where plain reversal puts it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from rfs_policy.flow import Velocity
from torch import Tensor

Field = Callable[[Tensor], Velocity]
"""The velocity field of the observations with these indices (B,)."""

_DAMPING, _LEAST_DAMPING = 1e-3, 1e-6


@dataclass(frozen=True)
class StepSolver:
    """How exactly, and for how long at most, steps are solved.

    Attributes:
        tolerance: of a step's residual, RMS over the known entries of the normalized chunk.
        fixed_points, newtons, updates: most evaluations of the field, most Jacobians, and most steps with an
            updated Jacobian after each.
    """

    tolerance: float = 1e-4
    fixed_points: int = 40
    newtons: int = 6
    updates: int = 3

    @torch.no_grad()
    def invert(self, field: Field, chunk: Tensor, known: Tensor, steps: int) -> tuple[Tensor, int]:
        """The noise that Push carries to a chunk.

        Args:
            field: of all B observations, by index.
            chunk: (B, H, D) normalized; known: (B, H, D) bool, which of its entries are to be met.

        Returns:
            (B, H, D) noise a0, and the evaluations of the field, on average over the observations; a
            Jacobian counts as H D.
        """
        last = _Step(field, chunk, known, (steps - 1) / steps, 1 / steps)
        a, evaluations = self._newton(last)
        for k in range(steps - 2, -1, -1):
            step = _Step(field, a, torch.ones_like(known), k / steps, 1 / steps)
            a, count = self._fixed_point(step)
            evaluations += count
        return a, round(evaluations)

    def _fixed_point(self, step: "_Step") -> tuple[Tensor, float]:
        """x <- y - v(x) / K, a contraction with factor |dv/dx| / K; Newton's method where it is none."""
        x = step.target
        for count in range(1, self.fixed_points + 1):
            error = step.error(x, _every(x))
            x = x + error
            if error.square().mean((1, 2)).sqrt().max() < self.tolerance:
                return x, count
        x, more = self._newton(step)
        return x, self.fixed_points + more

    def _newton(self, step: "_Step") -> tuple[Tensor, float]:
        """Levenberg-Marquardt on the observations that are not solved yet, from a reversed step."""
        x = step.reversed()
        solved = 0
        for _ in range(self.newtons):
            left = (_rms(step.error(x, _every(x)), step.known) > self.tolerance).nonzero()[:, 0]
            if not len(left):
                break
            solved += len(left)
            x[left] = _Newton(step, x[left], left).solution(self.updates, self.tolerance)
        return x, solved / len(x) * (x[0].numel() + self.updates) + self.newtons


class _Newton:
    """Levenberg-Marquardt steps of some observations from one exact Jacobian, kept up to date by Broyden's
    rank-one updates: a Jacobian costs as much as H D evaluations of the field.
    """

    def __init__(self, step: "_Step", x: Tensor, index: Tensor) -> None:
        self._step, self._x, self._index, self._known = step, x, index, step.known[index]
        self._error = step.error(x, index)
        self._jacobian = step.jacobian(x, index)
        self._damping = x.new_full((len(x), 1, 1), _DAMPING)

    def solution(self, updates: int, tolerance: float) -> Tensor:
        """The best x (B', H, D) after so many further steps, or when all are within the tolerance."""
        for _ in range(1 + updates):
            self._advance()
            if _rms(self._error, self._known).max() < tolerance:
                break
        return self._x

    def _advance(self) -> None:
        """One damped step; where it does not help, nothing moves and the damping grows."""
        move = self._move()
        x = self._x + move.view_as(self._x)
        error = self._step.error(x, self._index)
        better = (_rms(error, self._known) < _rms(self._error, self._known))[:, None, None]
        change = (self._error - error).flatten(1)[:, :, None] - self._jacobian @ move[:, :, None]
        length = move.square().sum(1).clamp(min=1e-20)
        self._jacobian = self._jacobian + change * (move / length[:, None])[:, None, :]
        self._x, self._error = x.where(better, self._x), error.where(better, self._error)
        factor = torch.where(better, 0.1, 10.0)
        self._damping = (self._damping * factor).clamp(min=_LEAST_DAMPING)

    def _move(self) -> Tensor:
        """(J'J + damping I)^-1 J' error, (B', H D)."""
        transposed = self._jacobian.transpose(1, 2)
        normal = transposed @ self._jacobian + self._damping * torch.eye(transposed.shape[1])
        return torch.linalg.solve(normal, transposed @ self._error.flatten(1)[:, :, None])[:, :, 0]


class _Step:
    """One Euler step, f(x) = x + h v(x, t), and where it should lead: target (B, H, D), `known` entries."""

    def __init__(self, field: Field, target: Tensor, known: Tensor, t: float, h: float) -> None:
        self.field, self.target, self.known, self.t, self.h = field, target, known, t, h

    def error(self, x: Tensor, index: Tensor) -> Tensor:
        """target - f(x) of the observations at index (B',), 0 where it is not known."""
        return (self.target[index] - self._forward(self.field(index), x)) * self.known[index]

    def reversed(self) -> Tensor:
        """target - h v(target, t + h), as `flow.reverse` steps."""
        velocity = self.field(_every(self.target))
        return self.target - self.h * velocity(self.target, self._times(self.target, self.t + self.h))

    def jacobian(self, x: Tensor, index: Tensor) -> Tensor:
        """df/dx (B', H D, H D), 0 in rows that are not known. Column by column: the field treats observations
        independently."""
        velocity, size = self.field(index), x[0].numel()
        directions = torch.eye(size).view(size, 1, *x.shape[1:]).expand(size, *x.shape)

        def column(direction: Tensor) -> Tensor:
            return torch.func.jvp(lambda a: self._forward(velocity, a), (x,), (direction,))[1]

        columns = torch.func.vmap(column)(directions).flatten(2).permute(1, 2, 0)
        return columns * self.known[index].flatten(1)[:, :, None]

    def _forward(self, velocity: Velocity, x: Tensor) -> Tensor:
        return x + self.h * velocity(x, self._times(x, self.t))

    @staticmethod
    def _times(x: Tensor, t: float) -> Tensor:
        return x.new_full((len(x),), t)


def _rms(error: Tensor, known: Tensor) -> Tensor:
    """(B,) root of the mean square over the known entries."""
    return (error.square().sum((1, 2)) / known.sum((1, 2)).clamp(min=1)).sqrt()


def _every(x: Tensor) -> Tensor:
    return torch.arange(len(x))
