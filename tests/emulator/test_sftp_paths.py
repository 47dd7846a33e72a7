"""A user sees its own folder, under whatever paths a client asks for, and nothing around it."""

import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.emulator.sftp.view import View
from tests.emulator.sftp_lab import HOME, Account, run

OUTSIDE = [
    "../bob",
    "../../../etc/passwd",
    "/etc/passwd",
    "/bucket/home/bob/secret",
    "/bucket/home/alice/../bob/secret",
    "//bucket//home/./bob//secret",
    "sub/../../bob/secret",
    "/bucket/secret",
    "/../../../../../../etc/passwd",
]
NOT_THEIRS = (asyncssh.SFTPPermissionDenied, asyncssh.SFTPFailure, asyncssh.SFTPOpUnsupported)
Session = asyncssh.SFTPClient

# Each way that a path can be used in; what is asked for may be read, or come to be.
USES: dict[str, Callable[[Session, Any], Any]] = {
    "read": lambda session, path: session.open(path, "rb"),
    "write": lambda session, path: session.open(path, "wb"),
    "append": lambda session, path: session.open(path, "ab"),
    "list": lambda session, path: session.listdir(path),
    "stat": lambda session, path: session.stat(path),
    "lstat": lambda session, path: session.lstat(path),
    "setstat": lambda session, path: session.chmod(path, 0o777),
    "remove": lambda session, path: session.remove(path),
    "mkdir": lambda session, path: session.mkdir(path),
    "rmdir": lambda session, path: session.rmdir(path),
    "rename from": lambda session, path: session.rename(path, "mine"),
    "rename to": lambda session, path: session.rename("own", path),
    "replace from": lambda session, path: session.posix_rename(path, "mine"),
    "replace": lambda session, path: session.posix_rename("own", path),
    "symlink to": lambda session, path: session.symlink(path, "mine"),
    "symlink at": lambda session, path: session.symlink("own", path),
    "readlink": lambda session, path: session.readlink(path),
    "link to": lambda session, path: session.link(path, "mine"),
    "link at": lambda session, path: session.link("own", path),
    "statvfs": lambda session, path: session.statvfs(path),
}


@pytest.fixture
def neighbours(account: Account) -> Account:
    """Give alice a file, and around her folder some that are not hers."""
    account.put("own", b"hers")
    for path in ("bucket/home/bob/secret", "bucket/secret", "etc/passwd"):
        file = account.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"not hers")
    return account


def everything(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


@pytest.mark.parametrize("name", USES)
def test_no_use_of_any_path_reaches_beyond_the_user_s_folder(
    neighbours: Account, name: str
) -> None:
    before = everything(neighbours.folder.parent)

    async def attempt() -> None:
        async with neighbours.session() as session:
            for path in OUTSIDE:
                with pytest.raises(asyncssh.SFTPError) as raised:
                    await USES[name](session, path)
                assert isinstance(raised.value, NOT_THEIRS)

    run(attempt())
    assert everything(neighbours.folder.parent) == before


@pytest.mark.parametrize("path", ["link", "link/secret", "dangling", "pipe"])
def test_a_link_that_somebody_put_there_leads_nowhere(
    neighbours: Account, tmp_path: Path, path: str
) -> None:
    """The client cannot make one; whoever keeps the folder can."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"not hers")
    home = neighbours.folder / HOME[1:]

    def put_there() -> None:
        for name in ("link", "dangling", "pipe", "mine"):
            (home / name).unlink(missing_ok=True)
        (home / "own").write_bytes(b"hers")
        (home / "link").symlink_to(outside)
        (home / "dangling").symlink_to(outside / "made")
        os.mkfifo(home / "pipe")

    # A link itself may be moved or removed, as what it is: a name in the user's folder.
    harmless = {"remove", "rename from", "replace from", "replace"} if path != "link/secret" else {}

    async def attempt() -> None:
        async with neighbours.session() as session:
            for name, use in USES.items():
                put_there()
                assert await session.listdir() == [".", "..", "own"]
                with nullcontext() if name in harmless else pytest.raises(asyncssh.SFTPError):
                    await use(session, path)

    run(attempt())
    assert everything(outside) == {"secret": b"not hers"}


def test_a_user_is_at_home_and_what_is_above_is_only_the_way_there(neighbours: Account) -> None:
    async def look_around() -> None:
        async with neighbours.session() as session:
            assert await session.getcwd() == HOME
            assert await session.listdir("/") == [".", "..", "bucket"]
            assert await session.listdir("/bucket") == [".", "..", "home"]
            assert await session.listdir("..") == [".", "..", "alice"]
            assert await session.isdir("/bucket/home")
            assert await session.realpath("x/.././../alice/own") == f"{HOME}/own"
            for path in (HOME, "/bucket", "."):
                for name in ("remove", "rmdir", "rename from", "replace from", "mkdir", "write"):
                    with pytest.raises(asyncssh.SFTPError):
                        await USES[name](session, path)

    run(look_around())
    assert neighbours.get("own") == b"hers"


def test_files_and_folders_are_made_moved_and_removed(account: Account) -> None:
    async def work() -> None:
        async with account.session() as session:
            await session.makedirs("a/b")
            async with session.open("a/one", "wb") as file:
                await file.write(b"one")
            async with session.open("a/two", "wb") as file:
                await file.write(b"two")
            with pytest.raises(asyncssh.SFTPFailure, match="exists"):
                await session.rename("a/one", "a/two")
            await session.posix_rename("a/one", "a/two")
            await session.rename("a/two", "a/b/three")
            assert await session.getsize("a/b/three") == 3
            with pytest.raises(asyncssh.SFTPFailure):
                await session.rmdir("a")
            with pytest.raises(asyncssh.SFTPFailure):
                await session.open("a", "rb")
            async with session.open("a/b/three", "rb+") as file:
                await file.seek(1)
                await file.write(b"XX")
            async with session.open("a/b/three", "ab") as file:
                await file.write(b"!")
            with pytest.raises(asyncssh.SFTPFailure):
                await session.open("a/b/three", "xb")
            async with session.open("a/b/three", "rb") as file:
                content: Any = await file.read()
                assert content == b"oXX!"
            await session.remove("a/b/three")
            await session.rmdir("a/b")
            assert await session.listdir("a") == [".", ".."]
            (listed,) = [each async for each in session.scandir(".") if each.filename == "a"]
            assert " - " in listed.longname

    run(work())


@pytest.mark.parametrize(
    "path",
    [
        "nul\0byte",
        f"{HOME}/nul\0byte",
        "own/\0",
        "\0/../own",
        "x" * 300,
        "y" * 300 + "/x",
        "a/" * 3000,
        "a/" * 60_000,
    ],
    ids=lambda path: repr(path[:12]),
)
def test_a_path_that_no_disk_takes_is_an_error_of_that_call_alone(
    neighbours: Account, path: str
) -> None:
    """Each use says so in words of SFTP, and none finds or makes what is not there."""

    async def attempt() -> None:
        async with neighbours.session() as session:
            for use in USES.values():
                with pytest.raises(asyncssh.SFTPError) as raised:
                    await use(session, path)
                assert "Uncaught" not in raised.value.reason
                assert await session.listdir() == [".", "..", "own"]
            if "\0" in path:
                assert not await session.exists(path)

    run(attempt())


@pytest.mark.parametrize("path", [b"\xed\xa0\x80", b"\xff"], ids=["surrogate", "no UTF-8"])
def test_a_path_that_is_no_text_is_taken_or_not_as_the_disk_does(
    neighbours: Account, path: bytes
) -> None:
    home = neighbours.folder / HOME[1:]
    made = home / os.fsdecode(path)
    try:
        made.touch()
    except OSError:
        makes = set()
    else:
        made.unlink()
        makes = {"write", "append", "mkdir", "rename to", "replace"}

    async def attempt() -> None:
        async with neighbours.session() as session:
            for name, use in USES.items():
                (home / "own").write_bytes(b"hers")
                with nullcontext() if name in makes else pytest.raises(asyncssh.SFTPError) as told:
                    await use(session, path)
                assert told is None or "Uncaught" not in told.value.reason
                assert (path in await session.listdir(b".")) == (name in makes)
                if name in makes:
                    made.rmdir() if name == "mkdir" else made.unlink()

    run(attempt())


@pytest.mark.parametrize("kind", ["PATH", "LOGICAL"])
@pytest.mark.parametrize(
    "home",
    ["/b/\0x", f"/b/{'y' * 300}", f"{HOME}/own/below"],
    ids=["nul", "long name", "below a file"],
)
def test_a_home_that_cannot_be_made_is_told_in_each_use_of_it_and_hides_nothing_else(
    neighbours: Account, home: str, kind: str
) -> None:
    mappings = [{"Entry": "/in", "Target": home}, {"Entry": "/ok", "Target": "/b/ok"}]
    logical = {"HomeDirectory": "/in", "HomeDirectoryMappings": mappings}
    neighbours.add_user(
        "bob",
        HomeDirectoryType=kind,
        **logical if kind == "LOGICAL" else {"HomeDirectory": home},
    )

    async def look_around() -> None:
        async with neighbours.session("bob") as session:
            for use in USES.values():
                for path in (".", "file"):
                    with pytest.raises(asyncssh.SFTPError) as raised:
                        await use(session, path)
                    assert "Uncaught" not in raised.value.reason
            if kind == "LOGICAL":
                assert await session.listdir("/") == [".", "..", "ok"]
                await session.mkdir("/ok/made")

    run(look_around())
    assert neighbours.get("own") == b"hers"


def test_a_mapping_is_listed_if_a_path_can_name_it_whatever_the_disk_would_take(
    account: Account,
) -> None:
    long = "y" * 300
    names = ["n\0ul", long, "ok"]
    mappings = [{"Entry": f"/{name}", "Target": f"/b/{len(name)}"} for name in names]
    account.add_user("bob", HomeDirectoryType="LOGICAL", HomeDirectoryMappings=mappings)

    async def look_around() -> None:
        async with account.session("bob") as session:
            assert await session.listdir("/") == [".", "..", "ok", long]
            await session.mkdir(f"/{long}/made")

    run(look_around())
    assert (account.folder / "b/300/made").is_dir()


def test_logical_mappings_are_what_the_user_sees(account: Account) -> None:
    account.add_user(
        "carol",
        HomeDirectoryType="LOGICAL",
        HomeDirectory="/in",
        HomeDirectoryMappings=[
            {"Entry": "/in", "Target": "/one/incoming/${transfer:UserName}"},
            {"Entry": "/deep/out", "Target": "/two/outgoing"},
            {"Entry": "/new.csv", "Target": "/three/new.csv", "Type": "FILE"},
            {"Entry": "/terms.txt", "Target": "/two/legal/terms.txt", "Type": "FILE"},
        ],
    )
    terms = account.folder / "two/legal/terms.txt"
    terms.parent.mkdir(parents=True)
    terms.write_bytes(b"terms")

    async def look_around() -> None:
        async with account.session("carol") as session:
            assert await session.getcwd() == "/in"
            assert await session.listdir("/") == [".", "..", "deep", "in", "terms.txt"]
            assert await session.listdir("/deep") == [".", "..", "out"]
            async with session.open("/terms.txt", "rb") as file:
                content: Any = await file.read()
                assert content == b"terms"
            async with session.open("file", "wb") as file:
                await file.write(b"in")
            await session.rename("/in/file", "/deep/out/file")
            async with session.open("/new.csv", "wb") as file:
                await file.write(b"new")
            assert "new.csv" in await session.listdir("/")
            for path in ("/one/incoming/carol", "/two", "/new", "/in/../two/outgoing/file"):
                with pytest.raises(asyncssh.SFTPError):
                    await session.stat(path)
            with pytest.raises(asyncssh.SFTPPermissionDenied):
                await session.remove("/terms.txt")

    run(look_around())
    assert (account.folder / "two/outgoing/file").read_bytes() == b"in"
    assert (account.folder / "one/incoming/carol").is_dir()
    assert (account.folder / "three/new.csv").read_bytes() == b"new"


def test_a_chroot_s_root_is_its_target(account: Account) -> None:
    mappings = [{"Entry": "/", "Target": HOME}]
    account.put("own", b"hers")
    alice: Any = {"ServerId": account.server_id, "UserName": "alice"}
    account.transfer.update_user(
        **alice, HomeDirectory="/", HomeDirectoryType="LOGICAL", HomeDirectoryMappings=mappings
    )

    async def look_around() -> None:
        async with account.session() as session:
            assert await session.getcwd() == "/"
            assert await session.listdir("/../..") == [".", "..", "own"]
            with pytest.raises(asyncssh.SFTPNoSuchFile):
                await session.stat(HOME)

    run(look_around())


@pytest.mark.parametrize(
    ("server", "is_taken"),
    [
        ({}, False),
        ({"ProtocolDetails": {"SetStatOption": "ENABLE_NO_OP"}}, True),
        ({"Domain": "EFS"}, True),
    ],
)
def test_attributes_are_refused_or_overlooked_as_the_server_says(
    account: Account, server: dict[str, Any], *, is_taken: bool
) -> None:
    account.create(**server)
    account.put("file", b"content")

    async def attempt() -> None:
        async with account.session() as session:
            await session.utime("file", (0, 0))
            await session.truncate("file", 0)

    if is_taken:
        run(attempt())
    else:
        with pytest.raises(asyncssh.SFTPOpUnsupported):
            run(attempt())
    assert account.get("file") == b"content"


NAMES = st.sampled_from(["..", ".", "", "bucket", "home", "alice", "bob", "in", "\u00e9", "a b"])
PATHS = st.lists(NAMES, max_size=12).map("/".join)


@given(path=PATHS, absolute=st.booleans(), home=PATHS, entry=PATHS, target=PATHS)
def test_whatever_is_mapped_and_asked_for_is_mapped_within_its_target(
    *, path: str, absolute: bool, home: str, entry: str, target: str
) -> None:
    views = [
        (View("alice", {"HomeDirectoryType": "PATH", "HomeDirectory": f"/{home}"}), home),
        (
            View(
                "alice",
                {
                    "HomeDirectoryType": "LOGICAL",
                    "HomeDirectory": f"/{home}",
                    "HomeDirectoryMappings": [{"Entry": f"/{entry}", "Target": f"/{target}"}],
                },
            ),
            target,
        ),
    ]
    for view, root in views:
        try:
            found = view.target(view.shown(("/" * absolute + path).encode()))
        except PermissionError:
            continue
        if found is not None:
            assert not {"..", ".", ""} & set(found)
            real = os.path.normpath("/" + "/".join(found))
            wanted = os.path.normpath(f"/./{root}").replace("//", "/")
            assert os.path.commonpath([real, wanted]) == wanted
