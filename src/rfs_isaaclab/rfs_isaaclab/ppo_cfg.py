"""PPO of rsl_rl for the grasp task, as Isaac Lab's scripts read it."""

from isaaclab.utils import configclass
from isaaclab_rl.rsl_rl import RslRlMLPModelCfg, RslRlOnPolicyRunnerCfg, RslRlPpoAlgorithmCfg


@configclass
class GraspPpoCfg(RslRlOnPolicyRunnerCfg):
    """From the simulator's full knowledge to palm steps and finger targets."""

    num_steps_per_env = 32
    max_iterations = 3000
    save_interval = 100
    experiment_name = "rfs_grasp"
    obs_groups = {"actor": ["policy"], "critic": ["policy"]}  # noqa: RUF012 Isaac Lab's way
    actor = RslRlMLPModelCfg(
        hidden_dims=[512, 256, 128],
        activation="elu",
        obs_normalization=True,
        distribution_cfg=RslRlMLPModelCfg.GaussianDistributionCfg(init_std=0.5),
    )
    critic = RslRlMLPModelCfg(hidden_dims=[512, 256, 128], activation="elu", obs_normalization=True)
    algorithm = RslRlPpoAlgorithmCfg(
        value_loss_coef=1.0,
        use_clipped_value_loss=True,
        clip_param=0.2,
        entropy_coef=0.002,
        num_learning_epochs=5,
        num_mini_batches=4,
        learning_rate=3.0e-4,
        schedule="adaptive",
        gamma=0.97,
        lam=0.95,
        desired_kl=0.01,
        max_grad_norm=1.0,
    )
