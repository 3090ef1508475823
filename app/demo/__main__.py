"""`make model`: the default model, trained from the reviews beside this file."""

import argparse
import sys
from pathlib import Path

from app.environment import SettingsInvalid, load_settings
from app.settings import Settings

EXAMPLE = "a warm and funny film"
REVIEWS = Path(__file__).with_name("reviews.csv")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m app.demo", description=__doc__)
    parser.add_argument("--if-needed", action="store_true", help="do nothing if it is there, or another is served")
    options = parser.parse_args()
    default = Path(Settings.model_fields["model_uri"].default)
    try:
        settings = load_settings()
    except SettingsInvalid as error:
        sys.exit(str(error))
    is_served = settings.model_repository is None and settings.model_uri == str(default)
    if options.if_needed and (default.exists() or not is_served):
        return
    # Not at the top: `make serve` asks each time, and scikit-learn takes a second to import.
    from app.training.__main__ import train

    train(REVIEWS, target=None, out=default, name=default.stem, example=EXAMPLE)


if __name__ == "__main__":
    main()
