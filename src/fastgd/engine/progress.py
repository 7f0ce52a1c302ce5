"""A progress bar for work that is done in parts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(
    shown: bool, total: int, unit: str = "it", done: int = 0
) -> Iterator[Callable[[int], None]]:
    """Hand out what to call with the size of each part that is done.

    So much of the total may have been ``done`` before: it counts, but not for the speed.

    Raises
    ------
    ImportError
        If a bar is to be shown and tqdm is not installed (``pip install "fastgd[cli]"``).
    """
    if not shown:
        yield lambda _done: None
        return
    try:
        from tqdm import tqdm
    except ImportError as error:
        raise ImportError('progress=True needs tqdm: pip install "fastgd[cli]"') from error
    with tqdm(total=total, initial=done, unit=unit, unit_scale=True) as bar:
        yield bar.update
