"""Optimizers and learning rates, by name."""

import keras

from segmentation.training import distribution

WARM_UP = 0.05  # fraction of all steps, for the cosine schedule
# The older hair project: tenfold drops after these fractions of all steps.
DROPS = (0.5, 0.75, 0.9)
WEIGHT_DECAY = 0.02
# Of AdamW's squared gradients. Keras' 0.999 remembers the wild first steps for most of a short run:
# hair IoU on LFW after 12 epochs 0.718 with it, 0.723 with this.
BETA_2 = 0.98


class AdamW(keras.optimizers.AdamW):
    """Keras' AdamW for TensorFlow, which works out the learning rate once for a step.

    Keras' own works it out again for each weight that decays: for MobileUNet 42 times, a tenth of
    the time that TensorFlow takes to trace the step. Other backends lose nothing by that, and for
    PyTorch Keras has an AdamW of its own.
    """

    def _backend_apply_gradients(self, grads, trainable_variables):
        schedule = self._learning_rate
        # Replicas take turns in here, and one would put back the rate that another has set.
        if distribution.mirrored():
            super()._backend_apply_gradients(grads, trainable_variables)
            return
        self._learning_rate = self.learning_rate
        try:
            super()._backend_apply_gradients(grads, trainable_variables)
        finally:
            self._learning_rate = schedule


def learning_rate(schedule, peak, total_steps, warm_up=None):
    """Return a learning rate or a schedule of it over optimizer steps.

    Args:
        schedule: `cosine` (linear warm-up, then half a cosine to 0,
            https://arxiv.org/abs/1608.03983), `progressive` (tenfold drops after 50, 75 and 90 %,
            the older hair project's) or `constant`.
        peak: the peak learning rate.
        total_steps: of the schedule.
        warm_up: fraction of the steps in which the learning rate of `cosine` rises, or None:
            `WARM_UP`.
    """
    if schedule == "constant":
        return peak
    if schedule == "progressive":
        drops = [round(fraction * total_steps) for fraction in DROPS]
        values = [peak * 10.0**-i for i in range(len(DROPS) + 1)]
        return keras.optimizers.schedules.PiecewiseConstantDecay(drops, values)
    warm_up = round((WARM_UP if warm_up is None else warm_up) * total_steps)
    return keras.optimizers.schedules.CosineDecay(
        0.0,
        max(1, total_steps - warm_up),
        warmup_target=peak,
        warmup_steps=warm_up,
    )


def of_stage(config, stage, total_steps):
    """Return the Keras optimizer for a `Stage` of so many steps, as a `TrainConfig` says."""
    peak = stage.learning_rate
    scheduled = learning_rate(config.schedule, peak, total_steps, config.warm_up)
    return build(config.optimizer, scheduled, clip_norm=config.clip_norm, ema=config.ema)


def averaging(model):
    """Return `[SwapEMAWeights]` for `fit` if the optimizer of `model` averages weights, else []."""
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    if not optimizer.use_ema:
        return []
    callback = keras.callbacks.SwapEMAWeights()
    callback.set_model(model)
    return [callback]


def build(name, learning_rate, *, clip_norm=None, ema=False):
    """Return the Keras optimizer called `name`: `adamw`, or `sgd` with momentum 0.9.

    Args:
        name: a key of `config.OPTIMIZERS`.
        learning_rate: a number or a schedule.
        clip_norm: global norm to which all gradients together are clipped, or None.
        ema: whether it keeps an exponential moving average of the weights.
    """
    options = {"global_clipnorm": clip_norm, "use_ema": ema}
    if name == "sgd":
        return keras.optimizers.SGD(learning_rate, momentum=0.9, **options)
    kind = AdamW if keras.backend.backend() == "tensorflow" else keras.optimizers.AdamW
    adamw = kind(learning_rate, weight_decay=WEIGHT_DECAY, beta_2=BETA_2, **options)
    # Decaying scales and shifts towards 0 only takes from what normalisation has to set.
    adamw.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return adamw
