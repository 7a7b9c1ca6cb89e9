"""An image of Neo4j 5.26 Community made here, laid out as the official one: the real server, and its ``neo4j-admin``.

The official image cannot be had without a registry. The entry point is a short one of the tests' own, which does what
the official one does that is relied on: NEO4J_AUTH, the user 7474, and any other program as that user.
"""

import io
import os
import tarfile
import tempfile
from pathlib import Path

from tests.docker_images import APPLETS, libraries, static_busybox
from tests.dockerd import Dockerd
from tests.neo4j_server.jars import FIVE, jars, java
from tests.neo4j_server.server import _OPEN

IMAGE = "upkeeper-test/neo4j:5.26.19"
USER = 7474
_OPENED = " ".join(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPEN)
_JAVA = f"/java/bin/java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 {_OPENED} -cp '/jars/*'"
_ADMIN = f"""#!/bin/sh
exec {_JAVA} -Xmx256m org.neo4j.cli.AdminTool "$@"
"""
_ENTRY = f"""#!/bin/sh
B=/bin/busybox
export HOME=/var/lib/neo4j
$B chown 7474:7474 /data
as() {{ exec $B su neo4j -s /bin/sh -c 'exec "$0" "$@"' -- "$@"; }}
[ "$1" = neo4j ] || as "$@"
conf=/var/lib/neo4j/conf/neo4j.conf
if [ "$NEO4J_AUTH" = none ]; then
  $B grep -q auth_enabled $conf || echo dbms.security.auth_enabled=false >> $conf
elif [ ! -e /data/dbms/auth.ini ] && [ ! -e /data/databases/system ]; then
  (as neo4j-admin dbms set-initial-password "${{NEO4J_AUTH#*/}}") || exit 1
fi
as {_JAVA} -Xmx384m org.neo4j.server.CommunityEntryPoint \\
  --home-dir=/var/lib/neo4j --config-dir=/var/lib/neo4j/conf --console-mode
"""
_CONF = """\
server.bolt.enabled=true
server.bolt.listen_address=0.0.0.0:7687
server.http.enabled=false
server.memory.pagecache.size=32m
db.tx_log.preallocate=false
dbms.usage_report.enabled=false
"""
_CHANGES = [
    "ENV PATH=/usr/local/bin:/bin NEO4J_HOME=/var/lib/neo4j NEO4J_CONF=/var/lib/neo4j/conf",
    "VOLUME /data",
    'ENTRYPOINT ["/entry"]',
    'CMD ["neo4j"]',
]


def neo4j_image(dockerd: Dockerd) -> str:
    """Its name, once it is on the engine. Takes some 300 MB, and ten seconds."""
    if any(IMAGE in (each.get("RepoTags") or ()) for each in dockerd.client.api.images()):
        return IMAGE
    repository, _, tag = IMAGE.partition(":")
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory) / "root.tar"
        _write(root)
        with root.open("rb") as data:
            dockerd.client.api.import_image_from_data(data, repository=repository, tag=tag, changes=_CHANGES)
    return IMAGE


def _write(root: Path) -> None:
    home = java(FIVE).resolve().parents[1]
    files = {
        "bin/busybox": static_busybox(),
        "etc/passwd": b"root:x:0:0::/:/bin/sh\nneo4j:x:7474:7474::/var/lib/neo4j:/bin/sh\n",
        "etc/group": b"root:x:0:\nneo4j:x:7474:\n",
        "usr/local/bin/neo4j-admin": _ADMIN.encode(),
        "entry": _ENTRY.encode(),
        "var/lib/neo4j/conf/neo4j.conf": _CONF.encode(),
    }
    programs = [home / "bin" / "java", *(home / "lib").rglob("*.so")]
    for program in programs:
        if not any(word in program.name for word in ("awt", "font", "splash", "lcms", "javajpeg", "sound")):
            files |= libraries(program)
    own = [
        Path(at) / name
        for below in ("lib", "conf")
        for at, _, names in os.walk(home / below, followlinks=True)
        for name in names
        if name not in ("src.zip", "ct.sym") and (Path(at) / name).exists()
    ]
    with tarfile.open(root, "w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            _owned(member)
            tar.addfile(member, io.BytesIO(content))
        for applet in APPLETS:
            _link(tar, f"bin/{applet}", "busybox")
        for below in ("var/lib/neo4j", "var/lib/neo4j/conf", "var/lib/neo4j/logs", "var/lib/neo4j/run", "data", "tmp"):
            folder = tarfile.TarInfo(below)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o777
            _owned(folder)
            tar.addfile(folder)
        _link(tar, "var/lib/neo4j/data", "/data")
        tar.add(home / "bin" / "java", "java/bin/java")
        for path in own:
            tar.add(path.resolve(), f"java/{path.relative_to(home)}")
        for path in jars(FIVE).glob("*.jar"):
            tar.add(path, f"jars/{path.name}")


def _owned(member: tarfile.TarInfo) -> None:
    if member.name.startswith(("var/lib/neo4j", "data")):
        member.uid = member.gid = USER


def _link(tar: tarfile.TarFile, name: str, to: str) -> None:
    link = tarfile.TarInfo(name)
    link.type, link.linkname = tarfile.SYMTYPE, to
    tar.addfile(link)
