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
from tests.fetch.conftest import Workspace, make_card

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
def packed(workspace):
    """Return a function that puts an archive into a mirror and fetches members of it."""
    mirror = workspace.root / "mirror"

    def fetch(content=CONTENT, members=WANTED, links=(), kind="zip", **card):
        pack(mirror / "p/it.pack", content, links, kind)
        found = make_card("p/it.pack", by_hand="bring it", members=members, **card)
        return workspace.fetch(found, [str(mirror)])

    return fetch


def folder(workspace):
    return workspace.cache / "p" / "it.pack.unpacked"


def unpacked(workspace):
    return sorted(
        str(path.relative_to(folder(workspace)))
        for path in folder(workspace).rglob("[!.]*")
        if path.is_file()
    )


@pytest.mark.parametrize("kind", KINDS)
def test_only_named_members_are_unpacked(workspace, packed, kind):
    rows = packed(kind=kind)
    assert unpacked(workspace) == ["in/a.csv", "in/b c.txt"]
    archive = (workspace.cache / "p/it.pack").read_bytes()
    for row, (role, name) in zip(rows, WANTED.items(), strict=True):
        assert row == {
            "path": "p/it.pack", "role": role, "member": name,
            "sha256": hashlib.sha256(CONTENT[name]).hexdigest(), "bytes": len(CONTENT[name]),
            "source": str(workspace.root / "mirror/p/it.pack"),
            "location": str(folder(workspace) / name),
            "archive_sha256": hashlib.sha256(archive).hexdigest(),
        }  # fmt: skip
        assert (folder(workspace) / name).read_bytes() == CONTENT[name]


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
    workspace = Workspace(tmp_path_factory.mktemp("pack"))
    # each under a folder of its own: no name may be the folder of another
    content = {f"{number}/{name}": body for number, (name, body) in enumerate(top.items())}
    pack(workspace.root / "m/it.pack", content, kind=kind)
    members = {str(number): name for number, name in enumerate(content)}
    card = make_card("it.pack", by_hand="bring it", members=members, unpacked_bytes=10**6)
    rows = workspace.fetch(card, [str(workspace.root / "m")])
    found = {row["member"]: (workspace.cache / "it.pack.unpacked" / row["member"]) for row in rows}
    assert {name: path.read_bytes() for name, path in found.items()} == content


def test_intact_members_are_not_unpacked_again(workspace, packed):
    packed()
    before = {name: (folder(workspace) / name).stat().st_ino for name in unpacked(workspace)}
    (folder(workspace) / "in/b c.txt").write_bytes(b"C" * 5000)
    packed()
    after = {name: (folder(workspace) / name).stat().st_ino for name in unpacked(workspace)}
    assert (folder(workspace) / "in/b c.txt").read_bytes() == CONTENT["in/b c.txt"]
    assert before["in/a.csv"] == after["in/a.csv"]


def test_what_is_there_needs_no_lock(workspace, packed):
    """A cache that can only be read serves what it has."""
    packed()
    shutil.rmtree(workspace.cache / ".locks")
    (workspace.cache / ".locks").touch()
    assert len(packed()) == 2
    (folder(workspace) / "in/a.csv").unlink()
    with pytest.raises(BlindfoldError, match="cannot write"):
        packed()


def test_two_cards_may_name_different_members(workspace, packed):
    packed(members={"table": "in/a.csv"})
    inode = (folder(workspace) / "in/a.csv").stat().st_ino
    packed(members={"text": "other"})
    assert unpacked(workspace) == ["in/a.csv", "other"]
    assert (folder(workspace) / "in/a.csv").stat().st_ino == inode


def test_another_archive_is_unpacked_anew(workspace, packed):
    packed()
    (workspace.cache / "p/it.pack").unlink()
    (workspace.cache / "downloads.lock.json").unlink()
    packed(CONTENT | {"in/a.csv": b"new"})
    assert (folder(workspace) / "in/a.csv").read_bytes() == b"new"


@pytest.mark.parametrize("text", ["{broken", "[]", '{"archive_sha256": 1}'])
def test_a_damaged_list_of_members_is_no_obstacle(workspace, packed, text):
    packed()
    (folder(workspace) / ".unpacked.json").write_text(text)
    assert len(packed()) == 2


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
@pytest.mark.parametrize(
    "name", ["../evil", "in/../../evil", "/etc/evil", "..\\evil", "C:\\evil", "c:evil", "\\evil"]
)
def test_an_archive_that_reaches_outside_is_refused_whole(workspace, packed, name, kind):
    with pytest.raises(BlindfoldError, match="not safe") as error:
        packed(CONTENT | {name: b"evil"}, kind=kind)
    assert repr(name) in str(error.value)
    assert not folder(workspace).exists()
    assert list(workspace.root.rglob("*evil*")) == []


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_an_archive_with_a_link_is_refused_whole(workspace, packed, kind):
    with pytest.raises(BlindfoldError, match=r"member 'in/link', a link"):
        packed(links=["in/link"], kind=kind)
    assert not folder(workspace).exists()


@pytest.mark.parametrize("flavour", [tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_hard_links_and_devices_are_refused(workspace, flavour):
    (workspace.root / "m").mkdir()
    with tarfile.open(workspace.root / "m/it.pack", "w") as archive:
        info = tarfile.TarInfo("odd")
        info.type, info.linkname = flavour, "in/a.csv"
        archive.addfile(info)
    card = make_card("it.pack", by_hand="bring it", members={"table": "in/a.csv"})
    with pytest.raises(BlindfoldError, match="member 'odd'"):
        workspace.fetch(card, [str(workspace.root / "m")])


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_bomb_is_refused(workspace, packed, kind):
    with pytest.raises(BlindfoldError, match="holds more than it may") as error:
        packed({"in/a.csv": bytes(20_000_000)}, {"table": "in/a.csv"}, kind=kind)
    assert "unpacked_bytes" in str(error.value)
    assert unpacked(workspace) == []


def test_the_limit_counts_all_members_together(workspace, packed):
    content = {"a": b"x" * 600, "b": b"y" * 600}
    members = {"a": "a", "b": "b"}
    with pytest.raises(BlindfoldError, match="holds more than it may"):
        packed(content, members, unpacked_bytes=1199)
    assert unpacked(workspace) == []
    packed(content, {"a": "a"}, unpacked_bytes=1199)
    with pytest.raises(BlindfoldError, match="holds more than it may"):
        packed(content, members, unpacked_bytes=1199)
    assert len(packed(content, members, unpacked_bytes=1200)) == 2


def test_a_header_that_lies_about_the_size_is_not_believed(workspace, packed):
    pack(workspace.root / "mirror/p/it.pack", {"in/a.csv": bytes(20_000_000)})
    archive = workspace.root / "mirror/p/it.pack"
    true = (20_000_000).to_bytes(4, "little")
    lying = archive.read_bytes().replace(true, (100).to_bytes(4, "little"))
    assert lying != archive.read_bytes()
    archive.write_bytes(lying)
    card = make_card("p/it.pack", by_hand="x", members={"table": "in/a.csv"}, unpacked_bytes=1000)
    with pytest.raises(BlindfoldError, match=r"holds more than|cannot unpack"):
        workspace.fetch(card, [str(workspace.root / "mirror")])
    assert unpacked(workspace) == []


def test_a_missing_member_is_named_with_the_nearest(packed):
    with pytest.raises(BlindfoldError, match=r"did you mean 'in/a\.csv'"):
        packed(members={"table": "in/A.csv"})
    with pytest.raises(BlindfoldError, match="no file 'zzzzzzzzzz'") as error:
        packed(members={"table": "zzzzzzzzzz"})
    assert "in/b c.txt" in str(error.value)


def test_a_leading_dot_in_the_archive_does_not_matter(workspace, packed):
    packed({"./in/a.csv": b"x"}, {"table": "in/a.csv"}, kind="tar.gz")
    assert unpacked(workspace) == ["in/a.csv"]


@pytest.mark.parametrize("body", [b"no archive at all", b"PK\x03\x04 truncated"])
def test_no_archive_is_told(workspace, body):
    (workspace.root / "m").mkdir()
    (workspace.root / "m/it.pack").write_bytes(body)
    card = make_card("it.pack", by_hand="bring it", members={"table": "x"})
    with pytest.raises(BlindfoldError, match="not an archive"):
        workspace.fetch(card, [str(workspace.root / "m")])


@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_archive_is_told(workspace, kind):
    noise = random.Random(0).randbytes(100_000)
    path = workspace.root / "m/it.pack"
    pack(path, {"in/a.csv": noise}, kind=kind)
    path.write_bytes(path.read_bytes()[:50_000])
    card = make_card("it.pack", by_hand="bring it", members={"table": "in/a.csv"})
    with pytest.raises(BlindfoldError, match=r"cannot unpack|not an archive"):
        workspace.fetch(card, [str(workspace.root / "m")])
    assert not (workspace.cache / "it.pack.unpacked/in/a.csv").exists()


def test_a_changed_byte_inside_is_told(workspace, packed):
    pack(workspace.root / "m/it.pack", {"a": b"x" * 9}, kind="zip")
    archive = (workspace.root / "m/it.pack").read_bytes()
    at = archive.index(b"a", 30) + 2
    (workspace.root / "m/it.pack").write_bytes(archive[:at] + b"\xff" + archive[at + 1 :])
    card = make_card("it.pack", by_hand="bring it", members={"table": "a"})
    with pytest.raises(BlindfoldError, match="cannot unpack"):
        workspace.fetch(card, [str(workspace.root / "m")])


@needs_mirror
def test_a_real_archive(workspace):
    name = "GSM2230761_mouse1_umifm_counts.csv"
    card = make_card("baron_mouse1/Baron mouse1.zip", by_hand="x", members={"counts": name})
    (row,) = workspace.fetch(card, [str(MIRROR)], offline=True)
    with zipfile.ZipFile(MIRROR / "baron_mouse1/Baron mouse1.zip") as archive:
        body = archive.read(name)
    assert row["sha256"] == hashlib.sha256(body).hexdigest()
