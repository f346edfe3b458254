"""The page in a real browser, with real clicks, against the running service."""

import pathlib
import re
import shutil

import pytest

BROWSER = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
if BROWSER is None:
    pytest.skip("THE PAGE IS NOT TESTED: there is no chromium here", allow_module_level=True)

from playwright.sync_api import expect, sync_playwright

from conftest import Service

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
STATES = {
    "success": "successful",
    "pending": "pending",
    "fail": "failed",
    "scriptError": "error",
    "unknown": "unknown",
    "notApplicable": "notApplicable",
}


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        it = playwright.chromium.launch(executable_path=BROWSER, args=ARGUMENTS)
        yield it
        it.close()


@pytest.fixture
def page(browser):
    """A fresh page. Whatever it complains about fails the test."""
    context = browser.new_context(locale="en-GB")
    it = context.new_page()
    it.complaints = []
    it.requests = []
    it.on("pageerror", lambda error: it.complaints.append(str(error)))
    it.on("console", lambda line: it.complaints.append(line.text))
    it.on("request", lambda request: it.requests.append(request.url))
    yield it
    context.close()


def fill(service):
    """A roll-out with every state, and more users than fit on one page of a list."""
    states = list(STATES)
    for number in range(400):
        service.report(number, f"user{number % 300:03}@example.com", states[number % 6])
    service.report(1000, None, "success")


def sign_in(page, service, token=None):
    page.goto(service.origin)
    page.get_by_label("Token", exact=True).fill(token or service.read_token)
    page.get_by_role("button", name="Show the roll-out").click()


def expect_summary(page, service):
    """The page shows the numbers that the service has."""
    summary = service.summary()
    for card, of in [("#devices", "Device"), ("#users", "User")]:
        total = sum(summary[f"{name}{of}Count"] for name in STATES.values())
        expect(page.locator(f"{card} .total")).to_have_text(f"{total:,}")
        for state, name in STATES.items():
            count = page.locator(f"{card} [data-state={state}] dd")
            expect(count).to_contain_text(f"{summary[f'{name}{of}Count']:,}")
            share = count.locator("small").inner_text()
            assert count.inner_text() == f"{summary[f'{name}{of}Count']:,}{share}"


def test_numbers_follow_the_service(page, service):
    fill(service)
    sign_in(page, service)
    expect_summary(page, service)
    service.report(2000, "zoe@example.com", "fail")
    service.report(0, "user000@example.com", "fail", "2026-11-21T10:30:00Z")
    expect(page.locator("#devices .aside")).to_contain_text("+1 since opened")
    expect_summary(page, service)
    label = page.locator("#devices .bar").get_attribute("aria-label")
    assert f"{service.summary()['failedDeviceCount']} failed" in label
    expect(page.locator("#trend")).to_have_attribute("aria-label", re.compile("failed"))
    assert page.complaints == []


def test_users_are_searched_and_open_to_their_devices(page, service):
    fill(service)
    sign_in(page, service)
    expect(page.locator("#found")).to_have_text("300 users")
    expect(page.locator("button.user")).to_have_count(100)
    page.get_by_role("button", name="Show more").click()
    expect(page.locator("button.user")).to_have_count(200)

    page.get_by_label("Search users by name").fill("USER042")
    expect(page.locator("#found")).to_have_text("1 of 300 users")
    user = page.get_by_role("button", name="user042@example.com")
    expect(user).to_have_attribute("aria-expanded", "false")
    user.click()
    expect(user).to_have_attribute("aria-expanded", "true")
    devices = page.locator(".devices li")
    expect(devices).to_have_count(2)
    expect(devices.first).to_contain_text("00000000-0000-0000-0000-")

    # What comes in is shown in the open row, too.
    service.report(3000, "user042@example.com", "scriptError")
    expect(devices).to_have_count(3, timeout=30_000)
    expect(page.locator("tbody .state").first).to_have_text("Error")
    user.click()
    expect(page.locator(".detail")).to_be_hidden()
    assert page.complaints == []


def test_the_keyboard_is_enough(page, service):
    service.report(1, "ada@example.com", "pending")
    page.goto(service.origin)
    page.keyboard.type(service.read_token)
    page.keyboard.press("Enter")
    user = page.get_by_role("button", name="ada@example.com")
    expect(user).to_be_visible()
    for _ in range(10):
        if user.evaluate("node => node === document.activeElement"):
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".devices code")).to_have_text("00000000-0000-0000-0000-000000000001")
    expect(user).to_be_focused()


def test_a_wrong_token_is_told_and_none_is_in_the_address(page, service):
    sign_in(page, service, "wrong")
    expect(page.get_by_role("alert")).to_have_text("The service does not know this token.")
    # No header can carry these, so the browser would refuse to send them.
    sign_in(page, service, "\u201creading-token\u201d")
    expect(page.get_by_role("alert")).to_have_text("The service does not know this token.")
    sign_in(page, service)
    expect(page.locator("#board")).to_be_visible()
    assert page.url == f"{service.origin}/"
    assert all(service.read_token not in url for url in page.requests)
    assert all(url.startswith(service.origin) for url in page.requests), page.requests
    stored = page.evaluate("[JSON.stringify(sessionStorage), JSON.stringify(localStorage), document.cookie]")
    assert service.read_token in stored[0]
    assert stored[1:] == ["{}", ""]

    # It is asked for once in a tab, until it is taken back.
    page.reload()
    expect(page.locator("#board")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Token", exact=True)).to_be_focused()
    assert page.evaluate("sessionStorage.length") == 0


def test_a_script_shows_its_two_states(page, service):
    path = f"deviceManagementScripts/{service.script}"
    for number, state in enumerate(["success", "fail", "scriptError"]):
        event = {
            "id": f"00000000-0000-0000-0000-00000000000{number}",
            "runState": state,
            "lastStateUpdateDateTime": "2026-11-21T09:30:00Z",
        }
        service.ask("POST", f"{path}/deviceRunStates", event)
    sign_in(page, service)
    page.get_by_label("Configuration or script").select_option(f"deviceManagementScript {service.script}")
    expect(page.locator("#devices dd")).to_have_count(2)
    expect(page.locator("#devices [data-state=success] dd")).to_contain_text("1")
    expect(page.locator("#devices [data-state=scriptError] dd")).to_contain_text("2")
    assert page.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_runs_off_the_screen(browser, service, width, scheme):
    long = "a-rather-long-name-of-somebody-" * 3
    service.report(1, f"{long}@example.com", "notApplicable")
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    sign_in(page, service)
    page.locator("button.user").click()
    expect(page.locator(".devices code")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()


def test_an_answer_that_stays_away_is_told_and_waited_for(page, service):
    service.report(1, "ada@example.com", "success")
    sign_in(page, service)
    expect(page.locator("#status")).to_contain_text("Live")
    page.route("**/runSummary", lambda route: route.abort())
    expect(page.locator("#status")).to_contain_text("No answer")
    expect(page.locator("#devices .total")).to_have_text("1")
    page.unroute("**/runSummary")
    expect(page.locator("#status")).to_contain_text("Live")


def test_it_looks_again_until_something_is_rolled_out(page):
    service = Service(rollouts=False)
    try:
        sign_in(page, service)
        expect(page.locator("#status")).to_contain_text("Nothing is rolled out yet")
        expect(page.locator("#board")).to_be_hidden()
        service.ask("POST", f"hardwareConfigurations/{service.configuration}/runSummary", {
            f"{name}{of}Count": 1 for name in STATES.values() for of in ("Device", "User")
        })
        expect(page.locator("#board")).to_be_visible()
        expect(page.locator("#devices .total")).to_have_text("6")
        assert page.complaints == []
    finally:
        service.stop()


def test_a_name_cannot_turn_what_is_beside_it_around(page, service):
    name = "ada\u202egpj.exe@example.com"
    service.report(1, name, "success")
    sign_in(page, service)
    user = page.locator("button.user bdi")
    expect(user).to_have_text(name)
    assert user.evaluate("node => getComputedStyle(node).unicodeBidi") == "isolate"
    # The cells beside it read from left to right.
    assert page.locator("tbody .state").first.inner_text() == "Successful"


def test_overdue_devices_and_the_gate_are_shown(page):
    service = Service("--overdue", "1", "--gate", "50", "--gate-minimum", "2")
    try:
        service.report(1, "ada@example.com", "pending", "2026-11-21T09:30:00Z")
        service.report(2, "ada@example.com", "success")
        sign_in(page, service)
        expect(page.locator("#overdue")).to_have_text("1 overdue: pending for too long")
        expect(page.locator("#gate")).to_contain_text("too few")
        service.report(3, "bob@example.com", "fail")
        expect(page.locator("#gate")).to_contain_text("stop", timeout=15_000)
        service.report(4, "bob@example.com", "success")
        expect(page.locator("#gate")).to_contain_text("open", timeout=15_000)
        service.report(1, "ada@example.com", "success", "2026-11-21T10:30:00Z")
        expect(page.locator("#overdue")).to_have_text("None overdue", timeout=15_000)
        assert page.complaints == []
    finally:
        service.stop()


def test_devices_are_retired_and_removed_after_a_question(page, service):
    for number in (1, 2, 3):
        service.report(number, "ada@example.com", "success")
    sign_in(page, service, service.write_token)
    page.locator("button.user").click()
    devices = page.locator(".devices li")
    expect(devices).to_have_count(3)
    first = devices.filter(has_text="000000000001")
    first.get_by_role("button", name="Remove").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Remove this device?")
    expect(dialog).to_contain_text("00000000-0000-0000-0000-000000000001")
    dialog.get_by_role("button", name="Cancel").click()
    expect(devices).to_have_count(3)
    assert service.summary()["successfulDeviceCount"] == 3

    first.get_by_role("button", name="Remove").click()
    dialog.get_by_role("button", name="Remove").click()
    expect(devices).to_have_count(2)
    assert service.summary()["successfulDeviceCount"] == 2
    devices.filter(has_text="000000000002").get_by_role("button", name="Retire").click()
    dialog.get_by_role("button", name="Retire").click()
    expect(devices).to_have_count(1)
    assert service.summary()["successfulDeviceCount"] == 2
    expect(page.locator("#devices .total")).to_have_text("2")
    assert page.complaints == []

    # Whoever may only read is not offered it.
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, service)
    page.locator("button.user").click()
    expect(devices).to_have_count(1)
    expect(page.get_by_role("button", name="Remove")).to_have_count(0)


def test_nothing_but_its_own_script_runs(page, service):
    sign_in(page, service)
    expect(page.locator("#board")).to_be_visible()
    ran = page.evaluate("""() => {
        const script = document.createElement("script");
        try { script.textContent = "window.ran = true"; document.body.append(script); } catch {}
        return window.ran === true;
    }""")
    assert not ran


def test_the_page_is_one_small_file():
    file = pathlib.Path(__file__).parents[1] / "src" / "page.html"
    assert file.stat().st_size < 30_000
