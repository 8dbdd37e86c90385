"""Run one command and write what it took, as JSON, to a file descriptor.

    python -I -S launch.py FD LIMIT_S COMMAND…

A process of its own, and a small one: Linux counts the memory of the process that starts a command as the command's
own, so whatever starts it must be smaller than it. It imports nothing but what is built in.
"""

import os
import signal
import sys
import time


def main() -> None:
    fd, limit_s, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    started = time.perf_counter()
    pid = os.posix_spawn(command[0], command, os.environ)
    signal.signal(signal.SIGALRM, lambda *_: os.kill(pid, signal.SIGKILL))
    signal.alarm(limit_s)
    _, status, usage = os.wait4(pid, 0)
    wall_s = time.perf_counter() - started
    cpu_s = usage.ru_utime + usage.ru_stime
    code = os.waitstatus_to_exitcode(status)
    os.write(fd, b'{"code": %d, "wall_s": %f, "cpu_s": %f, "rss_kib": %d}' % (code, wall_s, cpu_s, usage.ru_maxrss))


main()
