"""What the tests of the claims share: every fast claim, measured once."""

import pytest

from tinygrad_vg import claims


@pytest.fixture(scope="session")
def outcomes():
    return {one.claim.id: one for one in claims.run(claims.chosen())}
