"""Archives: only what is named, only inside its folder, only so much."""

import hashlib
import io
import random
import shutil
import stat
import tarfile
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blindfold.core.errors import BlindfoldError
from tests.conftest import MIRROR, needs_mirror
from tests.fetch.conftest import Place, make_card

CONTENT = {"in/a.csv": b"a,b\n1,2\n", "in/b c.txt": b"B" * 5000, "other": b"never asked for"}
KINDS = ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"]
WANTED = {"table": "in/a.csv", "text": "in/b c.txt"}


def pack(path, content, links=(), kind="zip"):
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, body in content.items():
                archive.writestr(name, body)
            for name in links:
                info = zipfile.ZipInfo(name)
                info.external_attr = (stat.S_IFLNK | 0o777) << 16
                archive.writestr(info, "/etc/passwd")
        return
    with tarfile.open(path, "w:" + kind.partition(".")[2]) as archive:
        for name, body in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
        for name in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(info)


@pytest.fixture
def packed(place):
    """Return a function that puts an archive into a mirror and fetches members of it."""
    mirror = place.root / "mirror"

    def fetch(content=CONTENT, members=WANTED, links=(), kind="zip", **card):
        pack(mirror / "p/it.pack", content, links, kind)
        found = make_card("p/it.pack", by_hand="bring it", members=members, **card)
        return place.fetch(found, [str(mirror)])

    return fetch


def folder(place):
    return place.cache / "p" / "it.pack.unpacked"


def unpacked(place):
    return sorted(
        str(path.relative_to(folder(place)))
        for path in folder(place).rglob("[!.]*")
        if path.is_file()
    )


@pytest.mark.parametrize("kind", KINDS)
def test_only_named_members_are_unpacked(place, packed, kind):
    rows = packed(kind=kind)
    assert unpacked(place) == ["in/a.csv", "in/b c.txt"]
    archive = (place.cache / "p/it.pack").read_bytes()
    for row, (role, name) in zip(rows, WANTED.items(), strict=True):
        assert row == {
            "path": "p/it.pack", "role": role, "member": name,
            "sha256": hashlib.sha256(CONTENT[name]).hexdigest(), "bytes": len(CONTENT[name]),
            "source": str(place.root / "mirror/p/it.pack"),
            "location": str(folder(place) / name),
            "archive_sha256": hashlib.sha256(archive).hexdigest(),
        }  # fmt: skip
        assert (folder(place) / name).read_bytes() == CONTENT[name]


names = st.lists(
    st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8), min_size=1, max_size=3
).map("/".join)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    top=st.dictionaries(names, st.binary(max_size=300), min_size=1, max_size=4),
    kind=st.sampled_from(KINDS),
)
def test_contents_survive(tmp_path_factory, top, kind):
    place = Place(tmp_path_factory.mktemp("pack"))
    # each under a folder of its own: no name may be the folder of another
    content = {f"{number}/{name}": body for number, (name, body) in enumerate(top.items())}
    pack(place.root / "m/it.pack", content, kind=kind)
    members = {str(number): name for number, name in enumerate(content)}
    card = make_card("it.pack", by_hand="bring it", members=members, unpacked_bytes=10**6)
    rows = place.fetch(card, [str(place.root / "m")])
    found = {row["member"]: (place.cache / "it.pack.unpacked" / row["member"]) for row in rows}
    assert {name: path.read_bytes() for name, path in found.items()} == content


def test_intact_members_are_not_unpacked_again(place, packed):
    packed()
    before = {name: (folder(place) / name).stat().st_ino for name in unpacked(place)}
    (folder(place) / "in/b c.txt").write_bytes(b"C" * 5000)
    packed()
    after = {name: (folder(place) / name).stat().st_ino for name in unpacked(place)}
    assert (folder(place) / "in/b c.txt").read_bytes() == CONTENT["in/b c.txt"]
    assert before["in/a.csv"] == after["in/a.csv"]


def test_what_is_there_needs_no_lock(place, packed):
    """A cache that can only be read serves what it has."""
    packed()
    shutil.rmtree(place.cache / ".locks")
    (place.cache / ".locks").touch()
    assert len(packed()) == 2
    (folder(place) / "in/a.csv").unlink()
    with pytest.raises(BlindfoldError, match="cannot write"):
        packed()


def test_two_cards_may_name_different_members(place, packed):
    packed(members={"table": "in/a.csv"})
    inode = (folder(place) / "in/a.csv").stat().st_ino
    packed(members={"text": "other"})
    assert unpacked(place) == ["in/a.csv", "other"]
    assert (folder(place) / "in/a.csv").stat().st_ino == inode


def test_another_archive_is_unpacked_anew(place, packed):
    packed()
    (place.cache / "p/it.pack").unlink()
    (place.cache / "downloads.lock.json").unlink()
    packed(CONTENT | {"in/a.csv": b"new"})
    assert (folder(place) / "in/a.csv").read_bytes() == b"new"


@pytest.mark.parametrize("text", ["{broken", "[]", '{"archive_sha256": 1}'])
def test_a_damaged_list_of_members_is_no_obstacle(place, packed, text):
    packed()
    (folder(place) / ".unpacked.json").write_text(text)
    assert len(packed()) == 2


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
@pytest.mark.parametrize(
    "name", ["../evil", "in/../../evil", "/etc/evil", "..\\evil", "C:\\evil", "c:evil", "\\evil"]
)
def test_an_archive_that_reaches_outside_is_refused_whole(place, packed, name, kind):
    with pytest.raises(BlindfoldError, match="not safe") as error:
        packed(CONTENT | {name: b"evil"}, kind=kind)
    assert repr(name) in str(error.value)
    assert not folder(place).exists()
    assert list(place.root.rglob("*evil*")) == []


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_an_archive_with_a_link_is_refused_whole(place, packed, kind):
    with pytest.raises(BlindfoldError, match=r"member 'in/link', a link"):
        packed(links=["in/link"], kind=kind)
    assert not folder(place).exists()


@pytest.mark.parametrize("flavour", [tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_hard_links_and_devices_are_refused(place, flavour):
    (place.root / "m").mkdir()
    with tarfile.open(place.root / "m/it.pack", "w") as archive:
        info = tarfile.TarInfo("odd")
        info.type, info.linkname = flavour, "in/a.csv"
        archive.addfile(info)
    card = make_card("it.pack", by_hand="bring it", members={"table": "in/a.csv"})
    with pytest.raises(BlindfoldError, match="member 'odd'"):
        place.fetch(card, [str(place.root / "m")])


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_bomb_is_refused(place, packed, kind):
    with pytest.raises(BlindfoldError, match="holds more than it may") as error:
        packed({"in/a.csv": bytes(20_000_000)}, {"table": "in/a.csv"}, kind=kind)
    assert "unpacked_bytes" in str(error.value)
    assert unpacked(place) == []


def test_the_limit_counts_all_members_together(place, packed):
    content = {"a": b"x" * 600, "b": b"y" * 600}
    members = {"a": "a", "b": "b"}
    with pytest.raises(BlindfoldError, match="holds more than it may"):
        packed(content, members, unpacked_bytes=1199)
    assert unpacked(place) == []
    packed(content, {"a": "a"}, unpacked_bytes=1199)
    with pytest.raises(BlindfoldError, match="holds more than it may"):
        packed(content, members, unpacked_bytes=1199)
    assert len(packed(content, members, unpacked_bytes=1200)) == 2


def test_a_header_that_lies_about_the_size_is_not_believed(place, packed):
    pack(place.root / "mirror/p/it.pack", {"in/a.csv": bytes(20_000_000)})
    archive = place.root / "mirror/p/it.pack"
    true = (20_000_000).to_bytes(4, "little")
    lying = archive.read_bytes().replace(true, (100).to_bytes(4, "little"))
    assert lying != archive.read_bytes()
    archive.write_bytes(lying)
    card = make_card("p/it.pack", by_hand="x", members={"table": "in/a.csv"}, unpacked_bytes=1000)
    with pytest.raises(BlindfoldError, match=r"holds more than|cannot unpack"):
        place.fetch(card, [str(place.root / "mirror")])
    assert unpacked(place) == []


def test_a_missing_member_is_named_with_the_nearest(packed):
    with pytest.raises(BlindfoldError, match=r"did you mean 'in/a\.csv'"):
        packed(members={"table": "in/A.csv"})
    with pytest.raises(BlindfoldError, match="no file 'zzzzzzzzzz'") as error:
        packed(members={"table": "zzzzzzzzzz"})
    assert "in/b c.txt" in str(error.value)


def test_a_leading_dot_in_the_archive_does_not_matter(place, packed):
    packed({"./in/a.csv": b"x"}, {"table": "in/a.csv"}, kind="tar.gz")
    assert unpacked(place) == ["in/a.csv"]


@pytest.mark.parametrize("body", [b"no archive at all", b"PK\x03\x04 truncated"])
def test_no_archive_is_told(place, body):
    (place.root / "m").mkdir()
    (place.root / "m/it.pack").write_bytes(body)
    card = make_card("it.pack", by_hand="bring it", members={"table": "x"})
    with pytest.raises(BlindfoldError, match="not an archive"):
        place.fetch(card, [str(place.root / "m")])


@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_archive_is_told(place, kind):
    noise = random.Random(0).randbytes(100_000)
    path = place.root / "m/it.pack"
    pack(path, {"in/a.csv": noise}, kind=kind)
    path.write_bytes(path.read_bytes()[:50_000])
    card = make_card("it.pack", by_hand="bring it", members={"table": "in/a.csv"})
    with pytest.raises(BlindfoldError, match=r"cannot unpack|not an archive"):
        place.fetch(card, [str(place.root / "m")])
    assert not (place.cache / "it.pack.unpacked/in/a.csv").exists()


def test_a_changed_byte_inside_is_told(place, packed):
    pack(place.root / "m/it.pack", {"a": b"x" * 9}, kind="zip")
    archive = (place.root / "m/it.pack").read_bytes()
    at = archive.index(b"a", 30) + 2
    (place.root / "m/it.pack").write_bytes(archive[:at] + b"\xff" + archive[at + 1 :])
    card = make_card("it.pack", by_hand="bring it", members={"table": "a"})
    with pytest.raises(BlindfoldError, match="cannot unpack"):
        place.fetch(card, [str(place.root / "m")])


@needs_mirror
def test_a_real_archive(place):
    name = "GSM2230761_mouse1_umifm_counts.csv"
    card = make_card("baron_mouse1/Baron mouse1.zip", by_hand="x", members={"counts": name})
    (row,) = place.fetch(card, [str(MIRROR)], offline=True)
    with zipfile.ZipFile(MIRROR / "baron_mouse1/Baron mouse1.zip") as archive:
        body = archive.read(name)
    assert row["sha256"] == hashlib.sha256(body).hexdigest()
