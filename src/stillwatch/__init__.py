"""Stillwatch finds who is distilling a language model through its API.

The path of the data, which is also the order of the folders:

ingest      a provider's logs → exchanges
sketch      the text of an exchange → small fingerprints
features    exchanges → one row per entity
link        accounts → groups, each link with reasons
detect      entities → findings
report      findings → a page, and rows that other tools read
"""

__version__ = "0.1.0"
