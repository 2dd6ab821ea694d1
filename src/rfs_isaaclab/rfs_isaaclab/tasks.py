"""The grasp task among Isaac Lab's: importing this registers it with Gymnasium.

Isaac Lab's command finds it by the entry point `isaaclab.tasks` of this package, as in
`isaaclab train --rl_library rsl_rl --task RFS-Grasp-FR3-Leap-v0`.
"""

import gymnasium

NEWTON_TASK, PHYSX_TASK = "RFS-Grasp-FR3-Leap-v0", "RFS-Grasp-FR3-Leap-PhysX-v0"

for _name, _config in ((NEWTON_TASK, "GraspEnvCfg"), (PHYSX_TASK, "GraspPhysxEnvCfg")):
    gymnasium.register(
        id=_name,
        entry_point="rfs_isaaclab.grasp_env:GraspEnv",
        disable_env_checker=True,
        kwargs={
            "env_cfg_entry_point": f"rfs_isaaclab.grasp_env_cfg:{_config}",
            "rsl_rl_cfg_entry_point": "rfs_isaaclab.ppo_cfg:GraspPpoCfg",
            "default_agent": "rsl_rl",
        },
    )
