"""The process that is the local AWS: MiniStack, with the gaps closed. Started by the launcher, never by hand."""

import os
import sys
import threading


def die_with_the_launcher() -> None:
    """The launcher holds the other end of standard input: when it ends, however it ends, this reads its end."""
    while os.read(0, 1024):
        pass
    os._exit(0)


def main() -> None:
    import gc

    import gaps

    gaps.close()
    threading.Thread(target=die_with_the_launcher, daemon=True).start()
    from ministack import app

    # What is there by now stays: the collector need not look through it again and again.
    gc.collect()
    gc.freeze()
    sys.argv = sys.argv[:1]
    app.main()


if __name__ == "__main__":
    main()
