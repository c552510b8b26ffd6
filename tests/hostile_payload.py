"""Pickles that would create a file if anything in them were run."""

import os
import pickle
from functools import partial
from pathlib import Path


class Call:
    """Calls a function when it is unpickled."""

    def __init__(self, function, *arguments, state=None):
        self.call = function, arguments, *([] if state is None else [state])

    def __reduce__(self):
        return self.call


def _protocol(number, trap):
    return pickle.dumps([Call(os.mkdir, str(trap))], protocol=number)


def _text(template, trap):
    return template.replace(b'TRAP', os.fsencode(trap))


# By name, a function that returns the bytes of a pickle with its trap.
PICKLES = {
    **{f'protocol {number}': partial(_protocol, number) for number in range(6)},
    'os.system': partial(_text, b"cos\nsystem\n(S'touch TRAP'\ntR."),
    'eval': partial(_text, b'cbuiltins\neval\n(S\'__import__("os").mkdir("TRAP")\'\ntR.'),
    'exec': partial(_text, b'cbuiltins\nexec\n(S\'import os; os.mkdir("TRAP")\'\ntR.'),
    'instance': partial(_text, b"(S'TRAP'\niposix\nmkdir\n."),
    'object': partial(_text, b"(cposix\nmkdir\nS'TRAP'\no."),
    'pathlib': lambda trap: pickle.dumps(Call(Path.touch, Path(trap))),
    'partial': lambda trap: pickle.dumps(Call(partial(os.mkdir, str(trap)))),
    'getattr': partial(_text, b"cbuiltins\ngetattr\n(cos\npath\nS'os'\ntR."),
    'open for writing': partial(_text, b"cio\nopen\n(S'TRAP'\nS'w'\ntR."),
    'behind a good list': lambda trap: (
        pickle.dumps(['a'])[:-1] + _text(b"0cos\nmkdir\n(S'TRAP'\ntR.", trap)
    ),
}
