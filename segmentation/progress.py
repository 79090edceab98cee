"""Progress of long loops: a command draws a bar, a caller from Python sees nothing."""

_display = None


def display_with(function):
    """Have `track` call `function(items, total, description)`, which yields the items on."""
    global _display
    _display = function


def track(items, total, description):
    """Return an iterable of `items` that may show how far it is.

    Args:
        items: iterable.
        total: number of items, or None if it is unknown.
        description: a word or two for the bar.
    """
    return items if _display is None else _display(items, total, description)
