"""One page for one sweep: what was asked, who was treated, what came out, what it rests on.

The page is a single HTML file without scripts that needs nothing beside itself.
"""

from __future__ import annotations

from carsim.report.write import report_page, write_report

__all__ = ["report_page", "write_report"]
