"""Settings that apply to all tests."""

import os
import signal

from n2n_core.device import let_threads_sleep
from service.processes.limits import IMPOLITE

let_threads_sleep()  # before torch is loaded: several test processes may share the cores
os.environ.setdefault("OMP_NUM_THREADS", "1")  # so they do, and the last bit of results does not depend on it

os.environ[IMPOLITE] = "1"  # tests wait for trainers, which otherwise let everybody go first

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background, also for what tests start
    signal.signal(signal.SIGINT, signal.default_int_handler)
