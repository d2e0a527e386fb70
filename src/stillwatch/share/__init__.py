"""Findings for partners and other tools: STIX, MISP, Sigma, CSV, and a profile of indicators that two providers can match privately."""
