import pytest
from wasm_machine import WASM, is_fused


@pytest.fixture(scope="session")
def fused():
    return is_fused()


@pytest.fixture(params=WASM)
def wasm(request, fused):
    """Each module for WebAssembly that has the right bits here."""
    if request.param == "wasm32-relaxed" and not fused:
        pytest.skip("relaxed_madd is fused only on processors with FMA, which this one hasn't")
    return request.param
