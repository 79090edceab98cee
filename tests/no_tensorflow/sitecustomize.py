"""On PYTHONPATH, makes TensorFlow absent: it is found by no import."""

from importlib.machinery import PathFinder

find_spec = PathFinder.find_spec


def find_all_else(name, path=None, target=None):
    return None if name.partition(".")[0] == "tensorflow" else find_spec(name, path, target)


PathFinder.find_spec = find_all_else
