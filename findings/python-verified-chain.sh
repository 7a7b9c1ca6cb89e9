#!/bin/sh
# Python: SSLObject.get_verified_chain() without verification is not get_unverified_chain(), and it answers after a refusal.
#
# The documentation of ssl.SSLSocket.get_verified_chain says that with verification disabled it acts the same as
# get_unverified_chain(). It does not: it has the chain that OpenSSL built from the server's certificate, without what the
# server sent beside it. (The good side of it: last year's certificate that is sent along does not look like a part of the
# chain.) And one would guess that there is no chain when the handshake was refused; there is, up to where OpenSSL came, so
# that the expiry of a refused certificate needs no second connection.
#
# The methods are public since Python 3.13; before that, from 3.10 on, they are those of the object below SSLObject.
# Needs: python3 (or PYTHON=), openssl. Exit status 0: it is still so. 1: it has changed.
set -eu
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
# A root, a leaf that it signed, and a former leaf of the same root, which the server sends along.
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=root" -keyout root.key -out root.crt 2>/dev/null
printf 'subjectAltName=DNS:localhost\n' >san
for name in leaf former; do
    openssl req -newkey rsa:2048 -nodes -subj "/CN=$name" -keyout "$name.key" -out "$name.csr" 2>/dev/null
    openssl x509 -req -in "$name.csr" -CA root.crt -CAkey root.key -CAcreateserial -days 20 -extfile san -out "$name.crt" 2>/dev/null
done
cat leaf.crt former.crt >sent.crt
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=other root" -keyout other.key -out other.crt 2>/dev/null

"$python" - <<'PY'
import ssl, sys

def chain(tls, method):
    if hasattr(tls, method):
        found = [ssl.DER_cert_to_PEM_cert(der) for der in getattr(tls, method)()]
    else:
        found = [certificate.public_bytes() for certificate in getattr(tls._sslobj, method)() or ()]
    names = {open(f"{name}.crt").read(): name for name in ("leaf", "former", "root")}
    return [names[pem] for pem in found]

def shake(client):
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain("sent.crt", "leaf.key")
    a, b = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours, theirs = client.wrap_bio(a, b, server_hostname="localhost"), server.wrap_bio(b, a, server_side=True)
    outcome = "accepted"
    for _ in range(4):
        for one in (ours, theirs):
            try:
                one.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLCertVerificationError as error:
                outcome = f"refused ({error.verify_message})"
            except ssl.SSLError:
                pass
    return outcome.partition(" (")[0], chain(ours, "get_verified_chain"), chain(ours, "get_unverified_chain")

def client(trusted):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if trusted is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(trusted)
    return context

print(f"Python {sys.version.split()[0]}, {ssl.OPENSSL_VERSION}")
expected = {
    "verified": ("root.crt", ("accepted", ["leaf", "root"], ["leaf", "former"])),
    "refused": ("other.crt", ("refused", ["leaf"], ["leaf", "former"])),
    "not verified": (None, ("accepted", ["leaf"], ["leaf", "former"])),
}
changed = False
for what, (trusted, wanted) in expected.items():
    seen = shake(client(trusted))
    changed |= seen != wanted
    print(f"{what}: {seen[0]}; get_verified_chain {seen[1]}, get_unverified_chain {seen[2]}")
sys.exit("changed" if changed else 0)
PY
