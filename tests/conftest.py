"""What holds for all tests."""

from n2n_core.device import let_threads_sleep

let_threads_sleep()  # before torch is loaded: several test processes may share the cores
