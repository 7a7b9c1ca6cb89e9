"""Pictures of the console for the docs, of what a test's own stack did. `make pictures` takes them."""

import os
import re
from pathlib import Path

from tests.chromium import QUIET, program
from tests.e2e.processes import Api

WANTED = os.environ.get("UPKEEPER_PICTURES")
"""The directory that they go to, where they are asked for."""


async def take_of_run(api: Api, run_id: int) -> None:
    """That of a run's page, on a desk."""
    if not WANTED:
        return
    from playwright.async_api import async_playwright

    token = (api.state / "tokens" / "operator").read_text().strip()
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=program(), args=list(QUIET))
        page = await browser.new_page(viewport={"width": 1340, "height": 760}, color_scheme="light")
        await page.goto(f"{api.url}/console/login")
        await page.fill("#token", token)
        await page.keyboard.press("Enter")
        await page.wait_for_url(re.compile(r"^[^?]*/console/$"))
        await page.goto(f"{api.url}/console/runs/{run_id}", wait_until="domcontentloaded")
        await page.screenshot(path=Path(WANTED) / "console-run.png")
        await browser.close()
