"""``python -m service.jobs`` runs a supervisor without the REST service, until SIGINT or SIGTERM."""

import logging.config
import signal
import threading

from service import logs
from service.jobs.supervisor import Supervisor, open_store
from service.settings.server import read_settings


def main() -> None:
    """Supervise until a signal comes. Trainers go on afterwards."""
    settings = read_settings()
    logging.config.dictConfig(logs.configuration(settings.log_format))
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    supervisor = Supervisor(settings, open_store(settings)).start()
    stop.wait()
    supervisor.close()


if __name__ == "__main__":
    main()
