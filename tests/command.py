"""What the tests of the command line share."""

import re


def assert_refused(result, message, code=2):
    """One line on stderr that has this message, nothing on stdout, and this exit code."""
    found, out, err = result
    assert found == code
    assert out == ""
    assert err.startswith("fastgd: error: ")
    assert err.count("\n") == 1
    assert re.search(message, err), err
