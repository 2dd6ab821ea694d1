"""`python -m rfs_isaaclab.assets_command FOLDER --converter PATH`: robot, table and objects as USD."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rfs_sim_bridge.objects import find_object, object_names
from rfs_sim_bridge.scene import TABLE_FRICTION

from rfs_isaaclab import mjcf_sources, usd_assets


def main(argv: Sequence[str] | None = None) -> int:
    """Write all files; 1 with a sentence on stderr where one cannot be made."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--converter", type=Path, required=True, help="the command mujoco_usd_converter")
    options = parser.parse_args(argv)
    try:
        write_assets(options.folder, options.converter)
    except (OSError, RuntimeError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def write_assets(folder: Path, converter: Path) -> list[Path]:
    """The files written: robot, table and every object."""
    objects = [mjcf_sources.single_object(find_object(name)) for name in object_names()]
    files = [usd_assets.convert(mjcf_sources.robot(), converter, folder)]
    files.append(usd_assets.write_table(folder, TABLE_FRICTION))
    return files + [usd_assets.convert(spec, converter, folder / "objects") for spec in objects]


if __name__ == "__main__":
    sys.exit(main())
