"""The picture of a page in the README, of a published run: `python -m tests.page_picture`.

The answer and the plot of effects, one below the other; what stands between them on the page is left out.
"""

from __future__ import annotations

from pathlib import Path

from tests.report.in_browser import chromium

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "reports" / "published" / "epyc-2-cores" / "seed-optimizations" / "report.html"
PICTURE = ROOT / "docs" / "pictures" / "page.png"
WIDTH_PX, MARGIN_PX = 1200, 40
_LEAVE_OUT = """() => {
  const effects = document.querySelector("[data-for^=effects]").closest("section");
  document.querySelectorAll("nav, .facts, .notice, .theme, .tools, .scroll:has(table), main h2").forEach((one) => one.remove());
  document.querySelector(".layout").style.display = "block";
  document.querySelectorAll("main section").forEach((one) => {
    if (!one.contains(effects) && one !== effects && !effects.contains(one)) one.remove();
  });
}"""


def main() -> None:
    """Draw it again."""
    with chromium() as browser:
        page = browser.new_page(viewport={"width": WIDTH_PX, "height": 200}, color_scheme="light")
        page.goto(PAGE.as_uri())
        page.evaluate(_LEAVE_OUT)
        end = page.locator("main figure").bounding_box()
        height_px = end["y"] + end["height"] + MARGIN_PX
        page.screenshot(
            path=str(PICTURE), full_page=True, clip={"x": 0, "y": 0, "width": WIDTH_PX, "height": height_px}
        )


if __name__ == "__main__":
    main()
