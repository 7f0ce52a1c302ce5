"""What NVIDIA's assembler makes of kernels: nothing is contracted, and no register is spilled.

The driver has the same compiler. Here it is that of the extra ``ptx``.
"""

import re
import subprocess
from collections import Counter
from importlib import metadata

import pytest
from test_ptx_text import ARTICLE, texts

from thinning import some


def tool(name, package):
    """The path of a program in a package."""
    try:
        files = metadata.files(package)
    except metadata.PackageNotFoundError:
        pytest.skip(f'{name} is missing: pip install "fastgd[ptx]", on Linux x86-64')
    return next(file.locate() for file in files if file.name == name)


@pytest.fixture
def compiled(tmp_path):
    """A function that compiles PTX; gives back what ptxas says, and how to look at the code."""
    ptxas, nvdisasm = tool("ptxas", "nvidia-cuda-nvcc"), tool("nvdisasm", "nvidia-cuda-nvdisasm")

    def compiled(text, capability, *options):
        source, made = tmp_path / "train.ptx", tmp_path / "train.cubin"
        source.write_text(text)

        def output(*command):
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            return done.stdout + done.stderr

        said = output(ptxas, "-v", f"-arch=sm_{capability}", *options, source, "-o", made)
        return said, lambda: re.findall(r"/\*[0-9a-f]{4,}\*/\s+(.*?)\s*;", output(nvdisasm, made))

    return compiled


MOST = 255
"""Registers of 32 bits that a thread may have."""

# Code for one network: 16 warps share the 65,536 registers of a multiprocessor. Where it has but
# two units for float64, ptxas takes 130, so 15 warps do: one warp keeps both units busy.
REGISTERS = [(ARTICLE, capability, 128) for capability in (75, 80, 90, 100, 120)]
REGISTERS += [(ARTICLE, capability, 136) for capability in (86, 89)]
# AdaDelta isn't here: it spills (ptxas 13.5: 80 bytes of stack on 90, 40 on 100; 120 on 90 when
# its step was written by hand). So does the rule AMSGRAD on 100, 8 bytes, but not on 90.
REGISTERS += [
    (case, 90, MOST)
    for case in ("plain", "adam", "adamw", "softmax", "softplus, huber", "rprop", "amsgrad")
]
REGISTERS += [(case, 90, MOST) for case in ("adaptive", "folds", "everything drawn")]
REGISTERS += [("everything in epochs", capability, MOST) for capability in (90, 100)]
QUICK = [(ARTICLE, 90, 128), (ARTICLE, 100, 128), ("plain", 90, MOST)]


@pytest.mark.parametrize(
    ("case", "capability", "most"), some(REGISTERS, [each in QUICK for each in REGISTERS])
)
def test_no_register_is_spilled(case, capability, most, compiled, request):
    if most < MOST:
        request.getfixturevalue("users_kernels")
    for text in texts(case):
        said, _ = compiled(text, capability)
        assert "0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads" in said
        assert 32 < int(re.search(r"Used (\d+) registers", said)[1]) <= most


@pytest.fixture
def both(compiled):
    """A function that gives the instructions where ptxas contracts what it may, and elsewhere."""
    return lambda text, capability: [
        compiled(text, capability, "-fmad", each)[1]() for each in ("true", "false")
    ]


PAIRS = [("softmax", 90), ("softplus, huber", 75), ("adam", 100), ("everything in epochs", 90)]


@pytest.mark.parametrize(("case", "capability"), some(PAIRS, [True, False, False, False]))
def test_nothing_is_contracted(case, capability, both):
    (text,) = texts(case)
    contracted, exact = both(text, capability)
    assert contracted == exact
    assert counts(exact)["DADD"] > 100


def counts(instructions):
    """How many there are of each."""
    return Counter(re.match(r"(?:@\S+ +)?(\w+)", each)[1] for each in instructions)


SUM = """
.version 6.0
.target sm_70
.address_size 64
.visible .entry train(.param .u64 train_param_0)
{
    .reg .b64 %rd<2>;
    .reg .f64 %fd<5>;
    ld.param.u64 %rd1, [train_param_0];
    ld.global.f64 %fd1, [%rd1];
    ld.global.f64 %fd2, [%rd1+8];
    mul.rn.f64 %fd3, %fd1, %fd2;
    add.rn.f64 %fd4, %fd3, %fd1;
    st.global.f64 [%rd1], %fd4;
    ret;
}
"""


def test_a_contraction_would_be_seen(both):
    contracted, exact = both(SUM, 90)
    assert contracted == exact
    assert counts(exact)["DMUL"] == counts(exact)["DADD"] == 1
    contracted, exact = both(SUM.replace(".rn", ""), 90)
    assert counts(exact)["DFMA"] == 0 < counts(contracted)["DFMA"]
