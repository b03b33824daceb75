# What all work with Go modules begins with: finds go, and logs in to the hosts of private modules.
set -eu
ca=/run/secrets/dalec.ca-bundle
if [ -e "$ca" ]; then
    export SSL_CERT_FILE="$ca" GIT_SSL_CAINFO="$ca"
fi
# Where old distributions keep it.
for bin in /usr/lib/go-*/bin /usr/local/go/bin; do
    if [ -d "$bin" ]; then PATH="$PATH:$bin"; fi
done

# need PROGRAM PACKAGE DEED: ends here unless there is the program to do the deed with.
need() {
    if ! command -v "$1" >/dev/null; then
        echo "there is no $1 to $3 with; add a package that has it, such as $2, to dependencies.build" >&2
        exit 127
    fi
}

# secret_login HOST KIND: git asks this program's own credential helper, which finds the secret by the name of the host.
secret_login() {
    need git git 'fetch private modules'
    git config --global "credential.https://$1.helper" "/work/dalec/frontend credential-helper --kind=$2"
    # Go keeps to itself what is wrong with a login, so it is asked for once before.
    {
        if git credential capability 2>/dev/null | grep -q authtype; then echo 'capability[]=authtype'; fi
        printf 'protocol=https\nhost=%s\n\n' "$1"
    } | /work/dalec/frontend credential-helper "--kind=$2" get >/dev/null
}

# ssh_login HOST NAME USER SOCKET: HOST may have a port, NAME has none.
ssh_login() {
    need git git 'fetch private modules'
    need ssh openssh-client 'fetch private modules'
    git config --global "url.ssh://$3@$1/.insteadOf" "https://$2/"
    printf 'Host %s\n    IdentityAgent %s\n' "$2" "$4" >>/work/ssh-config
    # Nothing here knows the keys of hosts.
    export GIT_SSH_COMMAND='ssh -F /work/ssh-config -o BatchMode=yes -o LogLevel=ERROR -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null'
}

need go golang-go 'download modules'
if [ "$(GOMODCACHE=/work/cache go env GOMODCACHE)" != /work/cache ]; then
    echo "Go modules are downloaded with Go 1.15 or newer, and this is $(go version); add a newer one to dependencies.build" >&2
    exit 1
fi
