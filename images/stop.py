"""The one way in which building an image fails: with a sentence that says what to do."""


class Stop(Exception):
    """A sentence for the person, and the exit status (69: something needed isn't available)."""

    def __init__(self, sentence: str, status: int = 69) -> None:
        super().__init__(sentence)
        self.status = status
