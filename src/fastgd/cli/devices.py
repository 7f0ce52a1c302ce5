"""``fastgd devices``: the processors and GPUs that networks can be trained on."""

from dataclasses import asdict

import fastgd
from fastgd.checks.messages import escaped
from fastgd.cli.command_options import JSON, takes
from fastgd.cli.machine_output import print_json


@takes(JSON)
def command(json: bool) -> None:
    """List what networks can be trained on: this machine's processors and its GPUs.

    Example: [bold]fastgd devices[/bold]
    """
    found = fastgd.devices()
    if json:
        print_json({"devices": [asdict(one) for one in found], "note": found.note})
        return
    for line in str(found).splitlines():  # as wide as it is: a table lines up in one way only
        print(escaped(line))
