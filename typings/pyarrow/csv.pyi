# pyarrow ships no types: everything it gives is Any.
from typing import Any

def __getattr__(name: str) -> Any: ...
