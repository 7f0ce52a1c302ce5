"""What the tests of the command line share."""

import re


def assert_refused(result, message):
    """One line on stderr that has this message, nothing on stdout, exit code 2."""
    code, out, err = result
    assert code == 2
    assert out == ""
    assert err.startswith("fastgd: error: ")
    assert err.count("\n") == 1
    assert re.search(message, err), err
