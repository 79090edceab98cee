"""Options that say what the file of a legacy model does not, and loading a model by them."""

import logging

import nets
from segmentation.cli.options import img_size, one_or_three, positive
from segmentation.errors import InputError
from segmentation.legacy import spec as legacy

logger = logging.getLogger(__name__)

# The options of `add`, except --model.
LEGACY_OPTIONS = (
    *("classes", "origin", "input_mean", "input_std", "activation"),
    *("img_size", "alpha", "alpha_up", "upsampling"),
)


def add(parser, networks=legacy.LEGACY_NETWORKS, other_size=""):
    """Add the options that describe a model of another project; `legacy_spec` reads them.

    Args:
        parser: `Parser`.
        networks: the choices of --model.
        other_size: what --img_size means without --model, for the help.
    """
    group = parser.add_argument_group("models of other projects (see docs/older-projects.md)")
    group.add_argument(
        "--classes",
        help="class names of a model without a card, in channel order: hair,face or a|b",
    )
    group.add_argument(
        "--from",
        dest="origin",
        choices=legacy.ORIGINS,
        help="the project that normalised images outside the network",
    )
    group.add_argument(
        "--input_mean",
        type=one_or_three,
        metavar="M",
        help="in place of --from, the mean: one number or R,G,B",
    )
    group.add_argument(
        "--input_std",
        type=one_or_three,
        metavar="S",
        help="in place of --from, the standard deviation: one number or R,G,B",
    )
    group.add_argument(
        "--activation",
        choices=legacy.ACTIVATIONS,
        help="turns the logits that the model outputs into probabilities",
    )
    group.add_argument(
        "--model",
        dest="network",
        choices=networks,
        help="the network of an .h5 that holds only weights",
    )
    help_text = f"input size of these weights, or of a model of any size{other_size}"
    group.add_argument("-s", "--img_size", type=img_size, help=help_text)
    group.add_argument("-a", "--alpha", type=positive, help="alpha of these weights (1)")
    group.add_argument("--alpha_up", type=positive, help="alpha_up of these weights (0.25)")
    group.add_argument("--upsampling", choices=nets.UPSAMPLINGS, help="upsampling of these weights")


def legacy_spec(args):
    """Return the `LegacySpec` of parsed options.

    Raises:
        InputError: if options contradict each other, or one is missing.
    """
    normalization = legacy.ORIGINS.get(args.origin)
    by_numbers = (args.input_mean, args.input_std)
    if by_numbers != (None, None):
        if normalization or None in by_numbers:
            raise InputError("give either --from, or both --input_mean and --input_std")
        if 0 in args.input_std:
            raise InputError("--input_std: a standard deviation cannot be 0")
        normalization = by_numbers
    arguments = {name: getattr(args, name) for name in ("alpha", "alpha_up", "upsampling")}
    arguments = {name: value for name, value in arguments.items() if value is not None}
    if args.network and not args.img_size:
        raise InputError("--model goes with --img_size, for a file that holds only weights")
    return legacy.LegacySpec(
        args.origin,
        normalization,
        args.classes,
        args.network,
        args.img_size,
        arguments,
        args.activation,
    )


def load(path, spec, any_size=False):
    """Return the `Predictor` of a model, and log doubts about it.

    Args:
        path: of the model, in any format.
        spec: `LegacySpec`.
        any_size: whether a model of another size than that of `spec` will do.

    Raises:
        InputError: if the model cannot be loaded, `spec` contradicts its card, or it is an export
            of unknown origin that gives no probabilities.
    """
    from segmentation.inference import predictor

    predict = predictor.load(path, spec)
    predictor.require_probabilities(predict)
    if spec.img_size and predict.img_size != spec.img_size and not any_size:
        own = "x".join(map(str, predict.img_size))
        raise InputError(f"{path}: takes images of {own} px; omit --img_size")
    known = (predict.card or {}).get("arguments", {})
    for name, value in spec.arguments.items():
        if known.get(name, value) != value:
            raise InputError(f"{path}: has {name} {known[name]}, not {value}; omit --{name}")
        if name not in known and not spec.network:
            logger.info("%s: --%s has no effect: the file holds the network itself", path, name)
    if caveat := legacy.caveat(spec, predict.img_size):
        logger.warning("%s", caveat)
    return predict
