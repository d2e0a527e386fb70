"""Wires the stages into runs: the only place that picks an engine, asks the clock and lays out a result folder."""
