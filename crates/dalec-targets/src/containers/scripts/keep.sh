# Which packages of a root file system stay in a minimal container. Read before purge.sh and clean.sh.

packages=/run/dalec/packages
base=/run/dalec/base
tab=$(printf '\t')

# query ROOT: one line per installed package: name with architecture, name, essential, dependencies, provides.
query() {
    dpkg-query --admindir="${1%/}/var/lib/dpkg" --show --showformat \
        '${db:Status-Status}\t${binary:Package}\t${Package}\t${Essential}\t${Pre-Depends}, ${Depends}\t${Provides}\n' |
        sed -n "s/^installed$tab//p"
}

# closure NAME...: reads query's lines and prints the packages that the named ones are or need, with all their
# installed alternatives and providers.
closure() {
    awk -F '\t' -v roots="$*" '
        function bare(relation) {
            sub(/[(:<\[].*/, "", relation)
            gsub(/[ \t]/, "", relation)
            return relation
        }
        {
            package[NR] = $1
            needs[NR] = $4
            providers[$2] = providers[$2] " " NR
            count = split($5, provided, ",")
            for (i = 1; i <= count; i++)
                if ((name = bare(provided[i])) != "")
                    providers[name] = providers[name] " " NR
        }
        END {
            depth = split(roots, stack, " ")
            for (i = 1; i <= depth; i++)
                stack[i] = bare(stack[i])
            while (depth > 0) {
                count = split(providers[stack[depth--]], found, " ")
                for (i = 1; i <= count; i++) {
                    if (found[i] in kept)
                        continue
                    kept[found[i]] = 1
                    wanted = split(needs[found[i]], relations, /[,|]/)
                    for (j = 1; j <= wanted; j++)
                        if ((name = bare(relations[j])) != "")
                            stack[++depth] = name
                }
            }
            for (i = 1; i <= NR; i++)
                if (i in kept)
                    print package[i]
        }'
}

# roots NAME...: what stays for its own sake: the built packages, what the base image brought, and the names.
roots() {
    echo base-files
    for deb in "$packages"/*.deb; do
        dpkg-deb --field "$deb" Package
    done
    if [ -e "$base/var/lib/dpkg/status" ]; then
        query "$base" | cut -f 2
    fi
    [ $# = 0 ] || printf '%s\n' "$@"
}

# without LINES LINES: the lines of the first argument that are not among those of the second.
without() {
    printf '%s\n' "$1" | grep -vxF -e "$2" || true
}

# force: what dpkg is told to overlook; not every release protects packages.
force() {
    printf %s --force-depends,remove-essential
    ! dpkg --force-help | grep -q remove-protected || printf %s ,remove-protected
}
