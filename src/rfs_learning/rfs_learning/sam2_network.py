"""A SAM2 video model of the size that a configuration asks for, with random weights."""

import torch
from torch import nn
from transformers import Sam2VideoConfig, Sam2VideoModel
from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoAttention, Sam2VideoRoPEAttention

from rfs_learning.sam2_config import Sam2Config

_MEMORY_CHANNELS = 64  # transformers 5.23.0 builds the memory attention's keys for 64 and nothing else

_SHARPNESS = 2.5  # of the first attention: a prompt looks at a few cells of the image


def make_network(config: Sam2Config) -> Sam2VideoModel:
    """The model in evaluation mode: nothing in it behaves differently in training, dropout is 0.

    Its layers begin with PyTorch's own random weights, as in the original SAM2. The standard deviation of
    0.02 that transformers takes is too small for layers this narrow: signals die out, and so does learning.
    """
    model = Sam2VideoModel(_architecture(config)).eval()
    for module in model.modules():
        if isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d, nn.Embedding)):
            module.reset_parameters()
    _attend_to_the_same_place(model)
    # Prompts and image share one random Fourier basis, as in the published weights.
    basis = model.shared_image_embedding.state_dict()
    model.prompt_encoder.shared_embedding.load_state_dict(basis)
    return model


def _attend_to_the_same_place(model: Sam2VideoModel) -> None:
    """Let attention begin with what is like the query, in place and look, instead of everywhere.

    From random projections it takes hundreds of steps to find out that a prompt and the image around it
    belong together. Equal projections of queries and keys compare from the start: in the mask decoder the
    position encodings of prompts and pixels, in the memory attention, by equal biases under rotary encoding,
    positions.
    """
    with torch.no_grad():
        for module in model.mask_decoder.modules():
            if isinstance(module, Sam2VideoAttention):
                module.q_proj.weight.mul_(_SHARPNESS)
                module.k_proj.weight.copy_(module.q_proj.weight)
        for module in model.memory_attention.modules():
            if isinstance(module, Sam2VideoRoPEAttention):
                module.q_proj.bias.fill_(1.0)
                module.k_proj.bias.fill_(1.0)


def resized(model: Sam2VideoModel, config: Sam2Config) -> Sam2VideoModel:
    """The same parameters, not copies, in a model for pictures of config's size."""
    other = make_network(config)
    for name, module in other.named_modules():
        for key in module._parameters:
            module._parameters[key] = model.get_submodule(name)._parameters[key]
        for key in module._buffers:
            if key == "positional_embedding":
                module._buffers[key] = model.get_submodule(name)._buffers[key]
    return other


def _architecture(config: Sam2Config) -> Sam2VideoConfig:
    width, size, grid = config.hidden_size, config.image_size, config.image_size // 4
    backbone = {
        "model_type": "sam2_hiera_det_model",
        "image_size": [size, size],
        "hidden_size": config.embed_dims[0],
        "blocks_per_stage": list(config.blocks),
        "embed_dim_per_stage": list(config.embed_dims),
        "num_attention_heads_per_stage": [1, 2, 4, 8],
        "global_attention_blocks": [sum(config.blocks[:3]) - 1],
        "window_size_per_stage": [8, 4, 8, 4],
    }
    vision = {
        "model_type": "sam2_vision_model",
        "fpn_hidden_size": width,
        "backbone_channel_list": list(reversed(config.embed_dims)),
        "backbone_config": backbone,
        "backbone_feature_sizes": [[grid // scale] * 2 for scale in (1, 2, 4)],
    }
    decoder = {
        "hidden_size": width,
        "mlp_dim": 2 * width,
        "num_attention_heads": 4,
        "iou_head_hidden_dim": width,
        "dynamic_multimask_via_stability": False,
    }
    return Sam2VideoConfig(
        vision_config=vision,
        prompt_encoder_config={"image_size": size, "hidden_size": width},
        mask_decoder_config=decoder,
        image_size=size,
        num_maskmem=config.memories,
        max_object_pointers_in_encoder=config.memories,
        max_cond_frame_num=1,
        multimask_output_for_tracking=False,
        memory_attention_hidden_size=width,
        memory_attention_num_layers=config.memory_layers,
        memory_attention_feed_forward_hidden_size=2 * width,
        memory_attention_dropout=0.0,
        memory_attention_rope_dropout=0.0,
        memory_attention_rope_feat_sizes=[grid // 4] * 2,
        memory_encoder_hidden_size=width,
        memory_encoder_output_channels=_MEMORY_CHANNELS,
        mask_downsampler_embed_dim=width,
        memory_fuser_embed_dim=width,
        memory_fuser_intermediate_dim=2 * width,
        memory_fuser_num_layers=1,
        memory_fuser_layer_scale_init_value=0.1,  # 1e-6 would take longer to wake up than we train
    )


def parameters(model: torch.nn.Module) -> int:
    """How many numbers the model has learned."""
    return sum(parameter.numel() for parameter in model.parameters())
