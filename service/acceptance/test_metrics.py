"""What Prometheus' own checker says of the metrics."""

import shutil
import subprocess
import urllib.request

import pytest

PROMTOOL = shutil.which("promtool")


@pytest.mark.skipif(PROMTOOL is None, reason="THE METRICS ARE NOT CHECKED: there is no promtool here")
def test_promtool_finds_nothing(service):
    service.report(1, "ada@example.com", "fail")
    headers = {"Authorization": f"Bearer {service.read_token}"}
    request = urllib.request.Request(f"{service.origin}/metrics", headers=headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        text = response.read()
    check = subprocess.run([PROMTOOL, "check", "metrics"], input=text, capture_output=True)
    assert (check.returncode, check.stdout + check.stderr) == (0, b"")
