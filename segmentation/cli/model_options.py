"""Options that say what the file of a legacy model does not, and loading a model by them."""

import logging

import nets
from segmentation.cli.options import img_size, one_or_three, positive
from segmentation.errors import InputError
from segmentation.legacy import keras2

logger = logging.getLogger(__name__)

# Of `add`, but for --model.
LEGACY_OPTIONS = (
    *("classes", "origin", "input_mean", "input_std"),
    *("img_size", "alpha", "alpha_up", "upsampling"),
)


def add(parser, networks=keras2.OF_WEIGHTS):
    """Add what a model of another project does not say itself; `legacy_spec` reads it.

    Args:
        parser: `Parser`.
        networks: what --model chooses from.
    """
    group = parser.add_argument_group("models of other projects (see README)")
    group.add_argument(
        "--classes", help="of a model without card: hair,face or a|b, in the order of its channels"
    )
    group.add_argument(
        "--from", dest="origin", choices=keras2.ORIGINS, help="which normalised outside"
    )
    group.add_argument(
        "--input_mean", type=one_or_three, metavar="M", help="or normalised by: one number or R,G,B"
    )
    group.add_argument("--input_std", type=one_or_three, metavar="S", help="the same")
    group.add_argument(
        "--model",
        dest="network",
        choices=networks,
        help="for an .h5 of weights only",
    )
    group.add_argument("-s", "--img_size", type=img_size, help="that such weights are to work at")
    group.add_argument("-a", "--alpha", type=positive, help="that they were trained with (1)")
    group.add_argument("--alpha_up", type=positive, help="the same (0.25)")
    group.add_argument("--upsampling", choices=nets.UPSAMPLINGS, help="the same")


def legacy_spec(args):
    """Return the `keras2.LegacySpec` of parsed options.

    Raises:
        InputError: if some contradict others, or lack them.
    """
    normalization = keras2.ORIGINS.get(args.origin)
    by_numbers = (args.input_mean, args.input_std)
    if by_numbers != (None, None):
        if normalization or None in by_numbers:
            raise InputError("give --from, or --input_mean and --input_std")
        if 0 in args.input_std:
            raise InputError("--input_std: nothing can be divided by 0")
        normalization = by_numbers
    arguments = {name: getattr(args, name) for name in ("alpha", "alpha_up", "upsampling")}
    arguments = {name: value for name, value in arguments.items() if value is not None}
    if (args.network is None) != (args.img_size is None):
        raise InputError("--model, for a file of weights only, and --img_size go together")
    return keras2.LegacySpec(
        args.origin, normalization, args.classes, args.network, args.img_size, arguments
    )


def load(path, given):
    """Return the `predictor.Predictor` of a model, and say what is in doubt about it.

    Args:
        path: of the model, in any format.
        given: of `legacy_spec`.
    """
    from segmentation.inference import predictor

    predict = predictor.load(path, given)
    known = (predict.card or {}).get("arguments", {})
    for name, value in given.arguments.items():
        if known.get(name, value) != value:
            raise InputError(f"{path}: has {name} {known[name]}, not {value}; leave out --{name}")
        if name not in known and not given.network:
            logger.info("%s: --%s has no effect, as the file holds the network itself", path, name)
    if doubt := keras2.doubt(given, predict.img_size):
        logger.warning("%s", doubt)
    return predict
