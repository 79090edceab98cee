"""What the build writes in the place of imports, of names of modules, and of command lines."""

import ast
import runpy

import pytest
from setuptools.errors import SetupError

import printed

MODULES = {"nets", "nets.unet", "segmentation", "segmentation.quiet"}


@pytest.fixture(scope="module")
def rewritten():
    function = runpy.run_path(str(printed.ROOT / "package" / "build.py"))["rewritten"]
    return lambda source, name="nets/x.py": function(source, name, MODULES, {"data", "serve"})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import nets", "from mobile_segmentation import nets"),
        ("import nets.unet as u", "from mobile_segmentation.nets import unet as u"),
        ("import data", "from mobile_segmentation import data"),
        ("from nets import unet", "from mobile_segmentation.nets import unet"),
        ("    from nets.unet import (\n        a,\n    )", None),
        ('x = {"a": "nets.unet:UNet"}', 'x = {"a": "mobile_segmentation.nets.unet:UNet"}'),
        ('é = "é", f("nets.unet")', 'é = "é", f("mobile_segmentation.nets.unet")'),
        ('f("pip install -r requirements.txt")', 'f("pip install mobile-semantic-segmentation")'),
        ('"-r requirements-onnx.txt"', "\"'mobile-semantic-segmentation[onnx]'\""),
    ],
)
def test_imports_and_names_of_modules_get_the_package_before_them(before, after, rewritten):
    if after is None:
        before = f"def f():\n{before}\n"
        after = before.replace("nets.unet", "mobile_segmentation.nets.unet")
    assert rewritten(before) == after
    ast.parse(rewritten(before))


@pytest.mark.parametrize(
    "source",
    [
        "import numpy as np, os",
        "from data_tools import nets",
        "from . import nets",
        "def f():\n    yield from nets.unet()",
        'layer = register(package="nets")',
        'name = "nets.other"',  # no module of that name
        'class A:\n    __module__ = "nets.unet"',
        '"""Not only a name: nets.unet."""\n# import nets',
    ],
)
def test_all_else_stays(source, rewritten):
    assert rewritten(source) == source


@pytest.mark.parametrize("source", ["import nets, os", "import nets.unet", "x = 'nets.unet'"])
def test_what_it_cannot_rewrite_ends_the_build(source, rewritten):
    with pytest.raises(SetupError, match="nets/x.py:1"):
        rewritten(source)


def test_the_docstring_of_a_command_shows_the_installed_one(rewritten):
    source = 'r"""Do.\n\n    python data.py lfw\n"""\n\nx = "python data.py"\n'
    after = source.replace("    python data.py", "    mobile-segmentation data")
    assert rewritten(source, "data.py") == after
