"""A study: variants of training over a frozen flow policy that differ in one thing each, from YAML."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rfs_learning.entries import from_settings, require_entries
from rfs_learning.rl.methods import find_method
from rfs_learning.rl.rl_config import RlConfig
from rfs_learning.rl.table1_plan import Cell, EvaluationPlan, Job, Plan, settings_hash

PACKAGED = ("ablations", "tuning")
_ENTRIES = {"task", "method", "control_steps", "evaluation", "variants"}
_VARIANT = {"says", "method", "changes", "reference"}


@dataclass(frozen=True)
class Variant:
    """name: of its folders; says: what is different, for people; method: of `methods`; reference: name of
    the variant that it is compared with, its own for one that others are compared with."""

    name: str
    says: str
    method: str
    config: RlConfig
    reference: str


@dataclass(frozen=True)
class Study:
    """Variants of one task."""

    name: str
    task: str
    variants: tuple[Variant, ...]
    evaluation: EvaluationPlan

    @classmethod
    def load(cls, name: str) -> "Study":
        """A packaged study by name, or one of a YAML file like config/ablations.yaml.

        Raises:
            ValueError: there is none, it is not YAML, or an entry is unknown or makes no sense; the text
                names it.
        """
        return from_settings(name, PACKAGED, "study", cls.from_dict)

    @classmethod
    def from_dict(cls, name: str, values: Mapping[str, Any]) -> "Study":
        """Nested mappings, as in the YAML file; ValueError or TypeError for what makes no sense."""
        require_entries(values, _ENTRIES, _ENTRIES, "the study")
        config = RlConfig.load().with_ppo(threads=1, control_steps=values["control_steps"])
        config.task(values["task"])
        entries = values["variants"]
        if not isinstance(entries, Mapping) or len(entries) < 2:
            raise ValueError("a study compares at least two variants")
        variants: list[Variant] = []
        for key, entry in entries.items():
            before = variants[-1].reference if variants else str(key)
            variants.append(_variant(str(key), entry, values["method"], config, before))
        return cls(name, values["task"], tuple(variants), EvaluationPlan(**_plan(values["evaluation"])))

    def variant(self, name: str) -> Variant:
        """By name; ValueError names those that exist."""
        found = {variant.name: variant for variant in self.variants}
        if name not in found:
            raise ValueError(f"unknown variant '{name}'; there are: {', '.join(found)}")
        return found[name]

    def job(self, variant: Variant, seed: int, output: Path, results: Path) -> Job:
        """One training run of a variant, below output, its results below results. Variants with the same base
        share it."""
        plan = Plan(variant.config, output / variant.name, results / variant.name, self.evaluation)
        base = settings_hash(plan.ingredients_settings(self.task))[:12]
        plan = replace(plan, ingredients=output / "ingredients" / base)
        return Job(plan, Cell(self.task, variant.method, seed), f"{variant.name}, seed {seed}")


def _variant(name: str, entry: Any, method: str, config: RlConfig, reference: str) -> Variant:
    where = f"the variant '{name}'"
    if Path(name).name != name or name in (".", ".."):
        raise ValueError(f"{where} cannot be a folder's name")
    require_entries(entry, _VARIANT, {"says"}, where)
    chosen = entry.get("method", method)
    find_method(chosen)
    begins = entry.get("reference", False)
    if not isinstance(begins, bool):
        raise ValueError(f"'reference' of {where} is {begins!r}: true or false")
    reference = name if begins else reference
    return Variant(name, str(entry["says"]), chosen, config.changed(entry.get("changes", {})), reference)


def _plan(values: Any) -> dict[str, Any]:
    known = asdict(EvaluationPlan())
    require_entries(values, set(known), set(), "evaluation")
    return {**known, **values, "levels": tuple(values.get("levels", known["levels"]))}
