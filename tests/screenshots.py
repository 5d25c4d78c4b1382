"""Pictures of the dashboard, from a local AWS with real deploys, for docs/dashboard.md.

    python tests/screenshots.py [FOLDER]

Needs a Chromium on the PATH and says so where there is none; the pictures are then left as they are.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "local_aws"))

import local_aws  # noqa: E402
import png  # noqa: E402

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
HERE, THERE = local_aws.ACCOUNT, "222222222222"
# Name, width, height, and what `prefers-color-scheme` is.
PICTURES = [
    ("dashboard-light", 1280, 1500, "light"),
    ("dashboard-dark", 1280, 1500, "dark"),
    ("dashboard-narrow-light", 400, 1500, "light"),
    ("dashboard-narrow-dark", 400, 1500, "dark"),
    ("dashboard-history", 1280, 1180, "light"),
]
# The config whose history the last picture shows.
ONE = ("--project", "payments/ledger", "--config", "staging")
# Bytes: the pictures are read with the page, and kept by git for ever.
LARGEST = 150_000
QUEUE = "  Jobs:\n    Type: AWS::SQS::Queue\n"
BROKEN = "  Jobs:\n    Type: AWS::SQS::Queue\n    Properties:\n      VisibilityTimeout: 99999\n"
# A queue that is not there is nobody's, so it is not this project's either. Only the deployer finds that out.
FOREIGN = """  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      RedrivePolicy:
        deadLetterTargetArn: arn:aws:sqs:us-east-1:111111111111:somebody-elses
        maxReceiveCount: 3
"""
# What most desks have for `system-ui` looks more like the first of these than like what a bare machine has.
LIKENESSES = "".join(f"<string>{name}</string>" for name in ("Inter", "Noto Sans", "Liberation Sans"))
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
""" + "".join(f"""  <match target="pattern">
    <test qual="any" name="family"><string>{family}</string></test>
    <edit name="family" mode="prepend" binding="strong">{LIKENESSES}</edit>
  </match>
""" for family in ("system-ui", "sans-serif", "sans")) + "</fontconfig>\n"


def main(arguments: list[str]) -> int:
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if not browser:
        print(f"no pictures are made: none of {', '.join(BROWSERS)} is on the PATH", file=sys.stderr)
        return 0
    folder = Path(arguments[0]) if arguments else ROOT / "docs" / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    with local_aws.LocalAws("--change-set-seconds", "0.2", "--stack-seconds", "0.2") as aws, \
            tempfile.TemporaryDirectory(prefix="fenrir-screenshots-") as place:
        desk = Desk(aws, Path(place))
        desk.install()
        live(desk)
        for name, width, height, scheme in PICTURES:
            # The history of a config that is the only one is unfolded.
            dashboard = desk.dashboard(*(ONE if name == "dashboard-history" else ()))
            try:
                photograph(browser, dashboard.url, Path(place), name, width, height, scheme)
            finally:
                dashboard.stop()
        sizes = [keep(Path(place), folder, name) for name, *_ in PICTURES]
    return 0 if all(size <= LARGEST for size in sizes) else 1


class Desk:
    """Somebody who deploys."""

    def __init__(self, aws, place: Path):
        self.aws, self.place = aws, place
        self.command = [str(Path(os.environ["FENRIR_LAMBDAS"]) / "fenrir" / "bootstrap")]
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(place), "AWS_ENDPOINT_URL": aws.endpoint, "AWS_REGION": local_aws.REGION,
            "AWS_ACCESS_KEY_ID": HERE, "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true",
        }

    def install(self) -> None:
        """The deployer and its account's stack, and the stack of a second account."""
        self.fenrir("bootstrap", "--yes", "--quiet", "--lambdas", os.environ["FENRIR_LAMBDAS"], "--accounts", f"{HERE},{THERE}",
                    "--parameter", "DeletionProtection=false")
        self.fenrir("bootstrap", "--yes", "--quiet", "--account-only", "--deployer-account", HERE, account=THERE)

    def fenrir(self, *arguments: str, wanted: tuple[int, ...] = (0,), account: str = HERE) -> str:
        environment = {**self.environment, "AWS_ACCESS_KEY_ID": account}
        done = subprocess.run([*self.command, *arguments], cwd=self.place, env=environment, check=False, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode not in wanted:
            raise SystemExit(f"`fenrir {' '.join(arguments)}` ended with {done.returncode}:\n{done.stdout}")
        return done.stdout

    def deploy(self, project: str, config: str, who: str, commit: str, resources: str = QUEUE, account: str = HERE,
               wanted: tuple[int, ...] = (0,), seconds: float = 0.2, more: tuple[str, ...] = ()) -> None:
        self.aws.control("knobs", {"stack_seconds": seconds})
        (self.place / "template.yml").write_text(
            f"Transform: AWS::Serverless-2016-10-31\nProjectName: {project}\nConfigName: {config}\nResources:\n{resources}")
        self.fenrir("deploy", "--progress", "none", "--account", account, "--metadata", f"author={who}", "--metadata",
                    f"commit={commit}", *more, wanted=wanted)

    def dashboard(self, *arguments: str) -> "Dashboard":
        process = subprocess.Popen([*self.command, "dashboard", "--no-open", *arguments], cwd=self.place, env=self.environment, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        return Dashboard(process)

    def board(self) -> list[dict]:
        self.fenrir("dashboard", "--export", "site/")
        return json.loads((self.place / "site" / "board.json").read_text())["configs"]


class Dashboard:
    def __init__(self, process: subprocess.Popen):
        self.process, self.url = process, process.stdout.readline().strip()
        if not self.url.startswith("http://127.0.0.1:"):
            raise SystemExit("the dashboard is not served")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


def live(desk: Desk) -> None:
    """A morning at a company: what is deployed, what failed, what is refused, what is left over, what runs."""
    two = QUEUE + "  Late:\n    Type: AWS::SQS::Queue\n"
    desk.deploy("shop/search", "production", "ada", "51c0e1b7aa")
    desk.deploy("shop/search", "dev", "ada", "51c0e1b7aa")
    desk.deploy("shop/cart", "production", "linus", "0d9a77c4e2", account=THERE, seconds=1.1)
    desk.deploy("shop/cart", "production", "linus", "77c0d1e955", two, account=THERE, seconds=0.6)
    desk.deploy("payments/ledger", "staging", "grace", "9f1c2ab47d", seconds=0.4)
    desk.deploy("payments/ledger", "staging", "grace", "c3d41f08b6", BROKEN, wanted=(1,))
    desk.deploy("payments/ledger", "staging", "grace", "c3d41f08b6", FOREIGN, wanted=(3,))
    desk.deploy("payments/ledger", "staging", "grace", "e57b90a312", two, seconds=1.4)
    desk.deploy("payments/ledger", "staging", "grace", "e57b90a312", two)
    desk.deploy("payments/ledger", "production", "grace", "9f1c2ab47d", account=THERE, seconds=0.9)
    desk.deploy("media/thumbnails", "production", "barbara", "a86f55d2c0")
    desk.deploy("media/thumbnails", "production", "barbara", "b11d74e3f9", BROKEN, wanted=(1,))
    # Nobody may delete the stack that was not completed: something is left, and a person has to look.
    desk.aws.control("faults", [{"action": "cloudformation:DeleteStack", "fault": "denied", "times": 100}])
    desk.deploy("media/transcoder", "dev", "barbara", "4be09d7713", BROKEN, wanted=(5,))
    desk.aws.control("faults", [])
    desk.fenrir("lock", "--project", "shop/cart", "--config", "production", "--account", THERE, "--reason",
                "the warehouse counts its stock until 18:00")
    desk.deploy("payments/ledger", "production", "grace", "e57b90a312", two, account=THERE, seconds=600, more=("--no-wait",))
    # Until it waits for CloudFormation, and has looked a few times.
    for _ in range(600):
        run = next((config["run"] for config in desk.board() if config["run"]), None)
        looked = {entered["state"]: entered["times"] for entered in run["entered"]} if run else {}
        if looked.get("WaitExecute", 0) >= 3:
            return
        time.sleep(0.1)
    raise SystemExit("nothing runs")


def photograph(browser: str, url: str, place: Path, name: str, width: int, height: int, scheme: str) -> None:
    """Takes one picture."""
    fonts, taken = place / "fonts.conf", place / f"{name}.png"
    fonts.write_text(FONTS)
    preferred = {"dark": 0, "light": 1}[scheme]
    # Without a sandbox it runs as root in a container, and it shows nothing but our own page.
    arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-prefers-reduced-motion",
                 f"--blink-settings=preferredColorScheme={preferred}", f"--window-size={width},{height}",
                 f"--user-data-dir={place / 'browser'}", f"--screenshot={taken}", url]
    done = subprocess.run([browser, *arguments], check=False, capture_output=True, text=True, timeout=120,
                          env={**os.environ, "FONTCONFIG_FILE": str(fonts)})
    if not taken.is_file():
        raise SystemExit(f"{browser} takes no picture:\n{done.stderr[-2000:]}")


def keep(place: Path, folder: Path, name: str) -> int:
    """Puts a picture where the page finds it. Returns its size."""
    kept = folder / f"{name}.png"
    kept.write_bytes(png.smaller((place / kept.name).read_bytes()))
    size = kept.stat().st_size
    print(f"{kept}: {size / 1000:.0f} kB{'' if size <= LARGEST else ', too large'}")
    return size


if __name__ == "__main__":
    os.environ.setdefault("FENRIR_LAMBDAS", str(Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "lambda-local"))
    sys.exit(main(sys.argv[1:]))
