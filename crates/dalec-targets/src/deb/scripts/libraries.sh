# Which packages programs for another processor depend on. Read before binary-package.sh.

# name_libraries ARCHITECTURE GNU: has dpkg-shlibdeps find the libraries that compilers for ARCHITECTURE come with, and name
# the packages that have them there. They are in packages of their own here, on which nothing may depend.
name_libraries() {
    mkdir -p /etc/ld.so.conf.d
    echo "/usr/$2/lib" >/etc/ld.so.conf.d/dalec-cross.conf
    # The C library alone comes without a list of its symbols.
    library=$(dpkg-query --search "/usr/$2/lib/libc.so.6" 2>/dev/null | sed 's/:.*//; q')
    symbols=/var/lib/dpkg/info/$library.symbols
    if [ -n "$library" ] && [ ! -e "$symbols" ]; then
        symbols_of_libc "$library" "$1" "$2" >"$symbols"
        [ -s "$symbols" ] || rm "$symbols"
    fi
    # What has one needs nothing else, and would not be asked.
    for shlibs in /var/lib/dpkg/info/*"-$1-cross.shlibs"; do
        symbols=${shlibs%.shlibs}.symbols
        if [ -e "$symbols" ]; then
            sed -i "s/-$1-cross\\b//g" "$symbols"
        elif [ -e "$shlibs" ]; then
            sed "s/:$1\\b//" "$shlibs" >>debian/shlibs.local
        fi
    done
}

# symbols_of_libc PACKAGE ARCHITECTURE GNU: prints that list: what is in GLIBC_2.34 is there since 2.34, but for what the
# machine's own list says to be later.
symbols_of_libc() {
    name=${1%"-$2-cross"}
    own=$(dpkg-query --control-path "$name:$(dpkg --print-architecture)" symbols) || return 0
    dpkg-query --listfiles "$1" | grep '\.so\.[0-9]*$' | while read -r library; do
        "$3-objdump" -p -T "$library"
    done | awk -v name="$name" -v own="$own" '
        function since(node) {
            sub(/^GLIBC_/, "", node)
            return node
        }
        BEGIN {
            while ((getline line < own) > 0) {
                count = split(line, word, " ")
                if (line ~ /^\|/)
                    exact = line
                else if (line !~ /^ /)
                    library = word[1]
                else if (split(word[1], part, "@") == 2 && part[2] != "GLIBC_PRIVATE" && since(part[2]) != word[2])
                    later[library, part[1]] = word[2]
            }
        }
        $1 == "SONAME" {
            library = $2
            print library, name, "#MINVER#"
            print exact
        }
        /^[0-9a-f]+ / && !/\*UND\*/ && $(NF - 1) ~ /GLIBC_/ {
            node = $(NF - 1)
            gsub(/[()]/, "", node)
            if (node == "GLIBC_PRIVATE")
                print " " $NF "@" node " 0 1"
            else if ((library, $NF) in later)
                print " " $NF "@" node " " later[library, $NF]
            else
                print " " $NF "@" node " " since(node)
        }'
}
