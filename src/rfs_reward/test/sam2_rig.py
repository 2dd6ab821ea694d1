"""A SAM2 small enough for tests, with random weights, and frames for it."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rfs_reward.camera import PinholeCamera
from rfs_reward.frame import Frame
from transformers import Sam2VideoConfig, Sam2VideoModel

SIZE = 64
MEMORIES, POINTERS = 3, 6
"""Frames whose features, and whose object pointers, this model attends to (with the frame itself)."""

BOLD = 10_000
"""Random weights give masks whose logits are next to nothing."""


def save_tiny_model(folder: Path, present: float = 5.0) -> None:
    """SAM2's own modules, very small; `present` is added to the logit that the object is seen."""
    model = _tiny_model()
    decoder: Any = model.mask_decoder
    decoder.pred_obj_score_head.proj_out.bias.data.fill_(present)
    model.save_pretrained(folder)


@cache
def _tiny_model() -> Sam2VideoModel:
    torch.manual_seed(0)
    model = Sam2VideoModel(tiny_config())
    decoder: Any = model.mask_decoder
    for masks in decoder.output_hypernetworks_mlps:
        masks.proj_out.weight.data *= BOLD
    return model


def tiny_config() -> Sam2VideoConfig:
    """Narrow and shallow; the memory's 64 channels are fixed inside, and all else must be wider."""
    width, stages = 128, [16, 32, 64, 128]
    backbone = {
        "model_type": "sam2_hiera_det_model",
        "image_size": [SIZE, SIZE],
        "hidden_size": stages[0],
        "blocks_per_stage": [1, 1, 2, 1],
        "embed_dim_per_stage": stages,
        "num_attention_heads_per_stage": [1, 1, 2, 4],
        "global_attention_blocks": [3],
        "window_size_per_stage": [8, 4, 8, 4],
    }
    vision = {
        "model_type": "sam2_vision_model",
        "fpn_hidden_size": width,
        "backbone_channel_list": stages[::-1],
        "backbone_config": backbone,
        "backbone_feature_sizes": [[SIZE // stride] * 2 for stride in (4, 8, 16)],
    }
    return Sam2VideoConfig(
        vision_config=vision,
        image_size=SIZE,
        prompt_encoder_config={"image_size": SIZE, "hidden_size": width},
        mask_decoder_config={
            "hidden_size": width,
            "mlp_dim": width,
            "num_attention_heads": 2,
            "iou_head_hidden_dim": width,
        },
        memory_attention_hidden_size=width,
        memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=width,
        memory_attention_rope_feat_sizes=[SIZE // 16] * 2,
        memory_encoder_hidden_size=width,
        mask_downsampler_embed_dim=width,
        memory_fuser_embed_dim=width,
        memory_fuser_intermediate_dim=width,
        num_maskmem=MEMORIES,
        max_object_pointers_in_encoder=POINTERS,
    )


def make_frame(seed: int, height: int = 48, width: int = 64) -> Frame:
    """Colored noise; nothing but the color is looked at by SAM2."""
    color = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    camera = PinholeCamera(np.eye(3), np.zeros(3), np.eye(3), width, height)
    depth = np.ones((height, width), np.float32)
    return Frame(seed, color, depth, camera, np.zeros(23), np.zeros((height, width), bool))
