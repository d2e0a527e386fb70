"""Everything about an account that no corpus carries, drawn from one distribution for honest and hostile accounts alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

DAY = 86_400.0
HOUR = 3_600.0

# the agents of clients that many use, with shares
_AGENTS = (
    ("OpenAI/Python 1.99.9", 0.34),
    ("OpenAI/JS 5.12.2", 0.2),
    ("OpenAI/Python 1.82.0", 0.14),
    ("python-httpx/0.28.1", 0.1),
    ("langchain-openai/0.3.30", 0.08),
    ("litellm/1.77.1", 0.06),
    ("axios/1.11.0", 0.05),
    ("curl/8.14.1", 0.03),
)
_MAIL = ("mailbox.example", "post.example", "inbox.example", "letters.example")
_PLANS = ("free", "pay-as-you-go", "team", "enterprise")
_PLAN_SHARES = (0.3, 0.5, 0.15, 0.05)
_TEMPERATURES = (None, 0.0, 0.2, 0.7, 1.0)
_TEMPERATURE_SHARES = (0.5, 0.15, 0.1, 0.15, 0.1)
_LENGTHS = (None, 256, 512, 1024, 2048, 4096)
_CLOUDS = 60
_PRIVATE_DOMAIN = 0.25
_IN_CLOUD = 0.3
_NEW = 0.35
_TAKES_NEW_MODEL = 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who an account is on the wire and on paper.

    Attributes:
        network: the first three bytes of its address.
        host: the last one.
        created: seconds before the account's first request at which it signed up.
        takes_new_model: whether it uses the new model from its release on.
    """

    network: tuple[int, int, int]
    host: int
    asn: int
    agent: str
    tls: str
    payment: str
    email_domain: str
    plan: str
    created: float
    org: str | None = None
    declared_use: str | None = None
    verification: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    stream: bool | None = None
    takes_new_model: bool = False

    @property
    def address(self) -> str:
        """The address as the log shows it."""
        return ".".join(str(part) for part in (*self.network, self.host))


def _hexadecimal(draw: np.random.Generator, digits: int) -> str:
    return draw.bytes((digits + 1) // 2).hex()[:digits]


def draw_identity(draw: np.random.Generator) -> Identity:
    """An account of its own: addresses of 240.0.0.0/4 (reserved, RFC 1112), which belong to nobody."""
    agent = int(draw.choice(len(_AGENTS), p=[share for _, share in _AGENTS]))
    cloud = draw.random() < _IN_CLOUD
    block = int(draw.integers(_CLOUDS))
    network = (240, block, int(draw.integers(256))) if cloud else (int(draw.integers(241, 255)), *_two(draw))
    temperature = _TEMPERATURES[int(draw.choice(len(_TEMPERATURES), p=_TEMPERATURE_SHARES))]
    return Identity(
        network=network,
        host=int(draw.integers(1, 255)),
        asn=64_512 + (block if cloud else _CLOUDS + network[0]),
        agent=_AGENTS[agent][0],
        tls=f"t13d{agent // 2:02d}-{int(draw.integers(3))}",
        payment=_hexadecimal(draw, 16),
        email_domain=f"{_hexadecimal(draw, 8)}.example" if draw.random() < _PRIVATE_DOMAIN else str(draw.choice(_MAIL)),
        plan=str(draw.choice(_PLANS, p=_PLAN_SHARES)),
        created=float(draw.uniform(60, 12 * HOUR)) if draw.random() < _NEW else float(draw.uniform(1, 700)) * DAY,
        temperature=temperature,
        max_tokens=_LENGTHS[int(draw.integers(len(_LENGTHS)))],
        stream=bool(draw.random() < 0.5),
        takes_new_model=bool(draw.random() < _TAKES_NEW_MODEL),
    )


def _two(draw: np.random.Generator) -> tuple[int, int]:
    return int(draw.integers(256)), int(draw.integers(256))


def behind_one_nat(first: Identity) -> Callable[[Identity], Identity]:
    """Accounts of one organisation: one public address, organisation and mail domain."""
    org, domain = f"org-{first.payment[:8]}", f"{first.payment[8:]}.example"
    return lambda own: replace(own, network=first.network, host=first.host, asn=first.asn, org=org, email_domain=domain)


def on_one_network(first: Identity) -> Callable[[Identity], Identity]:
    """Accounts in one hall: one address block, and nothing else."""
    return lambda own: replace(own, network=first.network, asn=first.asn)


def housed(first: Identity, draw: np.random.Generator) -> Callable[[Identity], Identity]:
    """Accounts of one operator who does not trouble to hide: one block, payment, sign-up burst, TLS print and software."""

    def house(own: Identity) -> Identity:
        return replace(
            own,
            network=first.network,
            asn=first.asn,
            payment=first.payment,
            tls=first.tls,
            agent=first.agent,
            email_domain=first.email_domain,
            temperature=first.temperature,
            max_tokens=first.max_tokens,
            stream=first.stream,
            created=float(draw.uniform(0, 12)) * HOUR + 60,
        )

    return house
