#!/bin/sh
# start.sh CONFIG SOCKET DIRECTORY: HAProxy, and beside it a look every two seconds whether the certificate and key that
# are mounted in DIRECTORY (a Secret of type kubernetes.io/tls) are still those it shows. New ones are given to it through
# its runtime API: a reload would forget which servers a fence has closed, and cut what is under way.
set -eu
config=$1 socket=$2 directory=$3

# As the fences do: with whatever the image has that can speak to a Unix socket.
talk() {
    if command -v socat >/dev/null; then
        socat -t 5 - "UNIX-CONNECT:$socket"
    elif command -v perl >/dev/null; then
        perl -MIO::Socket::UNIX -e 'alarm 5; $s = IO::Socket::UNIX->new($ARGV[0]) or die "$ARGV[0]: $!\n";
            print $s $_ while <STDIN>; $s->flush; $s->shutdown(1); print while <$s>' "$socket"
    else
        python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect(sys.argv[1]); s.sendall(sys.stdin.buffer.read())
s.shutdown(socket.SHUT_WR); sys.stdout.buffer.write(b"".join(iter(lambda: s.recv(65536), b"")))' "$socket"
    fi
}

shown() { cat "$directory/tls.crt" "$directory/tls.key" 2>/dev/null | cksum; }

give() {
    # An empty line ends what is given, so there may be none in it.
    { echo "set ssl cert $directory/tls.crt <<"; cat "$directory/tls.crt" "$directory/tls.key" | grep .; echo; } | talk
    echo "commit ssl cert $directory/tls.crt" | talk
}

watch() {
    last=$1
    # $$ is HAProxy by then: without it there is nothing to look after.
    while sleep 2 && kill -0 $$ 2>/dev/null; do
        now=$(shown)
        [ "$now" != "$last" ] || continue
        # Half a change, or one that HAProxy refuses, is tried again.
        case $(give 2>&1) in
        *Success*) echo "edge: another certificate is shown"; last=$now ;;
        *) echo "edge: the new certificate was not taken" ;;
        esac
    done
}

watch "$(shown)" &
exec haproxy -db -f "$config"
