"""Workers of data loaders that come to harm."""

import os
import signal
import time


class Fate:
    """What happens to a worker at one picture."""

    def __init__(self, name, act):
        self.name, self.act = name, act

    def __call__(self, sample):
        if sample['img_path'].endswith(self.name):
            self.act()
        return sample['sample_idx']


def killed():
    os.kill(os.getpid(), signal.SIGKILL)


def bus_error():
    os.kill(os.getpid(), signal.SIGBUS)


def left():
    os._exit(3)


def hang():
    time.sleep(60)
