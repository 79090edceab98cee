"""Progress of long loops: commands show a bar, callers from Python see nothing."""

_display = None


def display_with(function):
    """Make `track` return `function(items, total, description)`, an iterable of the items."""
    global _display
    _display = function


def track(items, total, description):
    """Return an iterable of `items` that may show its progress.

    Args:
        items: iterable.
        total: number of items, or None if it is unknown.
        description: one or two words for the bar.
    """
    return items if _display is None else _display(items, total, description)
