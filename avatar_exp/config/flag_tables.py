"""Flags of other trainers, what is typed here instead, and Hydra's own flags."""

# Flags of the tutorial's trainer, and what is typed here; a key alone takes the flag's value, {} stands for it. See
# docs/tutorial.md.
FLAGS = {
    "pretrained_model_name_or_path": "model.path",
    "pretrained_vae_name_or_path": "model.vae",
    "output_dir": "outputs",
    "revision": "model.variant=fp16",
    "with_prior_preservation": "prior=generated",
    "prior_loss_weight": "prior.weight",
    "seed": "seed",
    "resolution": "data.resolution",
    "train_batch_size": "batch_size",
    "train_text_encoder": "method=full",
    "mixed_precision": "precision=16-mixed",
    "use_8bit_adam": "optimizer=adamw8bit",
    "gradient_accumulation_steps": "accumulate_grad_batches",
    "learning_rate": "lr",
    "lr_scheduler": "lr_scheduler",
    "lr_warmup_steps": "lr_warmup_steps",
    "num_class_images": "prior.count",
    "sample_batch_size": "scoring.batch_size",
    "max_train_steps": "max_steps",
    "save_interval": "keep_steps='[200,400]'",
    "save_sample_prompt": """scoring.prompts='["{subject}"]'""",
    "concepts_list": "concepts_list",
    "instance_data_dir": "concept.instance_data_dir",
    "class_data_dir": "prior=folder concept.class_data_dir",
    "instance_prompt": "concept.instance_prompt",
    "class_prompt": "concept.class_prompt",
    "save_sample_negative_prompt": "scoring.sampler.negative_prompt",
    "n_save_sample": "scoring.seeds",
    "save_guidance_scale": "scoring.sampler.guidance_scale",
    "save_infer_steps": "scoring.sampler.num_inference_steps",
    "gradient_checkpointing": "model.gradient_checkpointing=true",
    "adam_beta1": "optimizer.betas='[{},0.999]'",
    "adam_beta2": "optimizer.betas='[0.9,{}]'",
    "adam_weight_decay": "optimizer.weight_decay",
    "adam_epsilon": "optimizer.eps",
    "max_grad_norm": "trainer.gradient_clip_val",
    "logging_dir": "logger=tensorboard",
    "log_interval": "trainer.log_every_n_steps",
    "hflip": "data.flip=true",
    "read_prompts_from_txts": "concept.captions=true",
}
NOT_HERE = {
    "tokenizer_name": "the base brings its tokenizer",
    "pad_tokens": "always on",
    "center_crop": "the largest square of a photo, upper-centre; prepare puts it around the face",
    "num_train_epochs": "max_steps=800",
    "scale_lr": "type the learning rate that you want",
    **dict.fromkeys(
        ("push_to_hub", "hub_token", "hub_model_id"),
        "python -m avatar_exp.export run=DIR format=diffusers writes the folder to upload",
    ),
    "save_min_steps": "keep_steps='[600,800]' names the steps",
    "not_cache_latents": "latents are always stored; each use draws from their distribution anew",
}
# Of diffusers' newer scripts and of kohya's trainer.
OTHERS = {
    "checkpointing_steps": "checkpoint_every",
    "resume_from_checkpoint": "resume",
    "validation_prompt": """scoring.prompts='["{subject}"]'""",
    "rank": "method=lora method.rank",
    "snr_gamma": "objective.min_snr_gamma",
    "train_data_dir": "concept.instance_data_dir",
    "reg_data_dir": "prior=folder concept.class_data_dir",
    "network_dim": "method=lora method.rank",
    "network_alpha": "method=lora method.alpha",
    "unet_lr": "lr",
    "min_snr_gamma": "objective.min_snr_gamma",
    "noise_offset": "objective.offset_noise",
    "flip_aug": "data.flip=true",
}

# What the tutorial itself types; the other flags its trainer has.
TUTORIAL = {
    "pretrained_model_name_or_path": "runwayml/stable-diffusion-v1-5",
    "pretrained_vae_name_or_path": "stabilityai/sd-vae-ft-mse", "output_dir": "", "revision": "fp16",
    "with_prior_preservation": "", "prior_loss_weight": "1.0", "seed": "1337", "resolution": "512",
    "train_batch_size": "1", "train_text_encoder": "", "mixed_precision": "fp16", "use_8bit_adam": "",
    "gradient_accumulation_steps": "1", "learning_rate": "1e-6", "lr_scheduler": "constant", "lr_warmup_steps": "0",
    "num_class_images": "50", "sample_batch_size": "1", "max_train_steps": "800", "save_interval": "10000",
    "save_sample_prompt": "hoanganh person", "concepts_list": "concepts_list.json",
}  # fmt: skip
# Of these its recipe says nothing.
YOURS = {"output_dir", "revision", "resolution", "sample_batch_size", "save_sample_prompt", "concepts_list"}

# Flags of which some values are typed in another way.
VALUES = {
    "pretrained_model_name_or_path": {
        f"{owner}/stable-diffusion-v1-5": "model=sd15" for owner in ("runwayml", "stable-diffusion-v1-5")
    },
    "mixed_precision": {"no": "precision=32", "bf16": "precision=bf16-mixed"},
    "lr_scheduler": {
        name: f"lr_scheduler.name={name}" for name in ("constant_with_warmup", "cosine_with_restarts", "polynomial")
    },
}

ALONE = {"-h", "--help", "--hydra-help", "--version", "--resolve", "-r", "--run", "-m", "--multirun", "-sc"}
ALONE |= {"--shell-completion"}
WITH_VALUE = {"-c", "--cfg", "-p", "--package", "-i", "--info", "-cp", "--config-path", "-cn", "--config-name"}
WITH_VALUE |= {"-cd", "--config-dir", "--experimental-rerun"}  # all of these are Hydra's own
