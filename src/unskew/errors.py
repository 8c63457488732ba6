"""The one exception that means "the user can put this right".

Everything else that escapes is a defect of ours and keeps its traceback. A `UserError` is shown as
a message only: what is wrong, where, and what to do about it.
"""


class UserError(Exception):
    """A mistake the user can correct: a bad key, a damaged file, a run being written already.

    Args:
        what: what is wrong, in one sentence (more lines when there are several mistakes).
        where: the file, key or command it is about.
        hint: what to do next.
    """

    def __init__(self, what: str, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}\n{self.hint}" if self.hint else text

    def __reduce__(self) -> tuple[type, tuple[str, str | None, str | None]]:
        # Exceptions cross process boundaries by pickle, which replays `args` only.
        return type(self), (self.what, self.where, self.hint)


class AbsentError(UserError):
    """Something named that is not there, and may be later: a file, a download, a network.

    A command that only says what it would do (`--dry-run`) reports it and goes on.
    """
