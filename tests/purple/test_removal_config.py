"""What a removal run may ask for."""

import pytest
from pydantic import TypeAdapter

from unskew.errors import UserError
from unskew.probes.documents import Document
from unskew.purple import removal
from unskew.purple.removal_config import Removal, Texts
from unskew.runs.config import resolve


def made(*changes: str) -> Removal:
    doc = {"base": "b", "unlearned": "u", "data": {"kind": "files", "forget": "f"}}
    return resolve(doc, changes, TypeAdapter(Removal), "this run")


@pytest.mark.parametrize("guises", ["[]", "[pig-latin, leetspeak, word-reversal, rot13, atbash]"])
def test_all_probes_share_the_level(guises: str) -> None:
    config = made(f"conjugations={guises}")
    some = [Document(f"p{i}", f"a{i % 3}", f"c{i}") for i in range(30)]
    for texts in (Texts(some, some, some, {}), Texts(some[:3], [], [], {})):
        asked, absent = removal.probes(config, texts)
        assert len(asked) + len(absent) == config.probes


def test_a_level_must_be_one_that_the_draws_tell() -> None:
    assert made().probes == 10
    assert made("level=0.001").level == 0.001
    wide = "conjugations=[a, b, c, d, e]"
    with pytest.raises(UserError) as caught:
        made("level=0.001", wide)
    told = str(caught.value)
    assert "level: 0.001 is shared by 13 probes" in told
    assert "10000 draws tell no level below 0.0013 then" in told
    assert made("level=0.0013", wide).level == 0.0013
