"""Exit codes, and the one exception that commands end with."""

DONE, FAILED, USAGE, REFUSED, UNREACHABLE = 0, 1, 2, 3, 4


class Failure(Exception):  # noqa: N818 - the way a command ends
    """Ends a command with an exit code, one clear line, and what to do about it."""

    def __init__(self, code: int, what: str, remedy: str = "") -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.remedy = remedy

    @property
    def lines(self) -> list[str]:
        return [self.what, *([f"  {self.remedy}"] if self.remedy else [])]
