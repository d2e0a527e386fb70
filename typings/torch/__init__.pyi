# torch is an extra: it is checked without being installed, and everything it gives is Any.
from typing import Any

def __getattr__(name: str) -> Any: ...
