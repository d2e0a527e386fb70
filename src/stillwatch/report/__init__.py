"""Findings for people and machines: one HTML page, OCSF rows, and the terminal's explanation."""

from __future__ import annotations

from stillwatch.report.codec import run_from_json, run_to_json
from stillwatch.report.ocsf import finding_from_ocsf, incident_finding, ocsf_finding, read_findings, write_findings
from stillwatch.report.page import render_html
from stillwatch.report.terminal import explain_text, summary_json, summary_table

__all__ = [
    "explain_text",
    "finding_from_ocsf",
    "incident_finding",
    "ocsf_finding",
    "read_findings",
    "render_html",
    "run_from_json",
    "run_to_json",
    "summary_json",
    "summary_table",
    "write_findings",
]
