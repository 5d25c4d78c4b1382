"""Runs a command in a terminal of its own and hands on what it writes, as it comes.

    python terminal.py COLUMNS TYPED COMMAND ...

TYPED is typed as soon as something asks for a yes.
"""

import fcntl
import os
import pty
import struct
import sys
import termios


def main(columns: int, typed: str, command: list[str]) -> int:
    child, terminal = pty.fork()
    if child == 0:
        # Not before the terminal has its size.
        sys.stdin.readline()
        os.execvp(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    attributes = termios.tcgetattr(terminal)
    attributes[3] &= ~termios.ECHO
    termios.tcsetattr(terminal, termios.TCSANOW, attributes)
    os.write(terminal, b"\n")
    seen = b""
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            # How Linux says that nobody has the other side open any longer.
            break
        if not data:
            break
        os.write(1, data)
        seen += data
        if typed and b"[y/N]" in seen:
            os.write(terminal, typed.encode() + b"\n")
            typed = ""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2], sys.argv[3:]))
