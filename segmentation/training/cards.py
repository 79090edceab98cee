"""The model card of a run, as it is before the first epoch."""

import platform
from importlib.metadata import version
from pathlib import Path

import keras

import nets
from segmentation.training import network
from segmentation.training.teacher import seen_in_validation


def new_card(model, run, data, plan, class_weights, device, teacher=None):
    """Return what is known of a model before it is trained.

    Args:
        model: built network.
        run: `run_files.RunFiles`.
        data: `pipeline.TrainingData`.
        plan: of `plan.complete`.
        class_weights: floats in the order of `data.classes.id_names`, or None.
        device: `accelerator.Device`.
        teacher: `teacher.Teacher`, or None.
    """
    config = run.config
    phone = nets.inference_model(model)
    earlier = None
    if run.earlier_card and not run.begun:
        earlier = {
            "model": Path(config.initial_weights).name,
            "validation_pictures_seen": seen_in_validation(data.card, run.earlier_card),
        }
    return {
        "network": config.model,
        "arguments": nets.arguments(config.model, network.arguments(config, run.earlier_card)),
        "img_size": list(data.img_size),
        **data.classes.to_card(),
        "parameters": phone.count_params(),
        "macs": nets.macs(phone),
        "settings": settings(config, data, class_weights, teacher),
        "plan": plan,
        **run.devices.to_card(),
        **data.card,
        "device": str(device),
        **({"earlier_model": earlier} if earlier else {}),
        **({"teacher": teacher.to_card(data.card)} if teacher else {}),
        "versions": {
            "python": platform.python_version(),
            "keras": keras.__version__,
            keras.backend.backend(): version(keras.backend.backend()),
        },
    }


def settings(config, data, class_weights, teacher=None):
    """Return the entry `settings` of the card, which a resumed run must repeat (`RunFiles.start`).

    Args:
        config: `TrainConfig`.
        data: `pipeline.TrainingData`.
        class_weights: floats in the order of `data.classes.id_names`, or None.
        teacher: `teacher.Teacher`, or None.
    """
    # By name, so that a resumed run must have equal weights, whatever their file is called.
    by_name = class_weights and dict(zip(data.classes.id_names, class_weights, strict=True))
    found = config.settings() | {
        "img_size": list(data.img_size),
        "class_weights": by_name,
        "data": data.card["data"]["training_fingerprint"],
        "validation_data": data.card["data"]["fingerprint"],
    }
    # The fingerprint of arrays looks at some of the masks alone, that of records at all.
    for name, part in (("masks", data.train), ("validation_masks", data.validation)):
        if checksum := getattr(part.data, "masks_checksum", None):
            found[name] = checksum
    if teacher:
        found |= {"teacher_weight": teacher.weight, "teacher_weights": teacher.fingerprint}
    if unlabelled := data.train.unlabelled:
        found |= {
            "unlabelled_per_batch": unlabelled.per_batch,
            "unlabelled_data": unlabelled.fingerprint,
        }
    if workers := data.train.workers_with_files:  # other batches if there are more or fewer
        found["workers"] = workers
    return found
