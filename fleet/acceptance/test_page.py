"""The service's page in a real browser, with a gateway behind it."""

import re
import shutil

import pytest

import recount
from processes import CONFIGURATION, WRITE, Fleet
from traffic import events

BROWSER = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
if BROWSER is None:
    pytest.skip("THE PAGE IS NOT TESTED: there is no chromium here", allow_module_level=True)

from playwright.sync_api import expect, sync_playwright


def test_the_page_shows_counts_users_and_devices_and_retires_one(tmp_path):
    with Fleet(tmp_path) as fleet, sync_playwright() as playwright:
        fleet.worker()
        gateway = fleet.gateway()
        sent = events(900, 2_000)
        fleet.ingest(sent)
        fleet.drain()
        browser = playwright.chromium.launch(
            executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(locale="en-GB")
        complaints = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: complaints.append(line.text))
        page.goto(f"http://{gateway.address}")
        page.get_by_label("Token", exact=True).fill(WRITE)
        page.get_by_role("button", name="Show the roll-out").click()

        counts = recount.summary(CONFIGURATION, sent)
        devices = sum(counts[f"{it}DeviceCount"] for it in recount.COUNTERS)
        expect(page.locator("#devices .total")).to_have_text(f"{devices:,}")
        # More than one page of the list, walked by its links.
        users = sum(counts[f"{it}UserCount"] for it in recount.COUNTERS)
        assert users > 400
        expect(page.locator("#found")).to_have_text(f"{users} users", timeout=30_000)
        expect(page.locator("#overdue")).to_contain_text("overdue")

        of = {}
        for event in recount.greatest(CONFIGURATION, sent).values():
            if event.get("upn"):
                of.setdefault(event["upn"].lower(), []).append(event)
        upn = max(sorted(of), key=lambda upn: len(of[upn]))
        page.get_by_label("Search users by name").fill(upn)
        page.get_by_role("button", name=re.compile(re.escape(upn))).click()
        rows = page.locator(".devices li")
        expect(rows).to_have_count(len(of[upn]))
        rows.first.get_by_role("button", name="Retire").click()
        page.locator("#sure-yes").click()
        expect(rows).to_have_count(len(of[upn]) - 1, timeout=30_000)
        fleet.drain()
        assert not recount.differences(counts, gateway.summary())
        assert complaints == []
        browser.close()
