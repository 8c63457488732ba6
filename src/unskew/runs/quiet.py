"""Keeps the chatter of the libraries below us off the terminal."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LOGGERS = ("lm_eval", "datasets", "transformers")


@contextmanager
def hushed() -> Iterator[None]:
    """For the block, log lines and bars of the harness and of transformers are not shown."""
    import tqdm

    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    start = tqdm.tqdm.__init__

    def silent(self: Any, *args: Any, **kwargs: Any) -> None:
        start(self, *args, **{**kwargs, "disable": True})

    for logger in loggers:
        logger.setLevel(logging.ERROR)
    tqdm.tqdm.__init__ = silent
    try:
        with warnings.catch_warnings():
            theirs = r"(transformers|peft|lm_eval|datasets|huggingface_hub)\b"
            warnings.filterwarnings("ignore", module=theirs)
            yield
    finally:
        tqdm.tqdm.__init__ = start
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
